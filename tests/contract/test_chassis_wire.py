"""The kernel's words on the wire: nothing is lost, and nothing that does not exist gets in."""

from datetime import UTC, datetime

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st
from ordermesh.order.v1 import order_service_pb2
from ordermesh.type.v1 import address_pb2, money_pb2

from chassis.wire import (
    address_from_wire,
    address_to_wire,
    fingerprint,
    money_from_wire,
    money_to_wire,
    time_from_wire,
    time_to_wire,
)
from kernel.address import Address
from kernel.errors import Refusal
from kernel.money import Money

TEXT = st.text(max_size=20)


@given(st.integers(-(2**63), 2**63 - 1), st.sampled_from(["EUR", "JPY", "KWD"]))
def test_money_survives_the_wire(minor_units: int, currency_code: str) -> None:
    money = Money(currency_code, minor_units)
    sent = money_pb2.Money.FromString(money_to_wire(money).SerializeToString())

    assert money_from_wire(sent, "x") == money


@pytest.mark.parametrize("currency_code", ["", "eur", "XXX", "EURO"])
def test_a_currency_that_does_not_exist_is_refused_naming_its_field(currency_code: str) -> None:
    with pytest.raises(Refusal) as refused:
        money_from_wire(money_pb2.Money(currency_code=currency_code), "items[3].unit_price")

    assert [each.field for each in refused.value.fields] == ["items[3].unit_price.currency_code"]


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_moment_survives_the_wire_to_the_microsecond(moment: datetime) -> None:
    assert time_from_wire(time_to_wire(moment), "create_time") == moment


@pytest.mark.parametrize("seconds", [2**63 - 1, -(2**63), 253_402_300_800, -62_135_596_801])
def test_a_moment_that_does_not_exist_is_refused_naming_its_field(seconds: int) -> None:
    with pytest.raises(Refusal) as refused:
        time_from_wire(Timestamp(seconds=seconds), "create_time_before")

    assert [each.field for each in refused.value.fields] == ["create_time_before"]


@given(st.builds(Address, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT))
def test_an_address_survives_the_wire(address: Address) -> None:
    sent = address_pb2.Address.FromString(address_to_wire(address).SerializeToString())

    assert address_from_wire(sent) == address


def test_equal_requests_have_one_fingerprint_and_different_ones_do_not() -> None:
    request = order_service_pb2.CancelOrderRequest(request_id="k", order_id="1", reason="a")
    other = order_service_pb2.CancelOrderRequest(request_id="k", order_id="1", reason="b")

    assert fingerprint(request) == fingerprint(request.FromString(request.SerializeToString()))
    assert len(fingerprint(request)) == 64
    assert fingerprint(other) != fingerprint(request)
