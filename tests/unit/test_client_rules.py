"""What ordermesh.client decides without a socket: classes of errors, deadlines, pauses, amounts, channel options."""

import tomllib
from decimal import Decimal
from pathlib import Path

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.message_factory import GetMessageClass
from hypothesis import given
from hypothesis import strategies as st
from ordermesh.client import (
    IllegalState,
    NotFound,
    OrdermeshError,
    Policy,
    RefundExceedsPayment,
    Unavailable,
    ValidationFailed,
    money,
)
from ordermesh.client.calls import Call, Calls, services
from ordermesh.client.channels import CHANNEL_OPTIONS, options
from ordermesh.client.errors import Failure, Refused, raised_for
from ordermesh.order.v1 import order_service_pb2

from chassis.errors import _OPEN_REASONS, CODES
from chassis.server import SERVER_OPTIONS
from kernel.errors import Reason
from kernel.money import _DIGITS, Money

ROOT = Path(__file__).parents[2]

OK_AFTER_MENDING = {Reason.OVERLOADED, Reason.NOT_IMPLEMENTED, Reason.UNAUTHENTICATED, Reason.PERMISSION_DENIED}


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_of_the_contract_has_a_class_that_says_whether_it_is_settled(reason: Reason) -> None:
    error = raised_for(Failure(CODES[reason], "…", reason.value))

    assert type(error) not in (OrdermeshError, Refused)
    assert error.outcome_unknown is (reason in _OPEN_REASONS - OK_AFTER_MENDING)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, ValidationFailed),
        (grpc.StatusCode.NOT_FOUND, NotFound),
        (grpc.StatusCode.FAILED_PRECONDITION, Refused),
        (grpc.StatusCode.UNAVAILABLE, Unavailable),
        (grpc.StatusCode.DATA_LOSS, OrdermeshError),
    ],
)
def test_a_reason_that_is_newer_than_the_client_is_of_its_codes_class(
    code: grpc.StatusCode, kind: type[OrdermeshError]
) -> None:
    assert type(raised_for(Failure(code, "…", "NEWER_THAN_THIS"))) is kind


@pytest.mark.parametrize("code", [grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.UNKNOWN])
def test_what_no_service_of_ours_said_proves_nothing(code: grpc.StatusCode) -> None:
    assert raised_for(Failure(code, "said a proxy")).outcome_unknown


def test_facts_that_are_missing_or_malformed_do_no_harm() -> None:
    exceeds = raised_for(Failure(grpc.StatusCode.FAILED_PRECONDITION, "…", "REFUND_EXCEEDS_PAYMENT"))
    odd = raised_for(
        Failure(grpc.StatusCode.FAILED_PRECONDITION, "…", "REFUND_EXCEEDS_PAYMENT", (), {"refundableMinorUnits": "x"})
    )
    illegal = raised_for(Failure(grpc.StatusCode.FAILED_PRECONDITION, "…", "ILLEGAL_STATE"))

    assert isinstance(exceeds, RefundExceedsPayment)
    assert isinstance(odd, RefundExceedsPayment)
    assert isinstance(illegal, IllegalState)
    assert exceeds.refundable_minor_units is odd.refundable_minor_units is None
    assert (illegal.state, illegal.allowed, illegal.order_id) == ("", (), "")


def deadline(path: str, policy: Policy) -> float | None:
    (method,) = (each for service in services() for each in service.methods if f"{service.name}/{each.name}" == path)
    message = GetMessageClass(method.input_type)()
    return (
        Calls(policy, None)
        .begin(f"/{method.containing_service.full_name}/{method.name}", message, None, None)
        .remaining()
    )


@pytest.mark.parametrize(
    ("path", "seconds"),
    [
        ("OrderService/GetOrder", 10.0),
        ("OrderService/PlaceOrder", 20.0),
        ("PaymentService/ChargePayment", 20.0),
        ("WebhookService/ListWebhookEndpoints", 10.0),
        ("OrderService/WatchOrder", None),
    ],
)
def test_what_an_rpc_is_decides_its_deadline(path: str, seconds: float | None) -> None:
    left = deadline(path, Policy())

    assert left == (seconds if seconds is None else pytest.approx(seconds, abs=1.0))


def test_deadlines_are_set_by_rpc_with_or_without_its_service() -> None:
    policy = Policy(timeouts={"GetOrder": 3.0, "OrderService/PlaceOrder": 40.0, "WatchOrder": 60.0})

    assert deadline("OrderService/GetOrder", policy) == pytest.approx(3.0, abs=1.0)
    assert deadline("OrderService/PlaceOrder", policy) == pytest.approx(40.0, abs=1.0)
    assert deadline("OrderService/WatchOrder", policy) == pytest.approx(60.0, abs=1.0)


