"""Tax messages to domain and back; what the rules cannot say is refused by field."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from ordermesh.tax.v1 import tax_pb2, tax_service_pb2

from kernel.errors import Reason, Refusal
from kernel.money import Money
from tax_svc import wire
from tax_svc.domain.document import DocumentState, RecordedDocument
from tax_svc.domain.quote import Jurisdiction, Quote, Source, TaxLine
from tax_svc.domain.resolution import Remark, Resolution
from tests.fakes.tax_samples import BERLIN, basis, basis_message, document, money_message, order_id, refund_message


def test_a_basis_arrives_whole() -> None:
    message = basis_message(1999, 5)
    message.lines[1].tax_code = "P0000001"
    message.ship_to.line2 = "Suite 2"

    found = wire.basis_from_wire(message)

    expected = basis(1999, 5)
    assert found.ship_to == expected.ship_to
    assert found.lines[0] == expected.lines[0]
    assert found.lines[1].tax_code == "P0000001"
    assert (found.customer_id, found.currency_code) == ("customer-1", "USD")


def unknown_currency(message: tax_pb2.TaxBasis) -> None:
    message.currency_code = "XXZ"


def second_currency(message: tax_pb2.TaxBasis) -> None:
    message.lines[1].amount.currency_code = "EUR"


def more_discount_than_price(message: tax_pb2.TaxBasis) -> None:
    message.lines[1].amount.minor_units = -2


def same_line_twice(message: tax_pb2.TaxBasis) -> None:
    message.lines[1].line_id = message.lines[0].line_id


@pytest.mark.parametrize(
    ("spoil", "field"),
    [
        (unknown_currency, "basis.currency_code"),
        (second_currency, "basis.lines[1].amount.currency_code"),
        (more_discount_than_price, "basis.lines"),
        (same_line_twice, "basis.lines[1].line_id"),
    ],
)
def test_what_makes_no_sense_is_refused_by_field(spoil: Callable[[tax_pb2.TaxBasis], None], field: str) -> None:
    message = basis_message(1, 2)
    spoil(message)

    with pytest.raises(Refusal) as refused:
        wire.basis_from_wire(message)

    assert refused.value.reason is Reason.VALIDATION_FAILED
    assert [each.field for each in refused.value.fields] == [field]


def test_the_charged_tax_has_to_be_in_the_same_currency() -> None:
    with pytest.raises(Refusal, match=r"charged_tax\.currency_code"):
        wire.amount_from_wire(money_message(1, "EUR"), "charged_tax", "USD")


def test_a_quote_is_told_whole() -> None:
    county = Jurisdiction("PHILADELPHIA", "County", Decimal("0.0000001"), Money("USD", 20))
    quote = Quote.of(Source.AVATAX, [TaxLine("a", Money("USD", 80), (county,)), TaxLine("b", Money("USD", 1))], "USD")

    message = wire.quote_to_wire(quote)

    assert message.total_tax == money_message(81)
    assert message.source == tax_pb2.TAX_SOURCE_AVATAX
    assert [line.line_id for line in message.lines] == ["a", "b"]
    assert message.lines[0].jurisdictions[0] == tax_pb2.TaxJurisdiction(
        name="PHILADELPHIA", kind="County", rate="0.0000001", tax=money_message(20)
    )


@pytest.mark.parametrize("state", DocumentState)
def test_a_document_is_told_with_its_difference(state: DocumentState) -> None:
    message = wire.document_to_wire(replace(document("order", 172, 180), state=state))

    assert message.code == "order"
    assert message.total_tax == money_message(172)
    assert message.difference == money_message(-8)
    assert (message.order_id, message.kind) == ("order", tax_pb2.TAX_DOCUMENT_KIND_SALE)
    assert message.create_time.ToMilliseconds() == 1_795_435_200_000
    assert tax_pb2.TaxDocumentState.Name(message.state) == f"TAX_DOCUMENT_STATE_{state.name}"


@pytest.mark.parametrize("source", Source)
def test_every_source_has_its_word_on_the_wire(source: Source) -> None:
    message = wire.quote_to_wire(Quote.of(source, [], "USD"))

    assert tax_pb2.TaxSource.Name(message.source) == f"TAX_SOURCE_{source.name}"


@pytest.mark.parametrize("skip", [0, 1, 100, 2**31 - 1])
def test_a_place_in_avataxs_list_is_found_again(skip: int) -> None:
    assert wire.skip_from_wire(wire.skip_to_wire(skip)) == skip
    assert wire.skip_from_wire("") == 0


@pytest.mark.parametrize("token", ["x", "!!!!", "LTE=", "bm8=", "MjE0NzQ4MzY0OA==", "w6k="])
def test_a_token_of_somebody_elses_is_refused(token: str) -> None:
    with pytest.raises(Refusal, match="page_token"):
        wire.skip_from_wire(token)


@pytest.mark.parametrize(("asked", "given"), [(0, 100), (1, 1), (100, 100), (101, 100)])
def test_a_page_of_avataxs_list_has_a_bound(asked: int, given: int) -> None:
    assert wire.page_size_from_wire(tax_service_pb2.ListProviderDocumentsRequest(page_size=asked)) == given


def test_a_return_keeps_its_sign_and_its_day() -> None:
    returned = RecordedDocument(
        "key-1", "ReturnInvoice", "Committed", Money("JPY", -1200), Money("JPY", -120), date(2026, 11, 23)
    )

    message = wire.recorded_to_wire(returned)

    assert (message.code, message.kind, message.status) == ("key-1", "ReturnInvoice", "Committed")
    assert (message.amount, message.tax) == (money_message(-1200, "JPY"), money_message(-120, "JPY"))
    assert message.date.ToJsonString() == "2026-11-23T00:00:00Z"


def test_who_buys_and_whether_prices_include_the_tax_arrive() -> None:
    message = basis_message(1999, -500)
    message.prices_include_tax = True
    message.exemption_number, message.entity_use_code, message.business_id = "E", "A", "B"

    found = wire.basis_from_wire(message)

    assert (found.prices_include_tax, found.exemption_number, found.entity_use_code) == (True, "E", "A")
    assert (found.business_id, found.subtotal()) == ("B", Money("USD", 1499))


def test_what_is_given_back_arrives_line_by_line_under_its_code() -> None:
    order = order_id()

    found = wire.giveback_from_wire(refund_message(f"{order}:refund:2", order, (1000, 86), (1, 0)), "order")

    assert (found.code, found.order_id) == (f"{order}-r2", order)
    assert [(line.sold.line_id, line.amount.minor_units, line.tax.minor_units) for line in found.lines] == [
        ("line-1", 1000, 86),
        ("line-2", 1, 0),
    ]
    assert (found.amount(), found.tax()) == (Money("USD", 1001), Money("USD", 86))


def by_amount(message: tax_service_pb2.RefundTaxRequest) -> None:
    message.amount.CopyFrom(money_message(1))


def line_of_another_sale(message: tax_service_pb2.RefundTaxRequest) -> None:
    message.lines[1].line_id = "line-9"


def line_twice(message: tax_service_pb2.RefundTaxRequest) -> None:
    message.lines[1].line_id = "line-1"


def tax_in_euros(message: tax_service_pb2.RefundTaxRequest) -> None:
    message.lines[1].tax.currency_code = "EUR"


def more_than_sold(message: tax_service_pb2.RefundTaxRequest) -> None:
    message.lines[1].amount.minor_units = 2000


def negative_tax(message: tax_service_pb2.RefundTaxRequest) -> None:
    message.lines[1].tax.minor_units = -1


def discounts_alone(message: tax_service_pb2.RefundTaxRequest) -> None:
    message.basis.lines[1].amount.minor_units = -5
    message.lines[1].amount.minor_units = -5
    message.lines[0].amount.minor_units = message.lines[0].tax.minor_units = 0


def same_basis_line_twice(message: tax_service_pb2.RefundTaxRequest) -> None:
    message.basis.lines[1].line_id = "line-1"


@pytest.mark.parametrize(
    ("spoil", "field"),
    [
        (by_amount, "amount"),
        (line_of_another_sale, "lines[1].line_id"),
        (line_twice, "lines[1].line_id"),
        (tax_in_euros, "lines[1].tax.currency_code"),
        (more_than_sold, "lines[1].amount.minor_units"),
        (negative_tax, "lines[1].tax.minor_units"),
        (discounts_alone, "lines"),
        (same_basis_line_twice, "basis.lines[1].line_id"),
    ],
)
def test_a_refund_that_makes_no_sense_is_refused_by_field(
    spoil: Callable[[tax_service_pb2.RefundTaxRequest], None], field: str
) -> None:
    message = refund_message("key-1", order_id(), (1000, 86), (1, 0))
    spoil(message)

    with pytest.raises(Refusal) as refused:
        wire.giveback_from_wire(message, "order")

    assert refused.value.reason is Reason.VALIDATION_FAILED
    assert [each.field for each in refused.value.fields] == [field]


def test_what_is_said_of_an_address_is_told_by_our_names() -> None:
    remark = Remark("postal_code", "is not valid", is_error=True)

    bad, good = wire.resolution_to_wire(Resolution(None, (remark,))), wire.resolution_to_wire(Resolution(BERLIN, ()))

    assert (bad.valid, bad.HasField("address")) == (False, False)
    assert bad.remarks[0] == tax_pb2.AddressRemark(field="postal_code", message="is not valid", error=True)
    assert (good.valid, good.address.locality) == (True, "Berlin")


def asked(**more: object) -> tax_service_pb2.ListTaxDocumentsRequest:
    return tax_service_pb2.ListTaxDocumentsRequest(**more)  # type: ignore[arg-type]  # fields by their names


def test_a_place_in_our_list_is_found_again_under_the_same_filters() -> None:
    last = document(order_id(), minutes=3)
    token = wire.place_to_wire(asked(differing=True), last)

    found = wire.listed_from_wire(asked(differing=True, page_token=token, page_size=7))

    assert (found.after, found.differing, found.limit) == ((last.created_at, last.code), True, 7)
    with pytest.raises(Refusal, match="other filters"):
        wire.listed_from_wire(asked(page_token=token))


@pytest.mark.parametrize(("size", "limit"), [(0, 50), (1, 1), (200, 200), (1000, 200)])
def test_a_page_of_our_documents_has_a_usual_and_a_largest_size(size: int, limit: int) -> None:
    assert wire.listed_from_wire(asked(page_size=size)).limit == limit


@pytest.mark.parametrize("token", ["x", "!!!!", "LTE=", "fEZhbHNlfHh8eQ==", "fEZhbHNlfDk5OTk5OTk5OTk5OTk5OTk5OTk5fHk="])
def test_a_place_that_is_none_is_refused(token: str) -> None:
    with pytest.raises(Refusal) as refused:
        wire.listed_from_wire(asked(page_token=token))

    assert [each.field for each in refused.value.fields] == ["page_token"]
