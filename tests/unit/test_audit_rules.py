"""Every kind of difference, made on purpose, is found and named; and a world without any has none."""

from pathlib import Path

import pytest

from cli.audit.rows import (
    ChargeRow,
    DocumentRow,
    MailRow,
    NotificationRow,
    OrderRefundRow,
    OrderRow,
    PaymentRow,
    RefundRow,
)
from cli.audit.rule import Remedy
from cli.audit.rules import DIFFERENCES, NOTES, REVIEWS
from cli.audit.rules_mails import MAIL
from cli.audit.rules_money import CHARGES, LEDGER
from cli.audit.rules_papers import TAX
from tests.fakes.audit_breakages import (
    DONE,
    ORDER,
    PAYMENT,
    order_failed,
    refunded_at_the_dashboard,
    told_again,
    told_of,
)
from tests.fakes.audit_world import (
    JUST_NOW,
    AuditWorld,
    audit_of,
    book_in,
    declined_order,
    differences_of,
    held_order,
    identity,
    paid_order,
    refunded_order,
    shipped_order,
)


def sound_world() -> AuditWorld:
    """Return a world in which everything agrees, and other systems use the same accounts."""
    return AuditWorld(
        [
            *paid_order(1),
            *declined_order(2),
            *refunded_order(3),
            *held_order(4),
            *shipped_order(5),
            ChargeRow("pi_other", "", "", "SUCCEEDED", "EUR", 990, 990, 0, 0),
            DocumentRow("invoice-77", "SalesInvoice", "Committed", "EUR", 990, 188),
            MailRow("newsletter", "", "delivered", 0),
        ]
    )


async def test_a_world_that_agrees_has_no_differences(tmp_path: Path) -> None:
    with book_in(tmp_path) as book:
        audit = await audit_of(sound_world(), book)

        assert [finding.what for finding in audit.findings((*DIFFERENCES, *REVIEWS, *NOTES))] == []
        census = audit.census()
    assert (census.orders, census.moving, census.documents, census.returns, census.mails) == (5, 0, 3, 2, 4)
    assert (census.foreign_charges, census.foreign_documents, census.foreign_mails) == (1, 1, 1)
    (turnover,) = census.turnovers
    assert (turnover.captured.minor_units, turnover.refunded.minor_units, turnover.held.minor_units) == (
        2970,
        500,
        1085,
    )
    (tax,) = census.taxes
    assert (tax.recorded.minor_units, tax.returned.minor_units) == (255, 61)


async def test_an_empty_world_is_clean(tmp_path: Path) -> None:
    assert await differences_of(AuditWorld(), tmp_path) == []


@pytest.mark.parametrize("name", DONE)
async def test_a_difference_is_found_and_named_and_nothing_else(name: str, tmp_path: Path) -> None:
    make, kinds, words = DONE[name]
    world = AuditWorld(paid_order(1))
    make(world)

    found = await differences_of(world, tmp_path)

    assert {finding.rule.kind for finding in found} == kinds
    assert words in "\n".join(finding.what for finding in found)
    assert all(finding.rule.advice for finding in found)


@pytest.mark.parametrize(("needs_review", "kinds"), [(False, set()), (True, {"unbooked_charge"})])
async def test_a_charge_that_its_order_has_yet_to_hear_of_is_never_given_back(
    needs_review: bool,  # noqa: FBT001  (a parameter of the test)
    kinds: set[str],
    tmp_path: Path,
) -> None:
    world = AuditWorld(paid_order(1))
    order_failed(world)
    world.drop(PaymentRow)
    world.change(OrderRow, state="PENDING", provider_payment_id="", needs_review=needs_review)

    found = await differences_of(world, tmp_path)

    assert {finding.rule.kind for finding in found} == kinds
    assert [finding.rule.remedies for finding in found if finding.rule.remedies] == []


@pytest.mark.parametrize(("resent", "kinds"), [(True, set()), (False, {"mail_unfounded"})])
async def test_a_mail_that_a_person_had_sent_again_needs_no_other_occasion(
    resent: bool,  # noqa: FBT001  (a parameter of the test)
    kinds: set[str],
    tmp_path: Path,
) -> None:
    world = AuditWorld(paid_order(1))
    told_again(world)
    *rows, mail, at_sendgrid = world.rows
    assert isinstance(mail, NotificationRow)
    world.rows = [*rows, mail._replace(resent=resent), at_sendgrid]

    found = await differences_of(world, tmp_path)

    assert {finding.rule.kind for finding in found} == kinds


