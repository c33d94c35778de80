"""How a command ends: words for a person, an exit code for a script."""

import pytest

from cli.failures import Failure, Unavailable, of_refusal
from kernel.errors import FieldViolation, Reason, Refusal


def test_a_refusal_names_reason_facts_and_what_to_do_next() -> None:
    failure = of_refusal(
        Refusal(Reason.PAYMENT_DECLINED, "Your card was declined.", metadata={"declineCode": "insufficient_funds"})
    )

    assert failure.message.splitlines() == [
        "PAYMENT_DECLINED: Your card was declined.",
        "  declineCode: insufficient_funds",
        "Place a new order (a new key) with another payment method; nothing was charged.",
    ]


def test_many_wrong_fields_stand_one_a_line() -> None:
    fields = (FieldViolation("items[0].sku", "must not be empty"), FieldViolation("ship_to", "is missing"))
    failure = of_refusal(Refusal(Reason.VALIDATION_FAILED, "items[0].sku: must not be empty; ship_to …", fields=fields))

    assert failure.message.splitlines()[:3] == [
        "VALIDATION_FAILED: 2 fields are wrong.",
        "  items[0].sku: must not be empty",
        "  ship_to: is missing",
    ]


def test_one_wrong_field_is_named_once() -> None:
    failure = of_refusal(Refusal.of_field("ship_to.postal_code", "does not exist", Reason.ADDRESS_INVALID))

    assert failure.message.count("ship_to.postal_code") == 1


def test_a_known_wait_is_told() -> None:
    assert "after 1.5 s" in of_refusal(Refusal(Reason.OVERLOADED, "Busy.", retry_after=1.5)).message


@pytest.mark.parametrize("reason", list(Reason))
def test_what_may_have_been_done_exits_with_3_and_what_was_refused_with_1(reason: Reason) -> None:
    failure = of_refusal(Refusal(reason, "No."))

    is_open = reason in {Reason.UNAVAILABLE, Reason.DEADLINE_EXCEEDED, Reason.OVERLOADED, Reason.INTERNAL}
    assert failure.exit_code == (3 if is_open else 1)
    assert isinstance(failure, Unavailable) == is_open


def test_a_failure_is_written_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    Failure("The first line.\nWhat to do.").show()

    assert capsys.readouterr().err == "The first line.\nWhat to do.\n"