def test_a_deadline_for_an_rpc_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="no such RPC: PlaceOdrer"):
        Calls(Policy(timeouts={"PlaceOdrer": 1.0}), None)


def test_a_method_that_says_nothing_of_repetition_is_never_sent_again() -> None:
    file = descriptor_pb2.FileDescriptorProto(name="test/unsafe.proto", package="test.unsafe", syntax="proto3")
    file.message_type.add(name="Ask")
    file.service.add(name="Unsafe").method.add(name="Do", input_type=".test.unsafe.Ask", output_type=".test.unsafe.Ask")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    method = pool.FindServiceByName("test.unsafe.Unsafe").methods_by_name["Do"]
    call = Call(method, GetMessageClass(method.input_type)(), 5.0, (), Policy())

    assert call.request_id == ""
    assert call.pause_after(raised_for(Failure(grpc.StatusCode.UNAVAILABLE, "…"))) is None


def test_attempts_are_counted() -> None:
    method = order_service_pb2.DESCRIPTOR.services_by_name["OrderService"].methods_by_name["GetOrder"]
    call = Call(method, order_service_pb2.GetOrderRequest(), None, (), Policy(attempts=3))
    away = raised_for(Failure(grpc.StatusCode.UNAVAILABLE, "…"))

    pauses = [call.pause_after(away) for _ in range(3)]

    assert [each is not None for each in pauses] == [True, True, False]


@given(failures=st.integers(1, 5000), asked=st.none() | st.floats(0, 100))
def test_pauses_grow_to_a_bound_and_never_undercut_the_service(failures: int, asked: float | None) -> None:
    policy = Policy()
    pause = policy.pause(failures, asked)

    assert policy.first_pause / 2 <= pause
    assert pause <= max(policy.longest_pause, 1.1 * (asked or 0.0))
    assert pause >= (asked or 0.0)


@pytest.mark.parametrize("currency", sorted(_DIGITS))
def test_amounts_agree_with_the_services_own_table(currency: str) -> None:
    digits = _DIGITS[currency]
    made = money(currency, Decimal(12345).scaleb(-digits))

    assert (made.currency_code, made.minor_units) == (currency, 12345)
    assert Money(currency, made.minor_units).to_decimal() == Decimal(12345).scaleb(-digits)
    with pytest.raises(ValueError, match="no unit as small"):
        money(currency, Decimal(1).scaleb(-digits - 1))


@given(st.integers(-(2**53), 2**53))
def test_amounts_are_exact(cents: int) -> None:
    assert money("USD", f"{Decimal(cents).scaleb(-2):f}").minor_units == cents


@pytest.mark.parametrize("text", ["", "1,50", "NaN", "Infinity", "1e400", "1e999999", "9" * 40])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no amount"):
        money("USD", text)


@pytest.mark.parametrize("text", ["49.995", "0.001", "1e-999999", "49.99" + "0" * 40 + "1"])
def test_what_is_finer_than_a_cent_is_never_rounded(text: str) -> None:
    with pytest.raises(ValueError, match="no unit as small"):
        money("USD", text)


def test_zeros_that_say_nothing_are_no_finer_unit() -> None:
    assert money("USD", "49.9900").minor_units == 4999
    assert money("JPY", "500.00").minor_units == 500
    assert money("USD", "-0.00").minor_units == 0
    assert money("USD", 5).minor_units == 500


def test_a_float_is_no_amount() -> None:
    with pytest.raises(TypeError, match="float"):
        money("USD", 49.99)  # type: ignore[arg-type]  # what the test is about


def test_pings_stay_within_what_the_services_allow() -> None:
    client, server = dict(CHANNEL_OPTIONS), dict(SERVER_OPTIONS)

    assert int(client["grpc.keepalive_time_ms"]) > int(server["grpc.http2.min_recv_ping_interval_without_data_ms"])


def test_a_callers_own_channel_options_take_the_place_of_ours() -> None:
    mine = dict(options([("grpc.keepalive_time_ms", 60_000), ("grpc.primary_user_agent", "shop")]))

    assert mine["grpc.keepalive_time_ms"] == 60_000
    assert mine["grpc.primary_user_agent"] == "shop"
    assert mine["grpc.max_reconnect_backoff_ms"] == 800


def test_the_client_is_linted_and_everything_generated_beside_it_is_not() -> None:
    areas = {path.name for path in (ROOT / "protos" / "ordermesh").iterdir() if path.is_dir()}
    left_out = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["extend-exclude"]

    assert set(left_out) == {"stubs/buf", *(f"stubs/ordermesh/{area}" for area in areas)}
    assert "client" not in areas
