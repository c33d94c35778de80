"""What is said to AvaTax, and what is believed of its answers."""

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from kernel.address import Address
from kernel.money import Money
from sandbox.schema import SchemaBook
from tax_svc.adapters import avatax_json, avatax_requests
from tax_svc.adapters.avatax_json import AnotherDocument, Malformed
from tax_svc.domain.basis import Basis
from tax_svc.domain.document import Recorded
from tax_svc.domain.quote import Source
from tests.fakes.tax_samples import BERLIN, SAN_FRANCISCO, basis, giveback, order_id

DATE = date(2026, 11, 23)
ORDER = order_id()


def line(number: str, tax: object, *details: dict[str, Any]) -> dict[str, Any]:
    return {"lineNumber": number, "lineAmount": 10.0, "tax": tax, "details": list(details)}


def detail(name: str, kind: str, rate: object, tax: object) -> dict[str, Any]:
    return {"jurisName": name, "jurisType": kind[:3].upper(), "jurisdictionType": kind, "rate": rate, "tax": tax}


def answer(**more: object) -> dict[str, Any]:
    """Return what AvaTax says about 10.00 and 5.00 dollars to Philadelphia, in the shape of a real answer."""
    lines = [
        line("line-1", 0.8, detail("PENNSYLVANIA", "State", 0.06, 0.6), detail("PHILADELPHIA", "County", 0.02, 0.2)),
        line("line-2", 0.4, detail("PENNSYLVANIA", "State", 0.06, 0.3), detail("PHILADELPHIA", "County", 0.02, 0.1)),
    ]
    return {
        "id": 0,
        "code": ORDER,
        "type": "SalesInvoice",
        "status": "Committed",
        "currencyCode": "USD",
        "date": "2026-11-23",
        "totalAmount": 15.0,
        "totalTax": 1.2,
        "lines": lines,
        **more,
    }


def encoded(**more: object) -> bytes:
    return json.dumps(answer(**more)).encode()


TWO_LINES = basis(1000, 500)


SOLD = [
    basis(1999),
    basis(*range(200)),
    basis(500, currency_code="JPY", ship_to=BERLIN),
    basis(1999, -500, currency_code="KWD", prices_include_tax=True),
    replace(basis(1999), exemption_number="E" * 25, entity_use_code="G", business_id="DE-1.2"),
    replace(basis(1999), lines=(replace(basis(1999).lines[0], sku="", description="d" * 200, tax_code="FR"),)),
]


@pytest.mark.parametrize("sold", SOLD)
@pytest.mark.parametrize("ship_from", [None, BERLIN])
def test_every_kind_of_request_passes_avataxs_own_description(sold: Basis, ship_from: Address | None) -> None:
    book = SchemaBook("avatax")
    back = giveback(f"{ORDER}-{'x' * 13}", ORDER, sold, (1, 1), (-1, 0))

    for operation, body in (
        ("transactions.create", avatax_requests.sales_order(sold, "DEFAULT", DATE, ship_from)),
        ("transactions.create", avatax_requests.sales_invoice(ORDER, sold, "DEFAULT", DATE, ship_from)),
        ("transactions.create", avatax_requests.return_invoice(back, "DEFAULT", DATE, DATE, ship_from)),
        ("transactions.void", avatax_requests.VOID),
        ("addresses.resolve", avatax_requests.address(sold.ship_to)),
    ):
        assert list(book.violations(operation, json.loads(body))) == []


def test_a_return_is_negative_line_by_line_with_its_tax_and_the_day_of_the_sale() -> None:
    sold = basis(1000, -500, 1, prices_include_tax=True)
    back = giveback("the-code", ORDER, sold, (900, 72), (-100, -8))

    request = json.loads(
        avatax_requests.return_invoice(back, "SHOP", DATE, date(2026, 11, 1), None), parse_float=Decimal
    )

    assert (request["type"], request["code"], request["referenceCode"]) == ("ReturnInvoice", "the-code", ORDER)
    assert (request["date"], request["commit"]) == ("2026-11-23", True)
    assert request["taxOverride"] == {"type": "TaxDate", "taxDate": "2026-11-01", "reason": "Refund"}
    assert [(line["number"], line["amount"], line["taxOverride"]["taxAmount"]) for line in request["lines"]] == [
        ("line-1", Decimal("-9.00"), Decimal("-0.72")),
        ("line-2", Decimal("1.00"), Decimal("0.08")),
    ]
    for line in request["lines"]:
        # What is given back is before tax, whatever the prices were.
        assert {"taxIncluded", "quantity"}.isdisjoint(line)
        assert {**line["taxOverride"], "taxAmount": 0} == {
            "type": "TaxAmount", "taxAmount": 0, "taxDate": "2026-11-01", "reason": "Refund",
        }  # fmt: skip


