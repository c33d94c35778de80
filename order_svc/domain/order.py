"""An order as it stands at one version, and its journal."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from kernel.errors import Reason
from kernel.money import Money
from order_svc.domain.draft import AT_ONCE, Draft, Terms
from order_svc.domain.fulfilment import Shipment
from order_svc.domain.payment import Payment
from order_svc.domain.refund import Refund
from order_svc.domain.tax import Tax


class State(StrEnum):
    """What callers see of an order's progress; ordermesh.order.v1.OrderState says what each means."""

    PENDING = "PENDING"
    PAYMENT_ACTION_REQUIRED = "PAYMENT_ACTION_REQUIRED"
    PAID = "PAID"
    PROCESSING = "PROCESSING"
    SHIPPED = "SHIPPED"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    REFUNDED = "REFUNDED"
    AUTHORIZED = "AUTHORIZED"


_OVER = frozenset({State.FAILED, State.CANCELLED})

MOVES: dict[State, frozenset[State]] = {
    State.PENDING: frozenset({State.PAYMENT_ACTION_REQUIRED, State.AUTHORIZED, State.PAID}) | _OVER,
    State.PAYMENT_ACTION_REQUIRED: frozenset({State.PENDING, State.AUTHORIZED, State.PAID}) | _OVER,
    State.AUTHORIZED: frozenset({State.PAID, State.PROCESSING, State.SHIPPED}) | _OVER,
    State.PAID: frozenset({State.PROCESSING, State.SHIPPED, State.REFUNDED}),
    State.PROCESSING: frozenset({State.SHIPPED, State.REFUNDED}) | _OVER,
    State.SHIPPED: frozenset({State.DELIVERED, State.REFUNDED}),
    State.DELIVERED: frozenset({State.REFUNDED}),
    State.FAILED: frozenset(),
    State.CANCELLED: frozenset(),
    State.REFUNDED: frozenset(),
}
"""Where each state may lead; docs/concepts.md draws it, and tests hold the saga to it."""


class Stage(StrEnum):
    """Where the saga stands; the one thing that recovery goes by.

    Attributes:
        QUOTING: Tax is to be worked out. No charge can exist.
        CHARGING: Tax and total are fixed; the charge is to be made, may be under way, or its outcome is not known.
        AWAITING_CUSTOMER: The charge waits for the customer: 3-D Secure, or another payment method.
        HOLDING: The money is held until the goods are shipped; it is looked at before the hold lapses.
        CAPTURING: Goods are to be shipped as soon as their money is taken; it may be taken already.
        REFUNDING: Money is to go back to the customer of a paid order, because the shop has asked for it.
        CATCHING_UP: The order is paid, and something has happened to its payment already that is still to be taken in.
        UNDOING: The order has failed or is being cancelled; whatever the charge left behind is to be taken back.
        SETTLED: The saga has nothing left to do.
    """

    QUOTING = "QUOTING"
    CHARGING = "CHARGING"
    AWAITING_CUSTOMER = "AWAITING_CUSTOMER"
    HOLDING = "HOLDING"
    CAPTURING = "CAPTURING"
    REFUNDING = "REFUNDING"
    CATCHING_UP = "CATCHING_UP"
    UNDOING = "UNDOING"
    SETTLED = "SETTLED"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an order failed, and so what PlaceOrder answers, now and whenever it is asked again.

    Attributes:
        reason: Machine-readable.
        message: For a person.
        decline_code: The card issuer's reason; empty unless declined.
        field: The request's field that is to blame; empty when none is.
    """

    reason: Reason
    message: str
    decline_code: str = ""
    field: str = ""


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that somebody should know of an order.

    Attributes:
        kind: A stable word: "mail.bounced".
        subject: The id of what it is about; may be empty.
        message: In a sentence, without personal data.
        noticed_at: When.
    """

    kind: str
    subject: str
    message: str
    noticed_at: datetime


