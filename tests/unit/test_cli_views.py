"""Orders and their stories as a person reads them."""

from io import StringIO

from rich.console import Console, RenderableType

from cli import order_view, story_view
from tests.fakes.order_documents import ORDER_ID, a_task, an_event, an_order, unsettled, usd


def text(view: RenderableType) -> str:
    out = Console(file=StringIO(), width=140, highlight=False)
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
    assert order_view.money(None) == "-"


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