def test_who_buys_is_told_only_as_far_as_it_matters() -> None:
    plain = json.loads(avatax_requests.sales_order(basis(1), "SHOP", DATE, None))
    told = replace(basis(1, prices_include_tax=True), exemption_number="E", entity_use_code="A", business_id="B")
    exempt = json.loads(avatax_requests.sales_order(told, "SHOP", DATE, None))

    assert {"exemptionNo", "entityUseCode", "businessIdentificationNo"}.isdisjoint(plain)
    assert "taxIncluded" not in plain["lines"][0]
    assert (exempt["exemptionNo"], exempt["entityUseCode"], exempt["businessIdentificationNo"]) == ("E", "A", "B")
    assert exempt["lines"][0]["taxIncluded"] is True


@pytest.mark.parametrize(
    ("units", "currency_code", "written"),
    [(1999, "USD", "19.99"), (5, "USD", "0.05"), (500, "JPY", "500"), (1234, "KWD", "1.234"), (0, "EUR", "0.00")],
)
def test_amounts_are_written_with_exactly_the_currencys_digits(units: int, currency_code: str, written: str) -> None:
    body = avatax_requests.sales_order(basis(units, currency_code=currency_code), "DEFAULT", DATE, None)

    assert f'"amount":{written}}}'.encode() in body


def test_no_float_is_made_of_a_large_amount() -> None:
    body = avatax_requests.sales_order(basis(9_007_199_254_740_993), "DEFAULT", DATE, None)

    assert json.loads(body, parse_float=Decimal)["lines"][0]["amount"] == Decimal("90071992547409.93")


def test_an_estimate_is_neither_named_nor_committed() -> None:
    estimate = json.loads(avatax_requests.sales_order(TWO_LINES, "DEFAULT", DATE, None))

    assert estimate["type"] == "SalesOrder"
    assert {"code", "commit"}.isdisjoint(estimate)


def test_a_record_is_committed_under_the_orders_id() -> None:
    invoice = json.loads(avatax_requests.sales_invoice(ORDER, TWO_LINES, "SHOP", DATE, None))

    assert (invoice["type"], invoice["code"], invoice["commit"]) == ("SalesInvoice", ORDER, True)
    assert (invoice["companyCode"], invoice["date"], invoice["customerCode"]) == ("SHOP", "2026-11-23", "customer-1")


def test_the_address_goes_without_its_empty_parts() -> None:
    estimate = json.loads(avatax_requests.sales_order(basis(1, ship_to=BERLIN), "DEFAULT", DATE, SAN_FRANCISCO))

    assert estimate["addresses"]["shipTo"] == {
        "line1": "Unter den Linden 1",
        "city": "Berlin",
        "postalCode": "10117",
        "country": "DE",
    }
    assert estimate["addresses"]["shipFrom"]["region"] == "CA"


def test_an_answer_becomes_a_quote_line_by_line() -> None:
    quote = avatax_json.quote(encoded(), TWO_LINES)

    assert quote.source is Source.AVATAX
    assert quote.total_tax == Money("USD", 120)
    assert [(each.line_id, each.tax.minor_units) for each in quote.lines] == [("line-1", 80), ("line-2", 40)]
    state = quote.lines[0].jurisdictions[0]
    assert (state.name, state.kind, state.rate, state.tax) == (
        "PENNSYLVANIA",
        "State",
        Decimal("0.06"),
        Money("USD", 60),
    )


def test_lines_are_told_by_their_number_and_not_by_their_place() -> None:
    swapped = list(reversed(answer()["lines"]))

    quote = avatax_json.quote(encoded(lines=swapped), TWO_LINES)

    assert [each.tax.minor_units for each in quote.lines] == [80, 40]


def test_authorities_that_take_nothing_are_left_out() -> None:
    lines = [line("line-1", 0, detail("OREGON", "State", 0.0, 0.0)), line("line-2", 0.0)]

    quote = avatax_json.quote(encoded(lines=lines, totalTax=0.0), TWO_LINES)

    assert quote.total_tax == Money.zero("USD")
    assert [each.jurisdictions for each in quote.lines] == [(), ()]


def test_what_the_currency_cannot_pay_is_rounded_by_line() -> None:
    sold = basis(105, 105, currency_code="JPY")
    lines = [line("line-1", 9.05), line("line-2", 9.05)]
    body = encoded(currencyCode="JPY", totalAmount=210.0, totalTax=18.1, lines=lines)

    assert avatax_json.quote(body, sold).total_tax == Money("JPY", 18)


