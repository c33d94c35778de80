"""What shops were told: of an order that they have placed, and of each command that they gave about it."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.failure.history import Json
from tests.failure.lives import Command, Life


@dataclass(slots=True)
class Given:
    """A command under its key.

    Attributes:
        key: Its Idempotency-Key. What it makes carries it: the reason of a refund, the tracking number of a shipment.
        command: What was asked for.
        alone: Whether nothing else was asked of the order at the same time: then it may not be refused.
        ends: "done", or the reason of a refusal, as often as it was heard: once for each caller.
    """

    key: str
    command: Command
    alone: bool
    ends: list[str] = field(default_factory=list)

    @property
    def done(self) -> bool:
        """Say whether it was told to be done."""
        return "done" in self.ends


@dataclass(slots=True)
class Asked:
    """One order as a shop knows it.

    Attributes:
        key: Its Idempotency-Key, and its reference.
        life: What it is to go through.
        told: The order as every answer had it, with its time in seconds since the start.
        failed: The ids that were told to have failed.
        given: The commands, in the order in which they were given first.
    """

    key: str
    life: Life
    told: list[tuple[Json, float]] = field(default_factory=list)
    failed: set[str] = field(default_factory=set)
    given: list[Given] = field(default_factory=list)

    @property
    def order_ids(self) -> set[str]:
        """The orders that answers have named: one, if all is well."""
        return self.failed | {order["order_id"] for order, _ in self.told}

    def done(self, verb: str) -> Iterator[Given]:
        """Yield the commands of a kind that were told to be done."""
        return (each for each in self.given if each.command.verb == verb and each.done)


def is_done(given: Given, order: Json) -> bool:
    """Say whether an answer shows that what was asked for has come about, and is not merely under way."""
    state = order["state"]
    match given.command.verb:
        case "cancel":
            return bool(state == "CANCELLED")
        case "refund":
            return any(each["state"] != "PENDING" for each in refunds_of(order, given.key))
        case "ship":
            return any("ship_time" in each for each in shipments_of(order, given.key))
        case "confirmPayment":
            return state not in {"PENDING", "PAYMENT_ACTION_REQUIRED", "CANCELLED"}
        case _:
            return True  # nothing goes on by itself


def refunds_of(order: Json, key: str) -> list[Json]:
    """Return what an order shows of a refund that was asked for under a key."""
    return [each for each in order.get("refunds", ()) if each.get("reason") == key]


def shipments_of(order: Json, key: str) -> list[Json]:
    """Return what an order shows of a shipment that was asked for under a key."""
    return [each for each in order.get("shipments", ()) if each.get("tracking_number") == key]
