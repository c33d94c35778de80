"""Orders and their stories as a person reads them."""

from io import StringIO

import pytest
from rich.console import Console, RenderableType

from cli import order_view, story_view
from cli.console import console
from cli.value_view import money
from tests.fakes.order_documents import (
    ORDER_ID,
    a_refund,
    a_shipment,
    a_task,
    an_alert,
    an_event,
    an_order,
    unsettled,
    usd,
)


def text(view: RenderableType) -> str:
    out = Console(file=StringIO(), width=140, highlight=False, markup=False)
    out.print(view)
    assert isinstance(out.file, StringIO)
    return out.file.getvalue()


def story(**changes: object) -> dict[str, object]:
    document = {"order": an_order(), "events": [an_event("order.placed")], "tasks": [], "trace_ids": []}
    return {**document, **changes}


def test_an_order_shows_what_was_bought_what_it_costs_and_how_it_is_paid() -> None:
    shown = text(order_view.order(an_order()))

    for fact in (ORDER_ID, "PAID", "c-1", "pm_card_visa pi_1", "web-1", "2026-03-01 09:30:05Z", "(version 3)"):
        assert fact in shown
    for amount in ("12.50 USD", "25.00 USD", "1.63 USD", "26.63 USD", "tax (AVATAX)"):
        assert amount in shown
    assert "refunded" not in shown


def test_no_personal_data_is_shown() -> None:
    assert "ann@example.com" not in text(order_view.order(an_order())) + text(order_view.orders([an_order()]))


def test_a_failed_order_says_why() -> None:
    failure = {"reason": "PAYMENT_DECLINED", "decline_code": "insufficient_funds", "message": "No funds."}
    order = an_order(state="FAILED", failure=failure)

    assert "PAYMENT_DECLINED (insufficient_funds): No funds." in text(order_view.order(order))
    assert "No funds." in text(order_view.line(order))


def test_an_order_that_was_given_back_in_part_shows_how_much() -> None:
    assert "refunded" in text(order_view.order(an_order(refunded=usd(500))))


def test_an_order_without_tax_yet_has_no_total() -> None:
    assert "total" not in text(order_view.order(unsettled())).replace("subtotal", "")


def test_the_list_shows_ids_whole_and_marks_what_a_person_has_to_look_at() -> None:
    shown = text(order_view.orders([an_order(needs_review=True), unsettled(reference="")]))

    assert shown.count(ORDER_ID) == 2
    assert "PAID needs review" in shown
    assert money(None) == "-"


def test_an_order_shows_what_was_shipped_and_what_has_arrived() -> None:
    second = a_shipment(
        shipment_id="2",
        items=[{"sku": "TEE", "quantity": 1}],
        carrier="",
        tracking_number="",
        deliver_time="2026-03-05T08:00:00Z",
    )

    shown = text(order_view.order(an_order(state="PROCESSING", shipments=[a_shipment(), second])))

    assert "Shipments" in shown
    first, other = shown.splitlines()[-2:]
    assert [word in first for word in ("2 x MUG", "DHL", "00340434161094042557", "2026-03-02", "on its way")] == [
        True
    ] * 5
    assert "2026-03-05 08:00:00Z" in other
    assert "2 shipped, 1 arrived" in text(order_view.line(an_order(shipments=[a_shipment(), second])))


def test_an_order_shows_every_refund_and_why_one_has_failed() -> None:
    failed = a_refund(refund_id="2", items=[], state="FAILED", failure_reason="lost_or_stolen_card", reason="")
    by_hand = a_refund(refund_id="3", external=True, reason="")
    order = an_order(refunds=[a_refund(), failed, by_hand], refunded=usd(2664))

    lines = text(order_view.order(order)).splitlines()[-3:]

    for words, line in zip(
        [
            ("13.32 USD", "0.82 USD", "SUCCEEDED", "1 x MUG", "re_1", "broken"),
            ("FAILED", "an amount", "lost_or_stolen_card"),
            ("made outside of Ordermesh",),
        ],
        lines,
        strict=True,
    ):
        assert all(word in line for word in words), line
    assert "26.64 USD given back" in text(order_view.line(order))


def test_an_order_shows_what_the_customers_bank_asks_back_and_until_when() -> None:
    dispute = {
        "provider_dispute_id": "du_1",
        "state": "NEEDS_RESPONSE",
        "amount": usd(2663),
        "reason": "fraudulent",
        "evidence_due_time": "2026-03-20T00:00:00Z",
        "create_time": "2026-03-10T00:00:00Z",
    }

    shown = text(order_view.order(an_order(payment={"payment_method": "pm_1", "disputes": [dispute]})))

    line = shown.splitlines()[-1]
    for word in ("2026-03-10", "26.63 USD", "NEEDS_RESPONSE", "fraudulent", "2026-03-20 00:00:00Z", "du_1"):
        assert word in line


def test_an_order_shows_its_alerts_and_is_marked_by_them() -> None:
    order = an_order(alerts=[an_alert("mail.bounced", message="The confirmation came back.")])

    assert "mail.bounced" in text(order_view.order(order))
    assert "The confirmation came back." in text(order_view.order(order))
    assert "PAID alert" in text(order_view.orders([order]))


