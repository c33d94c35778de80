"""What is to be taxed."""

from dataclasses import dataclass

from kernel.address import Address
from kernel.money import Money


@dataclass(frozen=True, slots=True)
class BasisLine:
    """One line to be taxed.

    Attributes:
        line_id: Unique in its basis.
        sku: The shop's article number; may be empty.
        description: In words; may be empty.
        quantity: At least 1.
        amount: The extended price, with its tax when the basis says so; negative for a discount.
        tax_code: AvaTax's; empty means general goods.
    """

    line_id: str
    sku: str
    description: str
    quantity: int
    amount: Money
    tax_code: str


@dataclass(frozen=True, slots=True)
class Basis:
    """What is to be taxed.

    Attributes:
        customer_id: The shop's id of the buyer; exemptions hang on it.
        currency_code: Of every amount.
        lines: At least one; together they are not negative.
        ship_to: Where the goods go.
        prices_include_tax: Whether the tax is contained in the amounts, to be worked out of them.
        exemption_number: Of the buyer's certificate; empty without one.
        entity_use_code: AvaTax's word for buyers of a special kind; empty for everybody else.
        business_id: The buyer's VAT or business number; empty for consumers.
    """

    customer_id: str
    currency_code: str
    lines: tuple[BasisLine, ...]
    ship_to: Address
    prices_include_tax: bool = False
    exemption_number: str = ""
    entity_use_code: str = ""
    business_id: str = ""

    def subtotal(self) -> Money:
        """Return the sum of the lines."""
        return Money.total((line.amount for line in self.lines), self.currency_code)
