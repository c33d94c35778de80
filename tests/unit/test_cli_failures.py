"""How a command ends: words for a person, an exit code for a script."""

import pytest

from cli.failures import Failure, Unavailable, of_refusal
from cli.order import group
from kernel.errors import FieldViolation, Reason, Refusal
from tests.fakes.scripted_service import SERVICE


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


def test_an_illegal_state_names_the_commands_that_are_legal_as_they_are_typed() -> None:
    metadata = {"state": "PAID", "allowed": "RefundOrder, StartProcessing,ShipOrder,NewerThanThis"}

    failure = of_refusal(Refusal(Reason.ILLEGAL_STATE, "The order is PAID.", metadata=metadata))

    assert failure.message.splitlines()[-1] == (
        "It allows `ordermesh order refund`, `ordermesh order process`, `ordermesh order ship`."
    )


@pytest.mark.parametrize("metadata", [{}, {"allowed": ""}, {"state": "FAILED"}])
def test_an_illegal_state_that_allows_nothing_points_to_the_story(metadata: dict[str, str]) -> None:
    failure = of_refusal(Refusal(Reason.ILLEGAL_STATE, "No.", metadata=metadata))

    assert "ordermesh explain" in failure.message


def test_a_command_that_knows_better_gives_its_own_advice() -> None:
    failure = of_refusal(Refusal(Reason.PAYMENT_DECLINED, "No."), {Reason.PAYMENT_DECLINED: "Do not ship."})

    assert failure.message.splitlines()[-1] == "Do not ship."


def test_every_command_on_an_order_is_known_by_its_rpc() -> None:
    reads = ("Get", "List", "Watch", "Explain", "Quote", "Place")
    commands = {method.name for method in SERVICE.methods if not method.name.startswith(reads)}

    for name in commands:
        allowed = of_refusal(Refusal(Reason.ILLEGAL_STATE, "No.", metadata={"allowed": name})).message
        typed = allowed.rpartition("ordermesh order ")[2].partition("`")[0]
        assert typed in group.commands, name


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
