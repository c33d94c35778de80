"""What the use cases rely on in `Taxes`, `Payments` and `Mails`: true of the fakes and of the gRPC adapters alike."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest
from google.protobuf.json_format import MessageToJson
from ordermesh.notify.v1 import notification_pb2, notify_service_pb2
from ordermesh.payment.v1 import payment_pb2, payment_service_pb2
from ordermesh.tax.v1 import tax_pb2, tax_service_pb2

from kernel.clock import SystemClock
from kernel.errors import Reason, Refusal
from kernel.outcome import Done, NotDone, Unknown
from order_svc.app.ports import Charge, MailNews, Page
from order_svc.domain.order import Order, Stage, State
from order_svc.domain.payment import Payment, PaymentState, RefundState
from order_svc.domain.refund import Refund, RefundKind
from order_svc.domain.task import Task, TaskKind
from order_svc.domain.tax import Recorded, Tax, TaxSource
from tests.fakes.order_adapters import Ports, adapters
from tests.fakes.order_faults import Lost
from tests.fakes.order_payments import DECLINED, NEEDS_ACTION, UNKNOWN_METHOD, FakePayments
from tests.fakes.order_peers import Peers
from tests.fakes.order_ports import NOWHERE, FakeMails, FakeTaxes
from tests.fakes.order_samples import ORDER_ID, VISA, a_draft, a_payment, a_tax, an_order, euros

CLOCK = SystemClock()

CONFIRMATION = Task(ORDER_ID, TaskKind.SEND_CONFIRMATION)


@pytest.fixture(params=["fake", "grpc"])
async def ports(request: pytest.FixtureRequest) -> AsyncIterator[Ports]:
    """Return the ports on fakes, and then on adapters that call real servers."""
    if request.param == "fake":
        world = Peers(FakeTaxes(), FakePayments(CLOCK), FakeMails())
        yield Ports(world.taxes, world.payments, world.mails, world)
        return
    async with adapters() as made:
        yield made


def a_charge(payment_method: str = VISA, amount: int = 7075) -> Charge:
    not_after = CLOCK.now() + timedelta(seconds=29)
    return Charge(f"{ORDER_ID}:charge", ORDER_ID, euros(amount), payment_method, not_after)


def paid() -> Order:
    order = an_order(Stage.SETTLED, state=State.PAID)
    return replace(order, payment=a_payment(euros(7075)))


async def charged(ports: Ports, payment_method: str = VISA) -> Payment:
    outcome = await ports.payments.charge(a_charge(payment_method))
    assert isinstance(outcome, Done)
    return outcome.value


async def test_a_quote_gives_the_tax_of_every_line(ports: Ports) -> None:
    draft = a_draft()

    assert await ports.taxes.quote(draft) == Done(a_tax(draft))


async def test_an_address_that_is_nowhere_is_refused_in_the_fields_of_the_order(ports: Ports) -> None:
    draft = a_draft()
    draft = replace(draft, ship_to=replace(draft.ship_to, postal_code=NOWHERE))

    outcome = await ports.taxes.quote(draft)

    assert isinstance(outcome, NotDone)
    assert outcome.reason.reason is Reason.ADDRESS_INVALID
    assert [each.field for each in outcome.reason.fields] == ["ship_to.postal_code"]
    assert outcome.reason.message == "ship_to.postal_code: is no such place"


async def test_a_committed_sale_has_a_document(ports: Ports) -> None:
    order = paid()

    assert await ports.taxes.commit(order) == Done(Recorded(order.order_id, euros(0)))
    assert ports.world.taxes.documents == {order.order_id: euros(1178)}


async def test_a_charge_that_goes_well_is_told_with_all_its_facts(ports: Ports) -> None:
    assert await charged(ports) == a_payment(euros(7075))


async def test_a_declined_charge_is_an_answer(ports: Ports) -> None:
    payment = await charged(ports, DECLINED)

    assert (payment.state, payment.decline_code) == (PaymentState.DECLINED, "insufficient_funds")
    assert payment.decline_message == "Your card has insufficient funds."


async def test_a_charge_that_needs_its_customer_brings_what_the_browser_needs(ports: Ports) -> None:
    payment = await charged(ports, NEEDS_ACTION)

    assert (payment.state, payment.client_secret) == (PaymentState.ACTION_REQUIRED, "pi_secret")


async def test_a_payment_method_that_is_unknown_is_refused_naming_the_field(ports: Ports) -> None:
    outcome = await ports.payments.charge(a_charge(UNKNOWN_METHOD))

    assert isinstance(outcome, NotDone)
    assert outcome.reason.reason is Reason.PAYMENT_METHOD_INVALID
    assert [each.field for each in outcome.reason.fields] == ["payment_method"]


async def test_a_charge_that_begins_too_late_is_not_made(ports: Ports) -> None:
    late = replace(a_charge(), not_after=CLOCK.now() - timedelta(seconds=1))

    outcome = await ports.payments.charge(late)

    assert isinstance(outcome, NotDone)
    assert outcome.reason.reason is Reason.VERSION_MISMATCH
    assert ports.world.payments.captures == []


async def test_a_charge_that_is_repeated_is_the_same_charge(ports: Ports) -> None:
    first = await charged(ports)
    second = await charged(ports)

    assert first == second
    assert len(ports.world.payments.captures) == 1


@pytest.mark.parametrize("state", PaymentState)
async def test_a_payment_is_read_in_every_state(ports: Ports, state: PaymentState) -> None:
    payment = a_payment(euros(7075), state)
    ports.world.payments.payments[ORDER_ID] = payment

    assert await ports.payments.read(payment.payment_id, f"{ORDER_ID}:read:3") == Done(payment)
    assert ports.world.payments.reads == [f"{ORDER_ID}:read:3"]


async def test_a_payment_that_does_not_exist_cannot_be_read(ports: Ports) -> None:
    outcome = await ports.payments.read(ORDER_ID, "k")

    assert isinstance(outcome, NotDone)
    assert outcome.reason.reason is Reason.PAYMENT_NOT_FOUND


async def test_a_payment_is_given_up_before_its_money_moves(ports: Ports) -> None:
    payment = await charged(ports, NEEDS_ACTION)

    outcome = await ports.payments.cancel(payment.payment_id, "k")

    assert isinstance(outcome, Done)
    assert outcome.value.state is PaymentState.CANCELLED


async def test_a_payment_whose_money_has_moved_is_not_given_up(ports: Ports) -> None:
    payment = await charged(ports)

    outcome = await ports.payments.cancel(payment.payment_id, "k")

    assert isinstance(outcome, Done)
    assert (outcome.value.state, outcome.value.captured) == (PaymentState.SUCCEEDED, euros(7075))


async def test_a_refund_gives_everything_back_once(ports: Ports) -> None:
    payment = await charged(ports)

    first = await ports.payments.refund(payment.payment_id, "k")
    second = await ports.payments.refund(payment.payment_id, "k")

    assert isinstance(first, Done)
    assert first == second
    assert (first.value.payment, first.value.failed) == (replace(payment, refunded=euros(7075)), False)
    assert len(ports.world.payments.refunds) == 1


async def test_two_refunds_under_two_keys_are_two(ports: Ports) -> None:
    payment = await charged(ports)
    await ports.payments.refund(payment.payment_id, "k-1")
    ports.world.payments.bank_returns(ORDER_ID)

    again = await ports.payments.refund(payment.payment_id, "k-1")
    anew = await ports.payments.refund(payment.payment_id, "k-2")

    assert isinstance(again, Done)
    assert isinstance(anew, Done)
    assert (again.value.payment, again.value.failed) == (payment, True)
    assert (anew.value.payment, anew.value.failed) == (replace(payment, refunded=euros(7075)), False)
    assert len(ports.world.payments.refunds) == 2


async def test_news_is_listed_until_the_version_that_was_seen_is_acknowledged(ports: Ports) -> None:
    await charged(ports, NEEDS_ACTION)
    assert await ports.payments.news() == Done(Page([]))
    ports.world.payments.customer_pays(ORDER_ID)

    heard = await ports.payments.news()
    assert isinstance(heard, Done)
    (news,) = heard.value.items
    assert (news.order_id, news.payment) == (ORDER_ID, a_payment(euros(7075)))
    assert news.payment.version == ports.world.payments.payments[ORDER_ID].version == 2
    ports.world.payments.refunded_by_hand(ORDER_ID, euros(1))
    assert await ports.payments.acknowledge(news.payment) == Done(None)

    heard = await ports.payments.news()
    assert isinstance(heard, Done)
    assert [each.payment.version for each in heard.value.items] == [3]
    assert await ports.payments.acknowledge(heard.value.items[0].payment) == Done(None)
    assert await ports.payments.news() == Done(Page([]))


async def test_nothing_is_refunded_that_was_not_taken(ports: Ports) -> None:
    payment = await charged(ports, NEEDS_ACTION)

    outcome = await ports.payments.refund(payment.payment_id, "k")

    assert isinstance(outcome, NotDone)
    assert outcome.reason.reason is Reason.ILLEGAL_STATE


async def test_a_confirmation_is_one_notification_however_often_it_is_asked_for(ports: Ports) -> None:
    first = await ports.mails.send(paid(), CONFIRMATION)
    second = await ports.mails.send(paid(), CONFIRMATION)

    assert isinstance(first, Done)
    assert first == second
    assert ports.world.mails.asked == [f"{ORDER_ID}:confirmation"] * 2


@pytest.mark.parametrize("call", ["quote", "commit", "charge", "send"])
async def test_what_is_not_known_is_said_to_be_not_known(ports: Ports, call: str) -> None:
    world = ports.world
    for fake in (world.taxes, world.payments, world.mails):
        fake.faults.plan(call, *[Lost.ANSWER] * 3)

    outcome: object
    match call:
        case "quote":
            outcome = await ports.taxes.quote(a_draft())
        case "commit":
            outcome = await ports.taxes.commit(paid())
        case "charge":
            outcome = await ports.payments.charge(a_charge())
        case _:
            outcome = await ports.mails.send(paid(), CONFIRMATION)

    assert isinstance(outcome, Unknown)
    assert outcome.cause


async def test_a_refusal_that_is_about_the_call_alone_leaves_the_outcome_open() -> None:
    async with adapters() as ports:
        ports.world.payments.faults.plan("charge", *[Refusal(Reason.OVERLOADED, "busy", retry_after=3.0)] * 3)

        assert await ports.payments.charge(a_charge()) == Unknown("rpc OVERLOADED", 3.0)


async def test_a_peer_that_is_away_leaves_the_outcome_open() -> None:
    async with adapters() as ports:
        await ports.world.stop()

        for outcome in (await ports.taxes.quote(a_draft()), await ports.mails.send(paid(), CONFIRMATION)):
            assert isinstance(outcome, Unknown)


@pytest.mark.parametrize("method", ["QuoteTax", "ChargePayment"])
async def test_an_answer_that_cannot_be_read_leaves_the_outcome_open(method: str) -> None:
    """An empty one: no currency, and a state that nobody sends."""
    async with adapters() as ports:
        ports.world.answers["QuoteTax"] = tax_service_pb2.QuoteTaxResponse()
        ports.world.answers["ChargePayment"] = payment_service_pb2.ChargePaymentResponse()

        call = {"QuoteTax": ports.taxes.quote(a_draft()), "ChargePayment": ports.payments.charge(a_charge())}
        outcomes = {name: await awaitable for name, awaitable in call.items()}

        outcome = outcomes[method]
        assert isinstance(outcome, Unknown)
        assert outcome.cause.startswith("unreadable answer")
        assert len(outcome.cause) < 200


async def test_news_that_cannot_be_read_hides_no_other(caplog: pytest.LogCaptureFixture) -> None:
    async with adapters() as ports:
        await charged(ports, NEEDS_ACTION)
        ports.world.payments.customer_pays(ORDER_ID)
        answer = payment_service_pb2.ListPaymentNewsResponse(payments=[payment_pb2.Payment(payment_id="newer")])
        ports.world.answers["ListPaymentNews"] = answer

        heard = await ports.payments.news()

    assert isinstance(heard, Done)
    assert [news.order_id for news in heard.value.items] == [ORDER_ID]
    assert [record.message for record in caplog.records] == ["news.unreadable"]


async def test_mail_news_that_cannot_be_read_hides_no_other(caplog: pytest.LogCaptureFixture) -> None:
    async with adapters() as ports:
        ports.world.mails.unheard.append(MailNews(ORDER_ID, "n-1", 1, "order_confirmation", "bounced", ""))
        newer = notification_pb2.Notification(notification_id="newer", kind=cast("Any", 99))
        answer = notify_service_pb2.ListNotificationNewsResponse(notifications=[newer])
        ports.world.answers["ListNotificationNews"] = answer

        heard = await ports.mails.news()

    assert isinstance(heard, Done)
    assert [news.notification_id for news in heard.value.items] == ["n-1"]
    assert [record.message for record in caplog.records] == ["mail_news.unreadable"]


async def test_a_quote_says_where_its_figure_comes_from() -> None:
    draft = a_draft()
    async with adapters() as ports:
        answer = tax_service_pb2.QuoteTaxResponse()
        answer.quote.total_tax.currency_code = "EUR"
        answer.quote.source = tax_pb2.TAX_SOURCE_FALLBACK
        ports.world.answers["QuoteTax"] = answer

        assert await ports.taxes.quote(draft) == Done(Tax(euros(0), TaxSource.FALLBACK, ()))


async def test_a_mail_of_a_refund_says_the_same_however_often_it_is_asked_for() -> None:
    sent = [
        Refund(number, RefundKind.ASKED, (), euros(100 * number), CLOCK.now(), state=RefundState.SUCCEEDED)
        for number in (1, 2, 3)
    ]
    released = replace(sent[1], kind=RefundKind.RELEASED)
    task = Task(ORDER_ID, TaskKind.SEND_REFUNDED, number=3)
    async with adapters() as ports:
        for refunds in (sent, [*sent, replace(sent[0], number=4)]):
            await ports.mails.send(replace(paid(), refunds=tuple(refunds)), task)
        await ports.mails.send(replace(paid(), refunds=(sent[0], released, sent[2])), task)

        first, again, held = ports.world.of(notify_service_pb2.SendNotificationRequest)
    assert first == again
    assert (first.refund.amount.minor_units, first.refund.total.minor_units) == (300, 600)
    assert held.refund.total.minor_units == 400


@pytest.mark.parametrize(("metadata", "accepted"), [({"notificationId": "n-1"}, True), ({}, False)])
async def test_a_mail_that_was_asked_for_in_other_words_before_is_that_mail(
    metadata: dict[str, str], *, accepted: bool
) -> None:
    async with adapters() as ports:
        ports.world.mails.faults.plan("send", Refusal(Reason.REQUEST_ID_REUSED, "used", metadata=metadata))

        outcome = await ports.mails.send(paid(), CONFIRMATION)

    assert outcome == Done("n-1") if accepted else isinstance(outcome, NotDone)


async def test_requests_say_everything_that_the_peers_need() -> None:
    draft = a_draft()
    async with adapters() as ports:
        await ports.taxes.quote(draft)
        await ports.payments.charge(a_charge())
        await ports.mails.send(paid(), CONFIRMATION)

        (quote,) = ports.world.of(tax_service_pb2.QuoteTaxRequest)
        (charge,) = ports.world.of(payment_service_pb2.ChargePaymentRequest)
        (mail,) = ports.world.of(notify_service_pb2.SendNotificationRequest)
    basis = quote.basis
    assert (basis.customer_id, basis.currency_code, basis.ship_to.postal_code) == ("c-1", "EUR", "75001")
    assert [(line.line_id, line.sku, line.quantity, line.amount.minor_units) for line in basis.lines] == [
        ("1", "mug", 2, 3998),
        ("2", "hat", 1, 1899),
    ]
    assert (charge.request_id, charge.order_id, charge.payment_method) == (f"{ORDER_ID}:charge", ORDER_ID, VISA)
    assert charge.not_after.ToSeconds() > CLOCK.now().timestamp()
    assert (mail.recipient_email, mail.recipient_name) == ("ada@example.com", "Ada Lovelace")
    assert [(line.description, line.quantity, line.amount.minor_units) for line in mail.order.lines] == [
        ("A mug", 2, 3998),
        ("hat", 1, 1899),
    ]
    sums = json.loads(MessageToJson(mail.order, preserving_proto_field_name=True))
    assert [int(sums[name]["minor_units"]) for name in ("subtotal", "tax", "total")] == [5897, 1178, 7075]
    assert mail.order.ship_to.line1 == "1 rue de Rivoli"