@dataclass(frozen=True, slots=True)
class Order:
    """An order as it stands at one version.

    Attributes:
        order_id: UUID, 36 characters.
        caller: Who placed it.
        draft: What was asked for.
        terms: How it is paid, and what the shop keeps with it.
        payment_method: Stripe's id, "pm_…", of the latest attempt.
        state: What callers see.
        stage: Where the saga stands.
        version: 1 at first, +1 with each change that somebody may want to know of.
        tax: None until quoted; never changes afterwards.
        payment: None until payment_svc has answered.
        failure: Set as soon as the order is known to fail.
        needs_review: A person has to look at it.
        tries: How often the current stage was tried without a result.
        created_at: UTC.
        updated_at: UTC.
        expires_at: Until when the customer may act; None unless waiting for the customer.
        tax_document: The code of the committed tax document; empty until then.
        traceparent: The trace in which it was placed; later work links to it. May be empty.
        refund_number: Which refund of the payment of an order that failed is to be made next, or was made last, counted
            from 1. Each has an idempotency key of its own.
        attempt: Which attempt to charge it is, counted from 1; likewise.
        cancelling: The shop has asked for it to be cancelled, and it is UNDOING for that.
        shipments: Oldest first; the last one may still wait for its money.
        refunds: Of a paid order, oldest first.
        alerts: Oldest first.
        note: The shop's own; may be empty.
        tax_difference: Recorded tax less charged tax; None until the sale was recorded.
        refund_documents: The codes of the refunds' tax documents, by the number of the refund.
        fence: 1 at first, +1 with each write, also of what nobody has to know: a claim, a poll that found nothing new.
            Who holds the order with an older one has lost it.
    """

    order_id: str
    caller: str
    draft: Draft
    payment_method: str
    state: State
    stage: Stage
    version: int
    created_at: datetime
    updated_at: datetime
    terms: Terms = AT_ONCE
    tax: Tax | None = None
    payment: Payment | None = None
    failure: Failure | None = None
    needs_review: bool = False
    tries: int = 0
    expires_at: datetime | None = None
    tax_document: str = ""
    traceparent: str = ""
    refund_number: int = 1
    attempt: int = 1
    cancelling: bool = False
    shipments: tuple[Shipment, ...] = ()
    refunds: tuple[Refund, ...] = ()
    alerts: tuple[Alert, ...] = ()
    note: str = ""
    tax_difference: Money | None = None
    refund_documents: Mapping[int, str] = field(default_factory=dict)
    fence: int = 1

    @property
    def total(self) -> Money | None:
        """Return what the customer pays; None until the tax is known."""
        return None if self.tax is None else self.draft.total(self.tax.amount)

    @property
    def refunded(self) -> Money:
        """Return what was given back."""
        return self.payment.refunded if self.payment else Money.zero(self.draft.currency_code)

    @property
    def captured(self) -> Money:
        """Return what was taken."""
        return self.payment.captured if self.payment else Money.zero(self.draft.currency_code)

    @property
    def given_up(self) -> bool:
        """Say whether the order has ended without being paid; money may still have to go back."""
        return self.state in {State.FAILED, State.CANCELLED}

    @property
    def etag(self) -> str:
        """Return what names this version to callers."""
        return str(self.version)

    @property
    def final(self) -> bool:
        """Say whether nothing more is to come, as far as anybody knows: money that goes back late is news."""
        return self.given_up or self.state in {State.DELIVERED, State.REFUNDED}

    @property
    def open(self) -> bool:
        """Say whether the order still changes by itself."""
        return self.state in {State.PENDING, State.PAYMENT_ACTION_REQUIRED} and not self.needs_review


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of an order's journal; see ordermesh.order.v1.OrderEvent."""

    version: int
    at: datetime
    kind: str
    cause: str
    state: State
    facts: dict[str, str] = field(default_factory=dict)
    trace_id: str = ""