def test_every_rule_is_broken_by_one_of_these_tests() -> None:
    """But for those of test_audit_life.py."""
    found = {kind for _, kinds, _ in DONE.values() for kind in kinds}
    assert found >= {rule.kind for rule in (*CHARGES, *LEDGER, *TAX, *MAIL)}


@pytest.mark.parametrize("name", ["failed, but charged", "ledger behind", "no document", "no confirmation"])
async def test_an_order_that_changed_a_moment_ago_is_still_moving(name: str, tmp_path: Path) -> None:
    world = AuditWorld(paid_order(1))
    DONE[name][0](world)
    world.change(OrderRow, updated=JUST_NOW)

    with book_in(tmp_path) as book:
        audit = await audit_of(world, book)

        assert [finding.what for finding in audit.findings(DIFFERENCES)] == []
        assert audit.census().moving == 1


@pytest.mark.parametrize(("kind", "field"), [(PaymentRow, "updated"), (ChargeRow, "created")])
async def test_so_is_one_whose_money_did(kind: type[PaymentRow | ChargeRow], field: str, tmp_path: Path) -> None:
    world = AuditWorld(paid_order(1))
    order_failed(world)
    world.change(kind, **{field: JUST_NOW})

    assert await differences_of(world, tmp_path) == []


async def test_a_charge_that_was_made_a_moment_ago_is_not_an_orphan_yet(tmp_path: Path) -> None:
    world = AuditWorld([ChargeRow("pi_9", PAYMENT, ORDER, "SUCCEEDED", "USD", 700, 700, 0, JUST_NOW)])

    assert await differences_of(world, tmp_path) == []


@pytest.mark.parametrize("state", ["PENDING", "PAYMENT_ACTION_REQUIRED"])
async def test_an_order_that_goes_on_by_itself_is_moving_however_old_it_is(state: str, tmp_path: Path) -> None:
    world = AuditWorld(declined_order(1))
    world.change(OrderRow, state=state, updated=JUST_NOW - 2 * 86_400_000)
    world.change(PaymentRow, state="PENDING")

    with book_in(tmp_path) as book:
        audit = await audit_of(world, book)

        assert list(audit.findings(DIFFERENCES)) == []
        assert audit.census().moving == 1
        (note,) = audit.findings(NOTES)
        assert (note.rule.kind, note.subject) == ("moving_for_long", ORDER)


async def test_a_payment_method_that_cannot_be_used_leaves_no_decline_at_stripe(tmp_path: Path) -> None:
    world = AuditWorld(declined_order(1))
    world.change(PaymentRow, state="DECLINED")
    world.change(ChargeRow, state="PENDING")

    assert await differences_of(world, tmp_path) == []


def in_(folder: Path, name: str) -> Path:
    """Return a new folder: a book is written once."""
    (folder / name).mkdir()
    return folder / name


@pytest.mark.parametrize("state", ["PENDING", "CANCELLED"])
async def test_a_payment_that_was_given_up_before_it_began_has_nothing_at_stripe_and_its_stray_intent_is_harmless(
    state: str, tmp_path: Path
) -> None:
    world = AuditWorld(declined_order(1))
    told_of(world, "ORDER_CANCELLED")
    world.change(OrderRow, state="CANCELLED", provider_payment_id="")
    world.change(PaymentRow, state="CANCELLED", provider_payment_id="")
    world.change(ChargeRow, state=state)

    assert await differences_of(world, tmp_path) == []


async def test_of_a_hold_that_was_taken_in_part_the_order_is_due_that_part(tmp_path: Path) -> None:
    world = AuditWorld(paid_order(1))
    world.change(PaymentRow, captured=700)
    world.change(ChargeRow, captured=700)
    assert {finding.rule.kind for finding in await differences_of(world, in_(tmp_path, "before"))} == {"money_differs"}

    world.change(OrderRow, released=385, captured=700)
    world.rows.append(DocumentRow(f"{ORDER}-r1", "ReturnInvoice", "Committed", "USD", -355, -30))

    assert await differences_of(world, tmp_path) == []


