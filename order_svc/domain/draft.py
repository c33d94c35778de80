"""What a customer asks for: who buys which lines, where they go, and on what terms."""

from dataclasses import dataclass, field
from enum import StrEnum

from kernel.address import Address
from kernel.allocation import allocate
from kernel.errors import Refusal
from kernel.money import Money

# Stripe charges at most eight digits in any currency; a larger sum could never be paid.
MAXIMUM_MINOR_UNITS = 99_999_999


@dataclass(frozen=True, slots=True)
class Customer:
    """Who buys.

    Attributes:
        customer_id: The shop's own id.
        email: Where confirmations go.
        name: How mails address the customer; may be empty.
        locale: What mails are written for, a BCP 47 tag; empty for the shop's default.
        exemption_number: Of the certificate that exempts the customer from tax; may be empty.
        entity_use_code: AvaTax's code for kinds of buyers; may be empty.
        business_id: The VAT number; may be empty.
        provider_customer_id: Stripe's id of the saved customer, "cus_…"; empty for guests.
    """

    customer_id: str
    email: str
    name: str
    locale: str = ""
    exemption_number: str = ""
    entity_use_code: str = ""
    business_id: str = ""
    provider_customer_id: str = ""


class ItemKind(StrEnum):
    """What a line of an order is."""

    ARTICLE = "ARTICLE"
    SHIPPING = "SHIPPING"
    DISCOUNT = "DISCOUNT"


@dataclass(frozen=True, slots=True)
class Item:
    """One line of an order.

    Attributes:
        sku: The shop's article number, or a name for the line; unique within the order.
        description: In words; may be empty.
        quantity: At least one.
        unit_price: Of one, before tax unless the draft's prices include it; negative for a discount and only there.
        tax_code: AvaTax's; empty for general goods, and for freight where the line is shipping.
        kind: What it is.
        applies_to: For a discount, the skus of the articles that it is shared among; empty for all articles.
    """

    sku: str
    description: str
    quantity: int
    unit_price: Money
    tax_code: str
    kind: ItemKind = ItemKind.ARTICLE
    applies_to: tuple[str, ...] = ()

    @property
    def amount(self) -> Money:
        """Return the extended price."""
        return self.unit_price * self.quantity


@dataclass(frozen=True, slots=True)
class Draft:
    """An order before it has an id.

    Attributes:
        customer: Who buys.
        items: What; at least one article, skus unique, one currency.
        ship_to: Where it goes.
        prices_include_tax: Whether the prices of the items contain the tax.
        subtotal: The exact sum of the items.
    """

    customer: Customer
    items: tuple[Item, ...]
    ship_to: Address
    prices_include_tax: bool = False
    subtotal: Money = field(init=False)

    def __post_init__(self) -> None:
        """Add the items up; refuse what makes no sense, naming the field."""
        currency = self.currency_code
        articles = {item.sku for item in self.items if item.kind is ItemKind.ARTICLE}
        seen: set[str] = set()
        subtotal = 0
        for position, item in enumerate(self.items):
            _check_price(position, item, currency)
            if item.sku in seen:
                raise Refusal.of_field(f"items[{position}].sku", "stands twice; put the quantities together")
            if foreign := sorted(set(item.applies_to) - articles):
                raise Refusal.of_field(
                    f"items[{position}].applies_to_skus", f"{foreign[0]} is no article of this order"
                )
            seen.add(item.sku)
            subtotal += item.amount.minor_units
        if not articles:
            raise Refusal.of_field("items", "hold no article; an order is about something that is bought")
        if subtotal <= 0:
            raise Refusal.of_field("items", "come to nothing in total; an order has to cost something")
        if subtotal > MAXIMUM_MINOR_UNITS:
            raise Refusal.of_field("items", f"come to more than {MAXIMUM_MINOR_UNITS} minor units in total")
        object.__setattr__(self, "subtotal", Money(currency, subtotal))
        self._check_discounts(currency)

    @property
    def currency_code(self) -> str:
        """Return the one currency of the order."""
        return self.items[0].unit_price.currency_code

    def total(self, tax: Money) -> Money:
        """Return what the customer pays, with so much tax on it or in it."""
        return self.subtotal if self.prices_include_tax else self.subtotal + tax

    @property
    def articles(self) -> tuple[Item, ...]:
        """Return the lines that are shipped."""
        return tuple(item for item in self.items if item.kind is ItemKind.ARTICLE)

    def discounted_by(self, discount: Item) -> tuple[Item, ...]:
        """Return the articles that a discount is shared among."""
        return tuple(item for item in self.articles if not discount.applies_to or item.sku in discount.applies_to)

    def _check_discounts(self, currency: str) -> None:
        """Refuse discounts that take more off an article than it costs: a refund of it would have to be paid for."""
        left = {item.sku: item.amount.minor_units for item in self.articles}
        for position, item in enumerate(self.items):
            if item.kind is not ItemKind.DISCOUNT:
                continue
            sharing = self.discounted_by(item)
            weights = [each.amount.minor_units for each in sharing]
            worth = Money(currency, sum(left[each.sku] for each in sharing))
            parts = allocate(item.amount.minor_units, weights) if sum(weights) else [item.amount.minor_units]
            for each, part in zip(sharing, parts, strict=False):
                left[each.sku] += part
            if any(left[each.sku] < 0 for each in sharing):
                raise Refusal.of_field(
                    f"items[{position}].unit_price.minor_units",
                    f"takes more off an article than is left of it; {worth} is left of what it applies to",
                )


def _check_price(position: int, item: Item, currency: str) -> None:
    price = item.unit_price
    named = f"items[{position}].unit_price.minor_units"
    if item.kind is ItemKind.DISCOUNT and price.minor_units >= 0:
        raise Refusal.of_field(named, "must be negative for a discount")
    if item.kind is not ItemKind.DISCOUNT and price.minor_units < 0:
        raise Refusal.of_field(named, "must not be negative; what is taken off is an item of kind DISCOUNT")
    if item.kind is not ItemKind.DISCOUNT and item.applies_to:
        raise Refusal.of_field(f"items[{position}].applies_to_skus", "is only for discounts")
    if price.currency_code != currency:
        raise Refusal.of_field(
            f"items[{position}].unit_price.currency_code",
            f"is {price.currency_code}, the first item is in {currency}; an order has one currency",
        )


class CaptureMode(StrEnum):
    """When the money is taken."""

    AT_PLACEMENT = "AT_PLACEMENT"
    ON_SHIPMENT = "ON_SHIPMENT"


@dataclass(frozen=True, slots=True)
class Terms:
    """How an order is paid, and what the shop keeps with it.

    Attributes:
        capture: When the money is taken.
        off_session: The customer is not there to act.
        save_payment_method: The payment method is kept with the saved customer.
        keep_after_decline: A decline leaves the order open for another payment method.
        reference: The shop's own; may be empty.
        metadata: The shop's own facts.
    """

    capture: CaptureMode = CaptureMode.AT_PLACEMENT
    off_session: bool = False
    save_payment_method: bool = False
    keep_after_decline: bool = False
    reference: str = ""
    metadata: tuple[tuple[str, str], ...] = ()


# What holds where nothing else was agreed.
AT_ONCE = Terms()


def check_terms(terms: Terms, customer: Customer) -> None:
    """Refuse terms that need a saved customer where there is none.

    Raises:
        Refusal: It names the field.
    """
    if (terms.off_session or terms.save_payment_method) and not customer.provider_customer_id:
        wanted = "off_session" if terms.off_session else "save_payment_method"
        raise Refusal.of_field("customer.provider_customer_id", f"is needed with {wanted}: Stripe's id, cus_…")
