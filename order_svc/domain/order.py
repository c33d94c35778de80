"""An order and the words around it."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from kernel.address import Address
from kernel.errors import Reason, Refusal
from kernel.money import Money


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


class Stage(StrEnum):
    """Where the saga stands; the one thing that recovery goes by.

    Attributes:
        QUOTING: Tax is to be worked out. No charge can exist.
        CHARGING: Tax and total are fixed; the charge is to be made, may be under way, or its outcome is not known.
        AWAITING_CUSTOMER: The charge waits for the customer, 3-D Secure as a rule.
        UNDOING: The order has failed; whatever the charge left behind is to be taken back.
        SETTLED: The saga has nothing left to do.
    """

    QUOTING = "QUOTING"
    CHARGING = "CHARGING"
    AWAITING_CUSTOMER = "AWAITING_CUSTOMER"
    UNDOING = "UNDOING"
    SETTLED = "SETTLED"


class TaxSource(StrEnum):
    """Where a tax figure comes from."""

    AVATAX = "AVATAX"
    FALLBACK = "FALLBACK"


class PaymentState(StrEnum):
    """Where a payment stands; ordermesh.payment.v1.PaymentState says what each means."""

    PENDING = "PENDING"
    ACTION_REQUIRED = "ACTION_REQUIRED"
    AUTHORIZED = "AUTHORIZED"
    SUCCEEDED = "SUCCEEDED"
    DECLINED = "DECLINED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class Customer:
    """Who buys.

    Attributes:
        customer_id: The shop's own id.
        email: Where confirmations go.
        name: How mails address the customer; may be empty.
    """

    customer_id: str
    email: str
    name: str


@dataclass(frozen=True, slots=True)
class Item:
    """One article of an order.

    Attributes:
        sku: The shop's article number, unique within the order.
        description: In words; may be empty.
        quantity: At least one.
        unit_price: Of one, before tax; never negative.
        tax_code: AvaTax's; empty for general goods.
    """

    sku: str
    description: str
    quantity: int
    unit_price: Money
    tax_code: str

    @property
    def amount(self) -> Money:
        """Return the extended price."""
        return self.unit_price * self.quantity


@dataclass(frozen=True, slots=True)
class Jurisdiction:
    """One authority's share of a line's tax.

    Attributes:
        name: "CALIFORNIA".
        kind: AvaTax's word: "State".
        rate: A decimal fraction in text: "0.0725".
        tax: Its amount.
    """

    name: str
    kind: str
    rate: str
    tax: Money


@dataclass(frozen=True, slots=True)
class TaxLine:
    """The tax of one item; `line_id` is the item's position, from "1"."""

    line_id: str
    tax: Money
    jurisdictions: tuple[Jurisdiction, ...] = ()


@dataclass(frozen=True, slots=True)
class Tax:
    """The tax of an order.

    Attributes:
        amount: The exact sum of the lines.
        source: Where it comes from.
        lines: One per item, in their order.
    """

    amount: Money
    source: TaxSource
    lines: tuple[TaxLine, ...]