async def test_a_refund_by_hand_that_our_ledger_and_the_order_have_taken_in_is_no_difference(tmp_path: Path) -> None:
    world = AuditWorld(paid_order(1))
    refunded_at_the_dashboard(world)
    world.rows.append(RefundRow(identity(9, "3"), PAYMENT, "re_9", "SUCCEEDED", 1085))
    world.change(PaymentRow, refunded=1085)
    assert {finding.rule.kind for finding in await differences_of(world, in_(tmp_path, "before"))} == {
        "money_differs",
        "refund_untold",
    }

    world.change(OrderRow, refunded=1085, state="REFUNDED")
    world.rows += [
        OrderRefundRow(ORDER, "1", "re_9", "SUCCEEDED", 1085, 85, f"{ORDER}-r1"),
        DocumentRow(f"{ORDER}-r1", "ReturnInvoice", "Committed", "USD", -1000, -85),
    ]
    told_of(world, "ORDER_REFUNDED")

    assert await differences_of(world, tmp_path) == []


async def test_money_on_a_declined_payment_is_a_difference_whatever_stripe_calls_it(tmp_path: Path) -> None:
    world = AuditWorld(declined_order(1))
    world.change(ChargeRow, state="PENDING", captured=1085)

    kinds = {finding.rule.kind for finding in await differences_of(world, tmp_path)}
    assert kinds >= {"ledger_differs"}


@pytest.mark.parametrize(("state", "remedies"), [("FAILED", (Remedy.RETRY_ORDER,)), ("PENDING", ())])
async def test_an_order_that_a_person_has_to_look_at_is_listed_as_such_and_not_as_moving(
    state: str, remedies: tuple[Remedy, ...], tmp_path: Path
) -> None:
    """What might charge a customer anew is left to the person."""
    world = AuditWorld(declined_order(1))
    world.change(OrderRow, state=state, needs_review=True)

    with book_in(tmp_path) as book:
        audit = await audit_of(world, book)
        (review,) = audit.findings(REVIEWS)

        assert (review.subject, audit.census().moving) == (ORDER, 0)
        assert review.rule.remedies == remedies


@pytest.mark.parametrize(("recorded", "words"), [(88, "0.03 USD more"), (80, "0.05 USD less")])
async def test_the_true_up_of_a_fallback_is_shown_and_is_no_difference(
    recorded: int, words: str, tmp_path: Path
) -> None:
    world = AuditWorld(paid_order(1))
    world.change(OrderRow, tax_source="FALLBACK", difference=recorded - 85)
    world.change(DocumentRow, tax=recorded)

    with book_in(tmp_path) as book:
        audit = await audit_of(world, book)
        (note,) = audit.findings(NOTES)

        assert list(audit.findings(DIFFERENCES)) == []
        assert words in note.what


@pytest.mark.parametrize("state", ["UNDELIVERABLE", "BOUNCED"])
async def test_a_mail_that_cannot_be_delivered_is_known_and_no_difference(state: str, tmp_path: Path) -> None:
    world = AuditWorld(paid_order(1))
    world.change(NotificationRow, state=state)

    with book_in(tmp_path) as book:
        audit = await audit_of(world, book)

        assert list(audit.findings(DIFFERENCES)) == []
        assert [note.rule.kind for note in audit.findings(NOTES)] == ["confirmation_undeliverable"]


async def test_a_mail_that_waits_for_sendgrid_is_counted_and_no_difference(tmp_path: Path) -> None:
    world = AuditWorld(paid_order(1))
    world.change(NotificationRow, state="ACCEPTED", sent=None, is_due=True)

    with book_in(tmp_path) as book:
        audit = await audit_of(world, book)

        assert list(audit.findings(DIFFERENCES)) == []
        assert audit.census().mails_waiting == 1


@pytest.mark.parametrize("empty", [True, False])
async def test_without_a_feed_mails_are_not_compared_and_that_is_told(empty: bool, tmp_path: Path) -> None:  # noqa: FBT001  (a parameter)
    world = AuditWorld(paid_order(1))
    world.drop(MailRow)
    world.no_feed = not empty

    with book_in(tmp_path) as book:
        audit = await audit_of(world, book)

        assert list(audit.findings(DIFFERENCES)) == []
        assert "activity feed" in audit.census().no_feed


async def test_what_a_list_shows_twice_counts_once(tmp_path: Path) -> None:
    world = AuditWorld(refunded_order(1))
    world.rows += world.rows

    with book_in(tmp_path) as book:
        audit = await audit_of(world, book)

        assert list(audit.findings(DIFFERENCES)) == []
        assert audit.census().turnovers[0].captured.minor_units == 1085
        assert [row["found"] for row in book.ask("SELECT count(*) AS found FROM refunds")] == [1]


async def test_money_is_matched_by_our_ledger_and_not_by_stripes_metadata(tmp_path: Path) -> None:
    world = AuditWorld(paid_order(1))
    world.change(ChargeRow, order_id="", payment_id="")

    assert await differences_of(world, tmp_path) == []
