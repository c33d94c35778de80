"""The board of faults."""

import random

import pytest

from sandbox.faults import BadFault, Fault, FaultBoard, FaultMode, parse_fault
from sandbox.tokens import Tokens

OPERATIONS = frozenset({"mail.send"})


def board() -> FaultBoard:
    return FaultBoard(Tokens(random.Random(1)))


def test_nothing_goes_wrong_unless_it_is_told_to() -> None:
    assert board().strike("stripe", "refunds.create") is None


def test_a_fault_on_an_operation_goes_before_one_on_the_provider() -> None:
    faults = board()
    faults.set("sendgrid", Fault(FaultMode.OUTAGE))
    faults.set("sendgrid", Fault(FaultMode.ERROR, operation="mail.send"))

    aimed, other = faults.strike("sendgrid", "mail.send"), faults.strike("sendgrid", "mail.batch")

    assert aimed is not None
    assert other is not None
    assert (aimed.mode, other.mode) == (FaultMode.ERROR, FaultMode.OUTAGE)
    assert faults.strike("stripe", "mail.send") is None


def test_a_counted_fault_wears_out() -> None:
    faults = board()
    faults.set("avatax", Fault(FaultMode.OUTAGE, times=2))

    hits = [faults.strike("avatax", "transactions.create") is not None for _ in range(4)]

    assert hits == [True, True, False, False]
    assert faults.describe()["avatax"] == []


def test_a_fault_strikes_as_often_as_it_is_likely() -> None:
    faults = board()
    faults.set("avatax", Fault(FaultMode.OUTAGE, probability=0.25))

    hits = sum(faults.strike("avatax", "transactions.create") is not None for _ in range(2000))

    assert 400 < hits < 600  # seeded, so always the same; 500 expected


def test_defaults_are_filled_in() -> None:
    fault = parse_fault({"mode": "error"}, OPERATIONS)

    assert fault == Fault(FaultMode.ERROR, status=500, executed=False)
    assert fault.describe() == {"mode": "error", "probability": 1.0, "status": 500, "executed": False}


def test_every_wrong_field_is_named_at_once() -> None:
    with pytest.raises(BadFault) as refused:
        parse_fault({"mode": "outage", "delay_ms": 5, "times": 0, "operation": "mail.sned"}, OPERATIONS)

    assert [name in str(refused.value) for name in ("delay_ms", "times", "operation")] == [True] * 3
