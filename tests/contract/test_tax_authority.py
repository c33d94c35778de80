"""What every tax authority promises: the fake, and AvaTax's adapter on the sandbox."""

import asyncio
from dataclasses import replace

import pytest

from kernel.money import Money
from kernel.outcome import Done, NotDone
from tax_svc.app.ports import AddressRejected, RecordedPage, SaleRejected, TaxAuthority
from tax_svc.domain.quote import Source
from tests.fakes.tax_samples import NOWHERE, basis, order_id
from tests.fakes.tax_world import listed


async def test_a_quote_has_every_line_in_order_and_adds_up(authority: TaxAuthority) -> None:
    sold = basis(1999, 1, 0, 123_456)

    match await authority.quote(sold):
        case Done(quote):
            assert quote.source is Source.AVATAX
            assert [line.line_id for line in quote.lines] == [line.line_id for line in sold.lines]
            assert sum(line.tax.minor_units for line in quote.lines) == quote.total_tax.minor_units
            assert quote.total_tax.minor_units > 0
        case other:
            pytest.fail(f"{other}")


async def test_the_same_basis_is_quoted_the_same(authority: TaxAuthority) -> None:
    assert await authority.quote(basis(1999)) == await authority.quote(basis(1999))


async def test_an_address_that_cannot_be_placed_is_refused_by_field(authority: TaxAuthority) -> None:
    nowhere = basis(1999, ship_to=NOWHERE)

    for outcome in (await authority.quote(nowhere), await authority.record(order_id(), nowhere)):
        assert isinstance(outcome, NotDone)
        assert isinstance(outcome.reason, AddressRejected)
        assert outcome.reason.part == "postal_code"


async def test_what_is_recorded_is_what_was_quoted(authority: TaxAuthority) -> None:
    quoted = await authority.quote(basis(1999, 501))
    assert isinstance(quoted, Done)

    recorded = await authority.record(order_id(), basis(1999, 501))

    assert isinstance(recorded, Done)
    assert recorded.value.tax == quoted.value.total_tax


async def test_recording_again_returns_what_was_recorded_first(authority: TaxAuthority) -> None:
    order = order_id()
    first = await authority.record(order, basis(1999))

    assert await authority.record(order, basis(1999)) == first


async def test_recording_many_times_at_once_records_one_sale(authority: TaxAuthority) -> None:
    order = order_id()

    outcomes = await asyncio.gather(*(authority.record(order, basis(1999)) for _ in range(8)))

    assert all(outcome == outcomes[0] for outcome in outcomes)
    assert isinstance(outcomes[0], Done)


async def test_another_sale_under_the_same_order_is_refused_and_changes_nothing(authority: TaxAuthority) -> None:
    order = order_id()
    first = await authority.record(order, basis(1999))

    assert await authority.record(order, basis(2999)) == NotDone(SaleRejected("DocumentDiffers"))
    assert await authority.record(order, basis(1999)) == first


async def test_nothing_is_due_on_nothing(authority: TaxAuthority) -> None:
    outcome = await authority.quote(basis(0))

    assert isinstance(outcome, Done)
    assert outcome.value.total_tax == Money.zero("USD")


async def test_a_sale_without_article_numbers_and_words_is_taxed_too(authority: TaxAuthority) -> None:
    sold = basis(1999)
    bare = replace(sold, lines=(replace(sold.lines[0], sku="", description=""),))

    assert isinstance(await authority.quote(bare), Done)


async def test_where_nothing_was_recorded_nothing_is_listed(authority: TaxAuthority) -> None:
    await authority.quote(basis(1999))

    assert await authority.list_recorded(0, 100) == Done(RecordedPage((), has_more=False))


async def test_what_was_recorded_is_listed_with_its_amounts(authority: TaxAuthority) -> None:
    dollars, yen = order_id(), order_id()
    taxes = {}
    for order, sold in ((dollars, basis(1999, 501)), (yen, basis(1200, currency_code="JPY"))):
        recorded = await authority.record(order, sold)
        assert isinstance(recorded, Done)
        taxes[order] = recorded.value.tax

    first, second = await listed(authority, 100)

    assert (first.code, first.kind, first.status) == (dollars, "SalesInvoice", "Committed")
    assert (first.amount, first.tax) == (Money("USD", 2500), taxes[dollars])
    assert (second.code, second.amount, second.tax) == (yen, Money("JPY", 1200), taxes[yen])


@pytest.mark.parametrize("size", [1, 2, 5, 100])
async def test_pages_show_each_document_once(authority: TaxAuthority, size: int) -> None:
    orders = [order_id() for _ in range(5)]
    for order in orders:
        await authority.record(order, basis(1999))

    assert sorted(document.code for document in await listed(authority, size)) == sorted(orders)