def test_an_order_shows_what_was_taken_let_go_and_held() -> None:
    held = {"payment_method": "pm_1", "hold_expire_time": "2026-03-08T09:30:05Z", "captured": usd(0)}
    taken = {"payment_method": "pm_1", "captured": usd(1332), "released": usd(1331)}
    declined = {"payment_method": "pm_1", "decline_code": "insufficient_funds"}

    assert "held, can be taken until 2026-03-08 09:30:05Z" in text(order_view.order(an_order(payment=held)))
    assert "13.32 USD taken, 13.31 USD let go" in text(order_view.order(an_order(payment=taken)))
    assert "declined: insufficient_funds" in text(order_view.order(an_order(payment=declined)))


def test_an_order_shows_its_version_its_etag_and_what_the_shop_wrote_on_it() -> None:
    changes = {
        "etag": "e3",
        "note": "Call first.",
        "metadata": {"b": "2", "a": "1"},
        "expire_time": "2026-03-02T09:30:05Z",
    }

    shown = text(order_view.order(an_order(**changes)))

    assert "(version 3, etag e3)" in shown
    assert "(version 3)" in text(order_view.order(an_order(etag="3")))
    assert "a=1  b=2" in shown
    assert "Call first." in shown
    assert "2026-03-02 09:30:05Z, unless the customer acts" in shown


def test_tax_in_the_prices_is_shown_as_included() -> None:
    assert "tax (AVATAX, included)" in text(order_view.order(an_order(prices_include_tax=True)))


def test_words_in_square_brackets_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    note = "[bold]gift[/bold] [/nothing]"

    console().print(order_view.order(an_order(note=note, reference=note, shipments=[a_shipment(carrier=note)])))

    assert capsys.readouterr().out.count(note) == 3


def test_an_empty_list_says_so() -> None:
    assert text(order_view.orders([])) == "No orders.\n"


def test_the_story_tells_events_in_sentences_with_their_facts_and_distance() -> None:
    events = [
        an_event("order.placed", items="2"),
        an_event("charge.retried", "2026-03-01T09:30:07.500Z", cause="timeout"),
        an_event("something.new", "2026-03-01T09:30:08Z"),
    ]

    shown = text(story_view.story(story(events=events)))

    assert "The order was accepted and stored." in shown
    assert "items=2" in shown
    assert "+2.250 s" in shown
    assert "tried again" in shown or "asked for again" in shown
    assert "something.new" in shown, "a word that the command does not know is shown as it is"


def test_the_story_says_what_became_of_the_money() -> None:
    assert "26.63 USD was charged." in text(story_view.story(story()))
    assert "nothing was charged" in text(story_view.story(story(order=unsettled())))
    pending = an_order(state="PENDING", payment={"payment_method": "pm_card_visa"})
    assert "26.63 USD is due; nothing was charged" in text(story_view.story(story(order=pending)))
    refunded = an_order(refunded=usd(663))
    assert "26.63 USD was charged, 6.63 USD was given back." in text(story_view.story(story(order=refunded)))
    held = an_order(payment={"hold_expire_time": "2026-03-08T09:30:05Z", "captured": usd(0)})
    assert "26.63 USD is held until 2026-03-08 09:30:05Z; nothing was charged" in text(
        story_view.story(story(order=held))
    )
    in_part = an_order(payment={"captured": usd(1332), "released": usd(1331), "state": "SUCCEEDED"})
    assert "13.32 USD was charged, 13.31 USD was let go." in text(story_view.story(story(order=in_part)))


def test_the_story_says_what_is_still_to_be_done_and_when() -> None:
    tasks = [
        a_task(),
        a_task(done=False, attempts=3, last_error="timeout", next_attempt_time="2026-03-01T09:31:00Z"),
        a_task(done=False, attempts=9),
    ]

    shown = text(story_view.story(story(tasks=tasks, next_attempt_time="2026-03-01T09:30:30.125Z")))

    assert "done doc-1" in shown
    assert "next try at 09:31:00.000Z (timeout)" in shown
    assert "given up" in shown
    assert "it is looked at next at 2026-03-01 09:30:30.125Z" in shown


def parked() -> dict[str, object]:
    events = [
        an_event("order.placed"),
        an_event("refund.refused", "2026-03-01T09:30:07Z", reason="ILLEGAL_STATE"),
        an_event("refund.retried", "2026-03-01T09:30:08Z", cause="timeout"),
    ]
    return story(order=an_order(state="FAILED", needs_review=True), events=events)


def test_the_story_of_a_parked_order_says_why_and_what_takes_it_up_again() -> None:
    shown = text(story_view.story(parked()))

    assert (
        "FAILED needs review\nThe money could not be given back; a person has to look at it. (ILLEGAL_STATE)" in shown
    )
    assert f"ordermesh order retry {ORDER_ID}" in shown
    assert "order retry" not in text(story_view.story(story()))


def test_the_list_of_orders_to_look_at_says_what_is_wrong_with_each() -> None:
    unexplained = story(order=an_order(needs_review=True))

    shown = text(story_view.reviews([parked(), unexplained]))

    assert shown.count(ORDER_ID) == 2
    assert "2026-03-01 09:30:07Z" in shown
    assert "(ILLEGAL_STATE)" in shown
    assert "A person has to look at it." in shown
    assert text(story_view.reviews([])) == "No orders.\n"


def test_the_story_lists_the_traces() -> None:
    shown = text(story_view.story(story(trace_ids=["a" * 32])))

    assert "a" * 32 in shown
    assert f"ordermesh trace {ORDER_ID}" in shown
