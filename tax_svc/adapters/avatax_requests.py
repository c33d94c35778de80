"""Domain → AvaTax's JSON. Amounts are written with exactly the currency's digits: no float is made of them."""

from collections.abc import Mapping
from datetime import date

import orjson

from kernel.address import Address
from kernel.money import Money
from tax_svc.domain.basis import Basis, BasisLine
from tax_svc.domain.giveback import Giveback, ReturnedLine

_GENERAL_GOODS = "P0000000"

# What an auditor reads beside an override.
_REASON = "Refund"

VOID = orjson.dumps({"code": "DocVoided"})


def sales_order(basis: Basis, company_code: str, today: date, ship_from: Address | None) -> bytes:
    """Return the request for an estimate, which AvaTax works out and forgets."""
    return orjson.dumps(_sale("SalesOrder", basis, company_code, today, ship_from))


def sales_invoice(order_id: str, basis: Basis, company_code: str, today: date, ship_from: Address | None) -> bytes:
    """Return the request that records a sale for good, under the order's id as its code."""
    invoice = _sale("SalesInvoice", basis, company_code, today, ship_from)
    return orjson.dumps({**invoice, "code": order_id, "commit": True})


def return_invoice(
    giveback: Giveback, company_code: str, today: date, sold_on: date, ship_from: Address | None
) -> bytes:
    """Return the request that records for good what is given back.

    It counts for today, by the rules of the day of the sale. The tax of each line is set and not worked out, as AvaTax
    does for its own refunds: rates may have changed, the sale may have been charged at the fallback rate, and a share
    of a rounded tax is no rate's product.
    """
    document = _transaction("ReturnInvoice", giveback.basis, company_code, today, ship_from)
    return orjson.dumps(
        {
            **document,
            "lines": [_returned_line(line, sold_on) for line in giveback.lines],
            "code": giveback.code,
            "referenceCode": giveback.order_id,
            "taxOverride": {"type": "TaxDate", "taxDate": sold_on.isoformat(), "reason": _REASON},
            "commit": True,
        }
    )


def address(asked: Address) -> bytes:
    """Return the request to resolve an address."""
    return orjson.dumps(_location(asked))


def _sale(kind: str, basis: Basis, company_code: str, today: date, ship_from: Address | None) -> dict[str, object]:
    included = {"taxIncluded": True} if basis.prices_include_tax else {}
    lines = [
        {**_line(line), **included, "quantity": line.quantity, "amount": _number(line.amount)} for line in basis.lines
    ]
    return {**_transaction(kind, basis, company_code, today, ship_from), "lines": lines}


def _transaction(
    kind: str, basis: Basis, company_code: str, today: date, ship_from: Address | None
) -> dict[str, object]:
    place = _location(basis.ship_to)
    buyer = {
        "exemptionNo": basis.exemption_number,
        "entityUseCode": basis.entity_use_code,
        "businessIdentificationNo": basis.business_id,
    }
    return {
        "type": kind,
        "companyCode": company_code,
        "date": today.isoformat(),
        "customerCode": basis.customer_id,
        "currencyCode": basis.currency_code,
        "addresses": {"singleLocation": place}
        if ship_from is None
        else {"shipFrom": _location(ship_from), "shipTo": place},
        **_said(buyer),
    }


def _line(line: BasisLine) -> dict[str, object]:
    return {
        "number": line.line_id,
        "taxCode": line.tax_code or _GENERAL_GOODS,
        "itemCode": line.sku,
        "description": line.description,
    }


def _returned_line(line: ReturnedLine, sold_on: date) -> dict[str, object]:
    # The price is negative and the quantity is not: left out it is 1, because how many went back was not said.
    return {
        **_line(line.sold),
        "amount": _number(line.amount * -1),
        "taxOverride": {
            "type": "TaxAmount",
            "taxAmount": _number(line.tax * -1),
            "taxDate": sold_on.isoformat(),
            "reason": _REASON,
        },
    }


def _location(place: Address) -> dict[str, str]:
    return _said(
        {
            "line1": place.line1,
            "line2": place.line2,
            "city": place.locality,
            "region": place.administrative_area,
            "country": place.region_code,
            "postalCode": place.postal_code,
        }
    )


def _said(values: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}


def _number(amount: Money) -> orjson.Fragment:
    """Return a JSON number with exactly the currency's digits, written as it stands."""
    return orjson.Fragment(f"{amount.to_decimal():f}")
