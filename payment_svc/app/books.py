"""The provider's own books: what it has, read from it and not from our ledger. An audit compares the two."""

from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from kernel.errors import Refusal
from kernel.money import Money
from kernel.outcome import Done, NotDone, Unknown
from payment_svc.app.ports import Refused
from payment_svc.app.refusals import unavailable
from payment_svc.domain.intent import RefundState
from payment_svc.domain.payment import PaymentState

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class ListedPayment:
    """A PaymentIntent as the provider lists it.

    Attributes:
        intent_id: The provider's id, "pi_…".
        payment_id: Our payment, as its metadata say; empty when they do not.
        order_id: Our order, likewise.
        state: Where it stands; PENDING while no attempt was made, or one is under way.
        amount: What is to be paid.
        captured: What was taken.
        refunded: What was given back; refunds that failed do not count.
        created_at: When it was made, to the second.
    """

    intent_id: str
    payment_id: str
    order_id: str
    state: PaymentState
    amount: Money
    captured: Money
    refunded: Money
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ListedRefund:
    """A refund as the provider lists it.

    Attributes:
        provider_refund_id: The provider's id, "re_…".
        refund_id: Our refund, as its metadata say; empty when they do not.
        intent_id: The PaymentIntent whose money it gives back; empty for a charge that has none.
        state: Where it stands.
        amount: What it gives back.
        created_at: When it was made, to the second.
    """

    provider_refund_id: str
    refund_id: str
    intent_id: str
    state: RefundState
    amount: Money
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Page(Generic[T_co]):
    """One page of a list, newest first.

    Attributes:
        items: What is on it; not what is none of ours and in no currency that we know.
        cursor: Where the next one begins; empty when this is the last.
    """

    items: tuple[T_co, ...]
    cursor: str


class ProviderBooks(Protocol):
    """What the provider has. It never raises but for defects, and never repeats a call by itself."""

    async def payments(self, cursor: str, size: int) -> Done[Page[ListedPayment]] | NotDone[Refused] | Unknown:
        """Return a page of all payments; NotDone when the cursor is none of the provider's."""
        ...

    async def refunds(self, cursor: str, size: int) -> Done[Page[ListedRefund]] | NotDone[Refused] | Unknown:
        """Return a page of all refunds; NotDone when the cursor is none of the provider's."""
        ...

    async def payment(self, intent_id: str) -> Done[ListedPayment] | NotDone[Refused] | Unknown:
        """Return one payment as it would be listed now; NotDone when there is none."""
        ...


class ReadBooks:
    """Reads the provider's books.

    Args:
        books: The provider's.
    """

    def __init__(self, books: ProviderBooks) -> None:
        self._books = books

    async def payments(self, cursor: str, size: int) -> Page[ListedPayment]:
        """Return one page of payments, newest first.

        Raises:
            Refusal: The provider cannot be asked now, or there is no such page.
        """
        return await _page(self._books.payments(cursor, size))

    async def refunds(self, cursor: str, size: int) -> Page[ListedRefund]:
        """Return one page of refunds, newest first.

        Raises:
            Refusal: The provider cannot be asked now, or there is no such page.
        """
        return await _page(self._books.refunds(cursor, size))


async def _page(reading: Awaitable[Done[Page[T_co]] | NotDone[Refused] | Unknown]) -> Page[T_co]:
    match await reading:
        case Done(page):
            return page
        case NotDone(refused):
            raise Refusal.of_field("page_token", f"is about something that Stripe does not have ({refused.code})")
        case Unknown(cause, retry_after):
            raise unavailable(f"Stripe cannot be asked now ({cause}).", retry_after)
