"""Outcomes and refusals: the words in which one part tells another what became of a call."""

from dataclasses import FrozenInstanceError

import pytest

from kernel.errors import FieldViolation, Reason, Refusal
from kernel.outcome import Done, NotDone, Unknown


def test_an_outcome_is_one_of_three_and_carries_what_belongs_to_it() -> None:
    told = []
    for outcome in (Done(7), NotDone("no"), Unknown("timeout", 1.5)):
        match outcome:
            case Done(value):
                told.append(f"done {value}")
            case NotDone(reason):
                told.append(f"not done {reason}")
            case Unknown(cause, retry_after):
                told.append(f"unknown {cause} {retry_after}")

    assert told == ["done 7", "not done no", "unknown timeout 1.5"]


def test_outcomes_are_values() -> None:
    assert Done(1) == Done(1)
    assert Done(1) != Done(2)
    with pytest.raises(FrozenInstanceError):
        Done(1).value = 2  # type: ignore[misc]  # the point of the test


def test_a_refusal_about_a_field_names_it_in_words_and_for_programs() -> None:
    refusal = Refusal.of_field("items[0].quantity", "must be at least 1")

    assert str(refusal) == "items[0].quantity: must be at least 1"
    assert refusal.reason is Reason.VALIDATION_FAILED
    assert refusal.fields == (FieldViolation("items[0].quantity", "must be at least 1"),)


def test_a_refusal_keeps_its_own_metadata() -> None:
    metadata = {"orderId": "1"}
    refusal = Refusal(Reason.ORDER_NOT_FOUND, "There is none.", metadata=metadata)

    metadata["orderId"] = "2"

    assert refusal.metadata == {"orderId": "1"}
