"""Real answers of AvaTax, recorded in its sandbox, are understood exactly, each by what reads it in the service.

The file says where the recordings come from and what was left out of them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from kernel.address import Address
from kernel.money import Money
from tax_svc.adapters import avatax_addresses, avatax_json
from tax_svc.adapters.avatax_faults import Failing, Fault, Misconfigured, fault
from tax_svc.adapters.avatax_json import AnotherDocument
from tax_svc.app.ports import AddressRejected, SaleRejected
from tax_svc.domain.basis import Basis, BasisLine
from tax_svc.domain.document import Recorded
from tax_svc.domain.giveback import Giveback, ReturnedLine
from tests.fakes.tax_samples import SAN_FRANCISCO

RECORDINGS = Path(__file__).parent / "recordings" / "avatax.json"


@dataclass(frozen=True, slots=True)
class Exchange:
    """What was asked and answered."""

    request: Any
    status: int
    answer: Mapping[str, Any]

    def body(self) -> bytes:
        """Return the answer as it came."""
        return json.dumps(self.answer).encode()


EXCHANGES = {
    each["name"]: Exchange(each["request"], each["status"], each["response"])
    for each in json.loads(RECORDINGS.read_text())["exchanges"]
}


def money(amount: object, currency_code: str = "USD") -> Money:
    """Return what stands in a recording, to the minor unit."""
    return Money.from_decimal(Decimal(str(amount)), currency_code)


def asked_of(exchange: Exchange) -> Basis:
    """Return what the request asked to be taxed."""
    asked = exchange.request.get("newTransaction", exchange.request)
    return basis_of([(line["number"], line["amount"]) for line in asked["lines"]], asked["lines"][0]["taxIncluded"])


def shown_in(exchange: Exchange) -> Basis:
    """Return what the answer says was sold; what was asked long before is not on record."""
    return basis_of([(line["lineNumber"], line["lineAmount"]) for line in exchange.answer["lines"]], included=False)


def basis_of(lines: list[tuple[str, object]], included: bool) -> Basis:  # noqa: FBT001  (AvaTax's flag as it is)
    sold = tuple(BasisLine(number, "", "", 1, money(amount), "") for number, amount in lines)
    return Basis("customer-1", "USD", sold, SAN_FRANCISCO, included)


def turned(exchange: Exchange) -> Giveback:
    """Return what has to be given back for an answer like this."""
    lines = exchange.answer["lines"]
    sold = [BasisLine(line["lineNumber"], "", "", 1, money(abs(line["lineAmount"])), "") for line in lines]
    shares = tuple(
        ReturnedLine(of_sale, money(line["lineAmount"]) * -1, money(line["tax"]) * -1)
        for of_sale, line in zip(sold, lines, strict=True)
    )
    return Giveback(exchange.answer["code"], "order", Basis("customer-1", "USD", tuple(sold), SAN_FRANCISCO), shares)


QUOTES = {
    "quote": (1500, [80, 40]),
    "quote-three-lines": (7500, [320, 240, 40]),
    "quote-included": (7500, [296, 223, 37]),
    "quote-included-freight": (1500, [75, 37]),
    "quote-canada": (1500, [50, 25]),
    "quote-untaxed": (1500, [0, 0]),
}


@pytest.mark.parametrize("name", QUOTES)
def test_a_quote_adds_up_from_its_authorities_to_its_total(name: str) -> None:
    exchange = EXCHANGES[name]
    basis = asked_of(exchange)

    quote = avatax_json.quote(exchange.body(), basis)

    subtotal, taxes = QUOTES[name]
    assert basis.subtotal() == money(exchange.answer["totalAmount"]) + (
        quote.total_tax if basis.prices_include_tax else Money.zero("USD")
    )
    assert basis.subtotal().minor_units == subtotal
    assert [line.tax.minor_units for line in quote.lines] == taxes
    assert quote.total_tax == money(exchange.answer["totalTax"]) == Money("USD", sum(taxes))
    for line in quote.lines:
        assert Money.total((share.tax for share in line.jurisdictions), "USD") == line.tax


@pytest.mark.parametrize("name", ["quote-included", "quote-included-freight"])
def test_price_without_tax_and_tax_make_the_price_again_in_each_line(name: str) -> None:
    exchange = EXCHANGES[name]
    shown = {line["lineNumber"]: line for line in exchange.answer["lines"]}

    for line in asked_of(exchange).lines:
        assert money(shown[line.line_id]["lineAmount"]) + money(shown[line.line_id]["tax"]) == line.amount


def test_the_authorities_of_a_line_are_named_with_their_exact_rates() -> None:
    exchange = EXCHANGES["quote"]
    first = avatax_json.quote(exchange.body(), asked_of(exchange)).lines[0]

    assert [(share.name, share.kind, share.rate, share.tax.minor_units) for share in first.jurisdictions] == [
        ("PENNSYLVANIA", "State", Decimal("0.06"), 60),
        ("PHILADELPHIA", "County", Decimal("0.02"), 20),
    ]


@pytest.mark.parametrize(
    ("name", "tax", "day"),
    [
        ("record-sale", 160, "2026-05-26"),
        ("record-sale-three-lines", 240, "2026-05-27"),
        ("adjust-sale", 240, "2026-05-26"),
    ],
)
def test_a_sale_that_was_recorded_is_read_from_its_answer(name: str, tax: int, day: str) -> None:
    exchange = EXCHANGES[name]

    recorded = avatax_json.sale(exchange.body(), exchange.answer["code"], asked_of(exchange))

    assert recorded == Recorded(Money("USD", tax), date.fromisoformat(day))


@pytest.mark.parametrize("name", ["read-sale-any-case", "read-sale-committed"])
def test_a_sale_is_found_whatever_the_case_of_its_code(name: str) -> None:
    exchange = EXCHANGES[name]

    assert avatax_json.sale(exchange.body(), "TEST123", shown_in(exchange)).tax == Money.zero("USD")


@pytest.mark.parametrize(("name", "tax"), [("record-return", -80), ("refund-percentage", -48)])
def test_a_return_is_read_with_the_tax_that_goes_back(name: str, tax: int) -> None:
    exchange = EXCHANGES[name]
    giveback = turned(exchange)

    assert giveback.tax() == Money("USD", -tax)
    assert avatax_json.given_back(exchange.body(), giveback).tax == Money("USD", tax)


def test_what_is_not_committed_or_not_ours_is_another_document() -> None:
    saved, saved_return = EXCHANGES["read-sale-saved"], EXCHANGES["read-return-saved"]
    foreign = EXCHANGES["read-return-committed"]

    with pytest.raises(AnotherDocument, match="another status"):
        avatax_json.sale(saved.body(), saved.answer["code"], shown_in(saved))
    with pytest.raises(AnotherDocument, match="another status"):
        avatax_json.given_back(saved_return.body(), turned(saved_return))
    # A return over an amount that is not negative: recorded by somebody who does it otherwise.
    [line] = turned(foreign).lines
    positive = Giveback(
        "test321", "order", turned(foreign).basis, (ReturnedLine(line.sold, line.sold.amount, line.tax),)
    )
    with pytest.raises(AnotherDocument, match="another totalAmount"):
        avatax_json.given_back(foreign.body(), positive)


def test_a_voided_document_still_says_what_it_recorded() -> None:
    exchange = EXCHANGES["void"]

    assert exchange.request == {"code": "DocVoided"}
    assert avatax_json.voided(exchange.body(), "R555111223") == Recorded(Money("USD", 880), date(2026, 5, 26))
    with pytest.raises(AnotherDocument, match="another status"):
        avatax_json.sale(exchange.body(), "R555111223", shown_in(exchange))


REFUSALS: dict[str, Fault] = {
    "read-missing": SaleRejected("EntityNotFoundError"),
    "read-missing-again": SaleRejected("EntityNotFoundError"),
    "read-unauthenticated": Misconfigured("AuthenticationException"),
    "quote-no-line": SaleRejected("MissingLine"),
    "record-committed-already": SaleRejected("DocStatusError"),
    "adjust-invalid": SaleRejected("ErrorCountLimitExceededError"),
    "quote-timeout": Failing(),
}
ADDRESS_REFUSALS = {"quote-bad-zip": "postal_code", "resolve-too-long": "postal_code"}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_is_ours_avataxs_or_about_our_account(name: str) -> None:
    exchange = EXCHANGES[name]

    assert fault(exchange.status, exchange.body()) == REFUSALS[name]


@pytest.mark.parametrize("name", ADDRESS_REFUSALS)
def test_a_refusal_of_an_address_is_the_buyers_and_names_its_part(name: str) -> None:
    exchange = EXCHANGES[name]

    meaning = fault(exchange.status, exchange.body())

    assert isinstance(meaning, AddressRejected)
    assert meaning.part == ADDRESS_REFUSALS[name]
    assert not any(each in meaning.description for each in ("00000", "too_long_zipcode"))


def test_an_address_where_no_mail_goes_is_told_with_its_part() -> None:
    asked = Address("invalid address line", "", "Philadelphia", "PA", "19147", "US")

    resolution = avatax_addresses.resolution(EXCHANGES["resolve-undeliverable"].body(), asked)

    assert (resolution.is_valid(), resolution.address) == (False, None)
    assert [(each.part, each.message, each.is_error) for each in resolution.remarks] == [
        ("line1", "The address number is out of range", True)
    ]


def test_no_recording_is_left_out() -> None:
    read = {
        *QUOTES, *REFUSALS, *ADDRESS_REFUSALS,
        "record-sale", "record-sale-three-lines", "adjust-sale", "read-sale-any-case", "read-sale-committed",
        "record-return", "refund-percentage", "read-sale-saved", "read-return-saved", "read-return-committed",
        "void", "resolve-undeliverable",
    }  # fmt: skip

    assert read == set(EXCHANGES)