@pytest.mark.parametrize(
    "wrong",
    [
        {"currencyCode": "EUR"},
        {"currencyCode": None},
        {"totalAmount": 15.01},
        {"totalAmount": "15.0"},
        {"totalTax": 1.3},
        {"totalTax": None},
        {"totalTax": True},
        {"lines": []},
        {"lines": None},
        {"lines": {}},
        {"lines": [None, None]},
        {"lines": [line("line-1", 1.2)]},
        {"lines": [line("line-1", 0.8), line("line-1", 0.4)]},
        {"lines": [line("line-1", 0.8), line("line-3", 0.4)]},
        {"lines": [line("line-1", 0.8), line("line-2", 0.4), line("line-3", 0.0)]},
        {"lines": [line("line-1", -0.8), line("line-2", 2.0)]},
        {"lines": [line("line-1", "0.8"), line("line-2", 0.4)]},
        {"lines": [line("line-1", 0.8, detail("X", "State", None, 0.8)), line("line-2", 0.4)]},
        {"lines": [line("line-1", 1e300), line("line-2", 0.4)]},
        {"lines": [line("line-1", 1e-300), line("line-2", 1.2)], "totalTax": 1.2},
    ],
)
def test_an_answer_about_something_else_is_not_believed(wrong: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        avatax_json.quote(encoded(**wrong), TWO_LINES)


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>Bad gateway</html>", b"[]", b"null", b"{", b'{"totalTax": NaN}', b"\xff\xfe", b"[" * 100_000],
)
def test_what_is_no_answer_at_all_is_not_believed(body: bytes) -> None:
    with pytest.raises(Malformed):
        avatax_json.quote(body, TWO_LINES)
    with pytest.raises(Malformed):
        avatax_json.sale(body, ORDER, TWO_LINES)


def test_the_tax_of_a_committed_document_is_read() -> None:
    assert avatax_json.sale(encoded(), ORDER, TWO_LINES) == Recorded(Money("USD", 120), DATE)


@pytest.mark.parametrize(
    "other",
    [
        {"code": "another"},
        {"type": "ReturnInvoice"},
        {"status": "Saved"},
        {"status": "Cancelled"},
        {"totalAmount": 14.0},
        {"currencyCode": "CAD"},
    ],
)
def test_another_document_is_told_from_nonsense(other: dict[str, Any]) -> None:
    with pytest.raises(AnotherDocument):
        avatax_json.sale(encoded(**other), ORDER, TWO_LINES)


def test_prices_with_tax_are_stated_without_it_and_make_the_price_again() -> None:
    sold = basis(1080, 540, prices_include_tax=True)

    assert avatax_json.quote(encoded(totalAmount=15.0), sold).total_tax == Money("USD", 120)
    assert avatax_json.sale(encoded(totalAmount=15.0), ORDER, sold).tax == Money("USD", 120)
    with pytest.raises(AnotherDocument):
        avatax_json.sale(encoded(totalAmount=16.2), ORDER, sold)


def test_a_discount_saves_tax() -> None:
    sold = basis(2000, -500)
    lines = [line("line-1", 1.6, detail("PENNSYLVANIA", "State", 0.08, 1.6)),
             line("line-2", -0.4, detail("PENNSYLVANIA", "State", 0.08, -0.4))]  # fmt: skip

    quote = avatax_json.quote(encoded(lines=lines, totalTax=1.2), sold)

    assert [each.tax.minor_units for each in quote.lines] == [160, -40]
    assert quote.lines[1].jurisdictions[0].tax == Money("USD", -40)


BACK = giveback("the-code", ORDER, basis(1000, 500), (500, 40), (100, 8))


def returned(**more: object) -> bytes:
    return encoded(**{"code": "THE-CODE", "type": "ReturnInvoice", "totalAmount": -6.0, "totalTax": -0.48, **more})


def test_a_return_is_read_with_what_avatax_recorded() -> None:
    assert avatax_json.given_back(returned(), BACK) == Recorded(Money("USD", -48), DATE)
    assert avatax_json.given_back(returned(totalTax=-0.5), BACK).tax == Money("USD", -50)


@pytest.mark.parametrize(
    "other",
    [{"totalAmount": 6.0}, {"type": "SalesInvoice"}, {"status": "Cancelled"}, {"code": "x"}, {"currencyCode": "CAD"}],
)
def test_another_return_is_told_from_nonsense(other: dict[str, Any]) -> None:
    with pytest.raises(AnotherDocument):
        avatax_json.given_back(returned(**other), BACK)


@pytest.mark.parametrize(
    "wrong", [{"date": "soon"}, {"date": None}, {"code": 1}, {"totalTax": "1"}, {"totalTax": True}]
)
def test_a_document_without_its_facts_is_not_believed(wrong: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        avatax_json.sale(encoded(**wrong), ORDER, TWO_LINES)
    with pytest.raises(Malformed):
        avatax_json.voided(encoded(**{"status": "Cancelled", "currencyCode": "XXZ", **wrong}), ORDER)


def test_a_voided_document_says_what_it_was() -> None:
    assert avatax_json.voided(encoded(status="Cancelled"), ORDER) == Recorded(Money("USD", 120), DATE)
    with pytest.raises(AnotherDocument):
        avatax_json.voided(encoded(), ORDER)
