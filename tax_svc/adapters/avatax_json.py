"""AvaTax's JSON ⇄ domain. Amounts are decimals on both sides: no float is made of them anywhere.

An answer is believed only when it is about what was asked: the same currency, the same lines, the same amounts, and a
total that the lines add up to. Anything else is Malformed.
"""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NoReturn

import orjson

from kernel.address import Address
from kernel.money import Money
from tax_svc.domain import Basis, BasisLine, Jurisdiction, Quote, Source, TaxLine

_GENERAL_GOODS = "P0000000"


# Beyond what any sale is worth, in major units, and finer than any rate: such a number is not believed.
_LARGEST = 10**15
_FINEST_EXPONENT = -12


class Malformed(Exception):
    """The answer cannot be what AvaTax makes of the request. The message is fixed words and field names, no values."""


class AnotherSale(Malformed):
    """The answer is sound, and about something else than what was asked."""


def sales_order(basis: Basis, company_code: str, date: str, ship_from: Address | None) -> bytes:
    """Return the request for an estimate, which AvaTax works out and forgets."""
    return orjson.dumps(_transaction("SalesOrder", basis, company_code, date, ship_from))


def sales_invoice(order_id: str, basis: Basis, company_code: str, date: str, ship_from: Address | None) -> bytes:
    """Return the request that records a sale for good, under the order's id as its code."""
    invoice = _transaction("SalesInvoice", basis, company_code, date, ship_from)
    return orjson.dumps({**invoice, "code": order_id, "commit": True})


def _transaction(kind: str, basis: Basis, company_code: str, date: str, ship_from: Address | None) -> dict[str, object]:
    place = _location(basis.ship_to)
    return {
        "type": kind,
        "companyCode": company_code,
        "date": date,
        "customerCode": basis.customer_id,
        "currencyCode": basis.currency_code,
        "addresses": {"singleLocation": place}
        if ship_from is None
        else {"shipFrom": _location(ship_from), "shipTo": place},
        "lines": [_line(line) for line in basis.lines],
    }


def _line(line: BasisLine) -> dict[str, object]:
    return {
        "number": line.line_id,
        "quantity": line.quantity,
        # A JSON number with exactly the currency's digits, written as it stands.
        "amount": orjson.Fragment(f"{line.amount.to_decimal():f}"),
        "taxCode": line.tax_code or _GENERAL_GOODS,
        "itemCode": line.sku,
        "description": line.description,
    }


def _location(address: Address) -> dict[str, str]:
    location = {
        "line1": address.line1,
        "line2": address.line2,
        "city": address.locality,
        "region": address.administrative_area,
        "country": address.region_code,
        "postalCode": address.postal_code,
    }
    return {name: value for name, value in location.items() if value}


def quote(body: bytes, basis: Basis) -> Quote:
    """Return the tax that an answer to sales_order states.

    Raises:
        Malformed: It is not about this basis.
    """
    answer = _document(body, basis)
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
        tax = _amount(theirs, "tax")
        exact += tax
        jurisdictions = _jurisdictions(theirs, basis.currency_code)
        lines.append(TaxLine(line.line_id, Money.from_decimal(tax, basis.currency_code), jurisdictions))
    if exact != _amount(answer, "totalTax"):
        refuse("totalTax")
    return Quote.of(Source.AVATAX, lines, basis.currency_code)


def recorded_tax(body: bytes, order_id: str, basis: Basis) -> Money:
    """Return the tax of a committed invoice: of an answer to sales_invoice, or of the document as it was read.

    Raises:
        AnotherSale: It is another document, not about this basis, or not committed.
        Malformed: It is none at all.
    """
    answer = _document(body, basis)
    expected = {"code": order_id, "type": "SalesInvoice", "status": "Committed"}
    for name, value in expected.items():
        if answer.get(name) != value:
            raise AnotherSale(f"another {name}")
    return Money.from_decimal(_amount(answer, "totalTax"), basis.currency_code)


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


def _document(body: bytes, basis: Basis) -> Mapping[str, Any]:
    answer = read(body)
    if answer.get("currencyCode") != basis.currency_code:
        raise AnotherSale("another currencyCode")
    if _amount(answer, "totalAmount") != basis.subtotal().to_decimal():
        raise AnotherSale("another totalAmount")
    return answer


def _jurisdictions(line: Mapping[str, Any], currency_code: str) -> tuple[Jurisdiction, ...]:
    shares = []
    for detail in line.get("details") or ():
        if not isinstance(detail, dict):
            refuse("details")
        tax = _amount(detail, "tax")
        if tax:
            shares.append(
                Jurisdiction(
                    name=str(detail.get("jurisName", "")),
                    kind=str(detail.get("jurisdictionType") or detail.get("jurisType", "")),
                    rate=_amount(detail, "rate"),
                    tax=Money.from_decimal(tax, currency_code),
                )
            )
    return tuple(shares)


def _list(answer: Mapping[str, Any], name: str) -> list[Any]:
    value = answer.get(name)
    if not isinstance(value, list):
        refuse(name)
    return value


def _amount(answer: Mapping[str, Any], name: str) -> Decimal:
    """Return a number that is not negative."""
    number = signed_amount(answer, name)
    return number if number >= 0 else refuse(name)


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
