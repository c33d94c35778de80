"""What a rule is, and how amounts are written."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from kernel.money import Money


class Remedy(Enum):
    """What can be done about a difference, by a rule and without a person; in the order in which it is done."""

    CONFIRM_PAYMENT = "read the payment afresh from Stripe"
    RELEASE_CHARGE = "give up the charge at Stripe"
    RETRY_ORDER = "take the order up again"
    VOID_TAX = "void the tax document"


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that has to hold.

    Attributes:
        kind: Its name, stable, for programs.
        question: SQL that finds what breaks it. The columns of an answer are the facts of the difference; `order_id`,
            `payment_id` and `provider_payment_id` among them say what a remedy is applied to.
        tell: Says what is wrong, for a person.
        advice: Says what to do.
        remedies: What settles it; empty when a person has to.
    """

    kind: str
    question: str
    tell: Callable[[sqlite3.Row], str]
    advice: str
    remedies: tuple[Remedy, ...] = ()


def money(units: int | None, currency: str) -> str:
    """Return an amount as a person writes it: "26.63 USD"."""
    return "an unknown amount" if units is None else str(Money(currency, units))