@dataclass(frozen=True, slots=True)
class Payment:
    """What payment_svc said of the order's payment.

    Attributes:
        payment_id: payment_svc's id.
        provider_payment_id: Stripe's: "pi_…".
        state: Where it stands.
        amount: What was asked for.
        captured: What was taken.
        refunded: What was given back.
        client_secret: For the customer's browser while action is required; else empty.
        decline_code: The issuer's reason when declined; else empty.
        decline_message: A sentence for the customer when declined; else empty.
        version: Up to which of payment_svc's versions the order knows it; 0 when that was never told. Not compared: a
            new version with all the rest as it was is nothing that anybody has to know.
    """

    payment_id: str
    provider_payment_id: str
    state: PaymentState
    amount: Money
    captured: Money
    refunded: Money
    client_secret: str = ""
    decline_code: str = ""
    decline_message: str = ""
    version: int = field(default=0, compare=False)

    @property
    def kept(self) -> Money:
        """Return what of the customer's money was taken and not given back."""
        return self.captured - self.refunded


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
class Draft:
    """What a customer asks for: an order before it has an id.

    Attributes:
        customer: Who buys.
        items: What; at least one, skus unique, one currency.
        ship_to: Where it goes.
        subtotal: The exact sum of the items, before tax.
    """

    customer: Customer
    items: tuple[Item, ...]
    ship_to: Address
    subtotal: Money = field(init=False)

    def __post_init__(self) -> None:
        """Add the items up; refuse what makes no sense, naming the field."""
        currency = self.currency_code
        seen: set[str] = set()
        subtotal = 0
        for position, item in enumerate(self.items):
            price = item.unit_price
            if price.minor_units < 0:
                raise Refusal.of_field(f"items[{position}].unit_price.minor_units", "must not be negative")
            if price.currency_code != currency:
                raise Refusal.of_field(
                    f"items[{position}].unit_price.currency_code",
                    f"is {price.currency_code}, the first item is in {currency}; an order has one currency",
                )
            if item.sku in seen:
                raise Refusal.of_field(f"items[{position}].sku", "stands twice; put the quantities together")
            seen.add(item.sku)
            subtotal += price.minor_units * item.quantity
        if subtotal == 0:
            raise Refusal.of_field("items", "come to zero in total; an order has to cost something")
        if subtotal > MAXIMUM_MINOR_UNITS:
            raise Refusal.of_field("items", f"come to more than {MAXIMUM_MINOR_UNITS} minor units in total")
        object.__setattr__(self, "subtotal", Money(currency, subtotal))

    @property
    def currency_code(self) -> str:
        """Return the one currency of the order."""
        return self.items[0].unit_price.currency_code


# Stripe charges at most eight digits in any currency; a larger sum could never be paid.
MAXIMUM_MINOR_UNITS = 99_999_999


@dataclass(frozen=True, slots=True)
class Order:
    """An order as it stands at one version.

    Attributes:
        order_id: UUID, 36 characters.
        caller: Who placed it.
        draft: What was asked for.
        payment_method: Stripe's id, "pm_…".
        reference: The shop's own; may be empty.
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
        refund_number: Which refund of the payment is to be made next, or was made last, counted from 1. Each has an
            idempotency key of its own.
        fence: 1 at first, +1 with each write, also of what nobody has to know: a claim, a poll that found nothing new.
            Who holds the order with an older one has lost it.
    """

    order_id: str
    caller: str
    draft: Draft
    payment_method: str
    reference: str
    state: State
    stage: Stage
    version: int
    created_at: datetime
    updated_at: datetime
    tax: Tax | None = None
    payment: Payment | None = None
    failure: Failure | None = None
    needs_review: bool = False
    tries: int = 0
    expires_at: datetime | None = None
    tax_document: str = ""
    traceparent: str = ""
    refund_number: int = 1
    fence: int = 1

    @property
    def total(self) -> Money | None:
        """Return subtotal plus tax; None until the tax is known."""
        return None if self.tax is None else self.draft.subtotal + self.tax.amount

    @property
    def refunded(self) -> Money:
        """Return what was given back."""
        return self.payment.refunded if self.payment else Money.zero(self.draft.currency_code)

    @property
    def given_up(self) -> bool:
        """Say whether the order has ended without being paid; money may still have to go back."""
        return self.state in {State.FAILED, State.CANCELLED}

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


class TaskKind(StrEnum):
    """Work outside the order that follows from its being paid."""

    SEND_CONFIRMATION = "send_confirmation"
    COMMIT_TAX = "commit_tax"


@dataclass(frozen=True, slots=True)
class Task:
    """One piece of such work; see ordermesh.order.v1.OrderTask.

    Attributes:
        order_id: The order.
        kind: What is to be done.
        version: 1 at first, +1 with each claim and each try; who holds an older one has lost the task.
        attempts: How often it was begun.
        due_at: When it is tried next; None when done or given up.
        done: Whether it is done.
        result: The id of what came of it.
        last_error: What went wrong the last time.
    """

    order_id: str
    kind: TaskKind
    version: int = 1
    attempts: int = 0
    due_at: datetime | None = None
    done: bool = False
    result: str = ""
    last_error: str = ""
