"""AvaTax's JSON → domain. Amounts are decimals: no float is made of them anywhere.

An answer is believed only when it is about what was asked: the same currency, the same lines, the same amounts, and a
total that the lines add up to. Anything else is Malformed.
"""

import json
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, NoReturn

from kernel.money import Money, UnknownCurrency
from tax_svc.domain.basis import Basis, BasisLine
from tax_svc.domain.document import Recorded
from tax_svc.domain.giveback import Giveback
from tax_svc.domain.quote import Jurisdiction, Quote, Source, TaxLine

# Beyond what any sale is worth, in major units, and finer than any rate: such a number is not believed.
_LARGEST = 10**15
_FINEST_EXPONENT = -12


class Malformed(Exception):
    """The answer cannot be what AvaTax makes of the request. The message is fixed words and field names, no values."""


class AnotherDocument(Malformed):
    """The answer is sound, and about something else than what was asked."""


def quote(body: bytes, basis: Basis) -> Quote:
    """Return the tax that an answer to sales_order states.

    Raises:
        Malformed: It is not about this basis.
    """
    answer = read(body)
    _check_sale(answer, basis)
    found = {}
    for line in _list(answer, "lines"):
        number = line.get("lineNumber") if isinstance(line, dict) else None
        if number in found:
            refuse("lineNumber")
        found[number] = line
    if len(found) != len(basis.lines):
        refuse("lines")
    exact = Decimal(0)
    lines = []
    for line in basis.lines:
        theirs = found.get(line.line_id)
        if theirs is None:
            refuse("lineNumber")
        tax = _tax_of(theirs, line)
        exact += tax
        jurisdictions = _jurisdictions(theirs, basis.currency_code)
        lines.append(TaxLine(line.line_id, Money.from_decimal(tax, basis.currency_code), jurisdictions))
    if exact != signed_amount(answer, "totalTax"):
        refuse("totalTax")
    return Quote.of(Source.AVATAX, lines, basis.currency_code)


def sale(body: bytes, order_id: str, basis: Basis) -> Recorded:
    """Return what a committed invoice records: an answer to sales_invoice, or the document as it was read.

    Raises:
        AnotherDocument: It is another one, not about this basis, or not committed.
        Malformed: It is none at all.
    """
    answer = read(body)
    _check_sale(answer, basis)
    return _recorded(answer, order_id, "SalesInvoice", "Committed")


def given_back(body: bytes, giveback: Giveback) -> Recorded:
    """Return what a committed return records: an answer to return_invoice, or the document as it was read.

    Raises:
        AnotherDocument: It is another one, not about this, or not committed.
        Malformed: It is none at all.
    """
    answer = read(body)
    _check(answer, giveback.basis.currency_code, (giveback.amount() * -1).to_decimal(), Decimal(0))
    return _recorded(answer, giveback.code, "ReturnInvoice", "Committed")


def voided(body: bytes, order_id: str) -> Recorded:
    """Return what a cancelled invoice had recorded: an answer to void, or the document as it was read.

    Raises:
        AnotherDocument: It is another one, or not cancelled.
        Malformed: It is none at all.
    """
    return _recorded(read(body), order_id, "SalesInvoice", "Cancelled")


def read(body: bytes) -> dict[str, Any]:
    """Return the object that an answer is, its fractions as decimals.

    Raises:
        Malformed: It is none.
    """
    try:
        answer = json.loads(body, parse_float=Decimal, parse_constant=refuse)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError too
        raise Malformed("not JSON") from error
    if not isinstance(answer, dict):
        refuse("an object")
    return answer


def _check_sale(answer: Mapping[str, Any], basis: Basis) -> None:
    # Where prices include the tax, AvaTax states them without.
    contained = signed_amount(answer, "totalTax") if basis.prices_include_tax else Decimal(0)
    _check(answer, basis.currency_code, basis.subtotal().to_decimal(), contained)


def _check(answer: Mapping[str, Any], currency_code: str, amount: Decimal, contained: Decimal) -> None:
    if answer.get("currencyCode") != currency_code:
        raise AnotherDocument("another currencyCode")
    if signed_amount(answer, "totalAmount") + contained != amount:
        raise AnotherDocument("another totalAmount")


def _recorded(answer: Mapping[str, Any], code: str, kind: str, status: str) -> Recorded:
    # AvaTax finds a code whatever its case, and shows it as it was first written.
    if text(answer, "code").casefold() != code.casefold():
        raise AnotherDocument("another code")
    for name, value in (("type", kind), ("status", status)):
        if answer.get(name) != value:
            raise AnotherDocument(f"another {name}")
    return Recorded(money(answer, "totalTax"), day(answer, "date"))


def _tax_of(answer: Mapping[str, Any], line: BasisLine) -> Decimal:
    """Return the tax of a line: what is sold costs tax, what is taken off saves it."""
    tax = signed_amount(answer, "tax")
    return refuse("tax") if tax * line.amount.minor_units < 0 else tax


def _jurisdictions(line: Mapping[str, Any], currency_code: str) -> tuple[Jurisdiction, ...]:
    shares = []
    for detail in line.get("details") or ():
        if not isinstance(detail, dict):
            refuse("details")
        tax = signed_amount(detail, "tax")
        if tax:
            shares.append(
                Jurisdiction(
                    name=str(detail.get("jurisName", "")),
                    kind=str(detail.get("jurisdictionType") or detail.get("jurisType", "")),
                    rate=_rate(detail),
                    tax=Money.from_decimal(tax, currency_code),
                )
            )
    return tuple(shares)


def _list(answer: Mapping[str, Any], name: str) -> list[Any]:
    value = answer.get(name)
    if not isinstance(value, list):
        refuse(name)
    return value


def _rate(detail: Mapping[str, Any]) -> Decimal:
    rate = signed_amount(detail, "rate")
    return rate if rate >= 0 else refuse("rate")


def money(answer: Mapping[str, Any], name: str) -> Money:
    """Return an amount in the currency of the document.

    Raises:
        Malformed: It is none.
    """
    try:
        return Money.from_decimal(signed_amount(answer, name), text(answer, "currencyCode"))
    except UnknownCurrency:
        refuse("currencyCode")


def text(answer: Mapping[str, Any], name: str) -> str:
    """Return a text.

    Raises:
        Malformed: It is none.
    """
    value = answer.get(name)
    return value if isinstance(value, str) else refuse(name)


def day(answer: Mapping[str, Any], name: str) -> date:
    """Return a date; some versions write midnight behind it.

    Raises:
        Malformed: It is none.
    """
    try:
        return date.fromisoformat(text(answer, name)[:10])
    except ValueError:
        refuse(name)


def signed_amount(answer: Mapping[str, Any], name: str) -> Decimal:
    """Return a number; whole ones arrive as int, which bool would pass for.

    Raises:
        Malformed: It is none that could be meant.
    """
    value = answer.get(name)
    if isinstance(value, bool) or not isinstance(value, Decimal | int) or not -_LARGEST < value < _LARGEST:
        refuse(name)
    number = Decimal(value)
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < _FINEST_EXPONENT:
        refuse(name)
    return number


def refuse(what: str) -> NoReturn:
    """Say that a field is not what it has to be.

    Raises:
        Malformed: Always.
    """
    raise Malformed(f"wrong or missing: {what}")
