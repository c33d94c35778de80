"""What is given back of a sale, line by line and to the minor unit."""

from dataclasses import dataclass

from kernel.money import Money
from tax_svc.domain.basis import Basis, BasisLine


@dataclass(frozen=True, slots=True)
class ReturnedLine:
    """What is given back of one line.

    Attributes:
        sold: The line of the sale.
        amount: Of its price, before tax. Negative for a discount that is taken back.
        tax: Of its tax; never of the other sign.
    """

    sold: BasisLine
    amount: Money
    tax: Money


@dataclass(frozen=True, slots=True)
class Giveback:
    """What is given back of a sale.

    Attributes:
        code: What its document is called.
        order_id: The order that was sold.
        basis: The sale.
        lines: At least one; together they are not negative.
    """

    code: str
    order_id: str
    basis: Basis
    lines: tuple[ReturnedLine, ...]

    def amount(self) -> Money:
        """Return what is given back before tax."""
        return Money.total((line.amount for line in self.lines), self.basis.currency_code)

    def tax(self) -> Money:
        """Return what is given back of the tax."""
        return Money.total((line.tax for line in self.lines), self.basis.currency_code)


class Wrong(ValueError):
    """A line cannot be given back like this.

    Attributes:
        field: Where, in the line; empty when it is about all lines.
        what: What is wrong, for a person.
    """

    def __init__(self, field: str, what: str) -> None:
        super().__init__(f"{field}: {what}")
        self.field = field
        self.what = what


def returned(sold: BasisLine, amount: Money, tax: Money, *, with_tax: bool) -> ReturnedLine:
    """Return what is given back of a line.

    Args:
        sold: The line of the sale.
        amount: What is given back of its price, before tax.
        tax: What is given back of its tax.
        with_tax: Whether the price of the line contained the tax.

    Raises:
        Wrong: It has the wrong sign, or is more than the line was sold for.
    """
    sign = -1 if sold.amount.minor_units < 0 else 1
    for field, money in (("amount", amount), ("tax", tax)):
        if sign * money.minor_units < 0:
            side = "must not be positive: the line is a discount" if sign < 0 else "must not be negative"
            raise Wrong(field, side)
    back = amount + tax if with_tax else amount
    if sign * back.minor_units > sign * sold.amount.minor_units:
        raise Wrong("amount", f"is more than the line was sold for, {sold.amount}")
    return ReturnedLine(sold, amount, tax)
