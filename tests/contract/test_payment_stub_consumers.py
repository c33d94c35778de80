"""What other teams do with the synchronous generated stubs: call, read the payment, read why it was refused."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import grpc
import grpc_testing
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from ordermesh.payment.v1 import payment_pb2, payment_service_pb2, payment_service_pb2_grpc
from ordermesh.type.v1 import money_pb2

from chassis.errors import to_grpc_status
from kernel.errors import Reason, Refusal
from kernel.money import Money
from payment_svc import wire
from payment_svc.app.ports import AmountRefused
from payment_svc.app.refusals import amount_refused
from payment_svc.domain.intent import Decline, DeclineKind, Intent, IntentStatus, NewIntent
from payment_svc.domain.opening import opened
from payment_svc.domain.payment import Payment, payment_id_of

_SERVICE = payment_service_pb2.DESCRIPTOR.services_by_name["PaymentService"]
_ORDER = "0199a0b0-0000-7000-8000-000000000001"
_NOW = datetime(2026, 11, 23, tzinfo=UTC)
_AMOUNT = Money("EUR", 1099)

_CHARGE = payment_service_pb2.ChargePaymentRequest(
    request_id="r1",
    order_id=_ORDER,
    amount=money_pb2.Money(currency_code="EUR", minor_units=1099),
    payment_method="pm_card_visa",
)


@dataclass(frozen=True, slots=True)
class Consumer:
    """Somebody with a synchronous stub, and the channel between him and us."""

    stub: payment_service_pb2_grpc.PaymentServiceStub
    channel: Any
    thread: ThreadPoolExecutor

    def call(self, method: str, request: object, answer: Callable[[Any], None]) -> Any:  # noqa: ANN401  (a message)
        """Call a method in the consumer's thread, answer it in ours, and return what the consumer gets."""
        call = self.thread.submit(lambda: getattr(self.stub, method)(request, timeout=5))
        _, received, rpc = self.channel.take_unary_unary(_SERVICE.methods_by_name[method])
        assert received == request
        rpc.send_initial_metadata(())
        answer(rpc)
        return call.result(timeout=5)


@pytest.fixture
def consumer() -> Iterator[Consumer]:
    channel = grpc_testing.channel([_SERVICE], grpc_testing.strict_fake_time(0))
    with ThreadPoolExecutor(1) as thread:
        yield Consumer(payment_service_pb2_grpc.PaymentServiceStub(channel), channel, thread)


def payment(intent: Intent | None = None) -> Payment:
    new = NewIntent(payment_id_of(_ORDER), _ORDER, _AMOUNT)
    made = opened(new, _intent(IntentStatus.UNCONFIRMED), payment_method="pm_1", now=_NOW)
    return made if intent is None else made.seen(intent, _NOW)


def _intent(status: IntentStatus, failure: Decline | None = None) -> Intent:
    captured = _AMOUNT if status is IntentStatus.SUCCEEDED else Money("EUR", 0)
    return Intent("pi_1", payment_id_of(_ORDER), _ORDER, status, _AMOUNT, captured, failure, "secret")


def answering(what: Payment) -> Callable[[Any], None]:
    response = payment_service_pb2.ChargePaymentResponse(payment=wire.payment_to_wire(what))
    return lambda rpc: rpc.terminate(response, (), grpc.StatusCode.OK, "")


def refusing(refusal: Refusal) -> Callable[[Any], None]:
    status = to_grpc_status(refusal)
    return lambda rpc: rpc.terminate(None, status.trailing_metadata, status.code, status.details)


def test_a_paid_order_is_read_from_the_answer(consumer: Consumer) -> None:
    paid = payment(_intent(IntentStatus.SUCCEEDED))

    answer = consumer.call("ChargePayment", _CHARGE, answering(paid))

    assert answer.payment.state == payment_pb2.PAYMENT_STATE_SUCCEEDED
    assert answer.payment.captured == _CHARGE.amount
    assert answer.payment.provider_payment_id == "pi_1"
    assert not answer.payment.HasField("decline")


def test_a_decline_is_an_answer_and_raises_nothing(consumer: Consumer) -> None:
    decline = Decline(DeclineKind.ISSUER, "card_declined", "insufficient_funds", "Your card was declined.", "ch_1")

    answer = consumer.call("ChargePayment", _CHARGE, answering(payment(_intent(IntentStatus.UNCONFIRMED, decline))))

    assert answer.payment.state == payment_pb2.PAYMENT_STATE_DECLINED
    assert answer.payment.decline.decline_code == "insufficient_funds"


def test_a_refusal_says_reason_fields_and_facts_in_its_details(consumer: Consumer) -> None:
    refusal = amount_refused(Money("EUR", 10), AmountRefused(minimum=50))

    with pytest.raises(grpc.RpcError) as failed:
        consumer.call("ChargePayment", _CHARGE, refusing(refusal))

    error = failed.value
    assert isinstance(error, grpc.Call)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    info, fields = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    status = rpc_status.from_call(error)
    assert status is not None
    assert status.details[0].Unpack(info)
    assert status.details[1].Unpack(fields)
    assert (info.reason, dict(info.metadata)) == ("AMOUNT_OUT_OF_RANGE", {"minimumMinorUnits": "50"})
    assert fields.field_violations[0].field == "amount.minor_units"


def test_an_open_outcome_says_when_to_ask_again(consumer: Consumer) -> None:
    refusal = Refusal(Reason.UNAVAILABLE, "Not known yet.", retry_after=1.5)

    with pytest.raises(grpc.RpcError) as failed:
        consumer.call("ChargePayment", _CHARGE, refusing(refusal))

    error = failed.value
    assert isinstance(error, grpc.Call)
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    retry = error_details_pb2.RetryInfo()
    status = rpc_status.from_call(error)
    assert status is not None
    assert status.details[1].Unpack(retry)
    assert retry.retry_delay.ToTimedelta().total_seconds() == 1.5


def test_every_method_of_the_contract_is_on_the_stub(consumer: Consumer) -> None:
    assert {method.name for method in _SERVICE.methods} <= set(vars(consumer.stub))
