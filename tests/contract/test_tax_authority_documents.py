"""What every tax authority promises of returns, voids, exemptions, prices with tax and addresses."""

import asyncio
from dataclasses import replace
from datetime import date

import pytest

from kernel.address import Address
from kernel.money import Money
from kernel.outcome import Done, NotDone
from tax_svc.app.ports import SaleRejected, TaxAuthority
from tests.fakes.tax_samples import BERLIN, NOWHERE, SAN_FRANCISCO, basis, giveback, order_id
from tests.fakes.tax_world import listed

SOLD_ON = date(2026, 11, 20)


@pytest.mark.parametrize("currency_code", ["USD", "JPY", "KWD"])
@pytest.mark.parametrize("included", [False, True])
async def test_every_kind_of_quote_adds_up_line_by_line(
    authority: TaxAuthority,
    currency_code: str,
    included: bool,  # noqa: FBT001  (pytest passes it by name)
) -> None:
    sold = basis(19_999, 1, -333, 123_457, currency_code=currency_code, prices_include_tax=included)

    outcome = await authority.quote(sold)

    assert isinstance(outcome, Done)
    quote = outcome.value
    assert [line.line_id for line in quote.lines] == [line.line_id for line in sold.lines]
    assert Money.total((line.tax for line in quote.lines), currency_code) == quote.total_tax
    assert quote.total_tax.minor_units > 0
    assert quote.lines[2].tax.minor_units < 0


async def test_a_tax_that_prices_include_is_taken_out_of_them(authority: TaxAuthority) -> None:
    outside = await authority.quote(basis(10_000))
    inside = await authority.quote(basis(10_000, prices_include_tax=True))

    assert isinstance(outside, Done)
    assert isinstance(inside, Done)
    tax, net = inside.value.total_tax.minor_units, 10_000 - inside.value.total_tax.minor_units
    assert tax == pytest.approx(net * outside.value.total_tax.minor_units / 10_000, abs=1)


async def test_a_sale_whose_prices_include_the_tax_is_recorded_and_read_again(authority: TaxAuthority) -> None:
    order, sold = order_id(), basis(1999, -500, prices_include_tax=True)
    quoted, first = await authority.quote(sold), await authority.record(order, sold)

    assert isinstance(quoted, Done)
    assert isinstance(first, Done)
    assert first.value.tax == quoted.value.total_tax
    assert await authority.record(order, sold) == first


@pytest.mark.parametrize("how", [{"exemption_number": "EX-1"}, {"entity_use_code": "A"}])
async def test_an_exempt_buyer_pays_no_tax(authority: TaxAuthority, how: dict[str, str]) -> None:
    exempt = replace(basis(1999, 501), **how)  # type: ignore[arg-type]  # both are texts

    outcome = await authority.quote(exempt)

    assert isinstance(outcome, Done)
    assert [line.tax.minor_units for line in outcome.value.lines] == [0, 0]


async def test_a_business_is_named_by_its_number(authority: TaxAuthority) -> None:
    business = replace(basis(1999, ship_to=BERLIN, currency_code="EUR"), business_id="DE123456789")

    assert isinstance(await authority.quote(business), Done)


@pytest.mark.parametrize(("currency_code", "amounts"), [("USD", (1000, -100)), ("JPY", (10, -3)), ("KWD", (1, -1))])
async def test_exactly_the_tax_that_goes_back_is_recorded(
    authority: TaxAuthority, currency_code: str, amounts: tuple[int, int]
) -> None:
    order, sold = order_id(), basis(1999, -500, 1, currency_code=currency_code)
    await authority.record(order, sold)
    # No rate gives these taxes: they are shares of what was once charged.
    back = giveback(f"{order}-r1", order, sold, (amounts[0], 123), (amounts[1], -7))

    outcome = await authority.give_back(back, SOLD_ON)

    assert isinstance(outcome, Done)
    assert outcome.value.tax == Money(currency_code, -116)
    sale, returned = await listed(authority, 100)
    assert (returned.code, returned.kind, returned.status) == (f"{order}-r1", "ReturnInvoice", "Committed")
    assert (returned.amount, returned.tax) == (back.amount() * -1, Money(currency_code, -116))
    assert (sale.code, sale.amount) == (order, sold.subtotal())


async def test_giving_back_again_returns_what_was_recorded_first(authority: TaxAuthority) -> None:
    order, sold = order_id(), basis(1999)
    await authority.record(order, sold)
    back = giveback(f"{order}-r1", order, sold, (1000, 86))

    outcomes = await asyncio.gather(*(authority.give_back(back, SOLD_ON) for _ in range(8)))

    assert isinstance(outcomes[0], Done)
    assert all(outcome == outcomes[0] for outcome in outcomes)
    assert len(await listed(authority, 100)) == 2


async def test_giving_other_amounts_back_under_the_same_code_is_refused(authority: TaxAuthority) -> None:
    order, sold = order_id(), basis(1999)
    first = await authority.give_back(giveback(f"{order}-r1", order, sold, (1000, 86)), SOLD_ON)

    other = await authority.give_back(giveback(f"{order}-r1", order, sold, (900, 78)), SOLD_ON)

    assert other == NotDone(SaleRejected("DocumentDiffers"))
    assert await authority.give_back(giveback(f"{order}-r1", order, sold, (1000, 86)), SOLD_ON) == first


async def test_discounts_that_save_more_tax_than_the_goods_cost_are_refused(authority: TaxAuthority) -> None:
    sold = basis(1000, -900)
    untaxed = replace(sold, lines=(replace(sold.lines[0], tax_code="NT"), sold.lines[1]))

    assert await authority.quote(untaxed) == NotDone(SaleRejected("NegativeTax"))


async def test_a_sale_is_voided_as_often_as_one_likes(authority: TaxAuthority) -> None:
    order = order_id()
    recorded = await authority.record(order, basis(1999))

    assert await authority.void(order) == recorded
    assert await authority.void(order) == recorded
    assert [document.status for document in await listed(authority, 100)] == ["Cancelled"]


async def test_where_there_is_no_sale_nothing_is_voided(authority: TaxAuthority) -> None:
    assert await authority.void(order_id()) == Done(None)


async def test_a_good_address_is_valid(authority: TaxAuthority) -> None:
    outcome = await authority.resolve(SAN_FRANCISCO)

    assert isinstance(outcome, Done)
    assert (outcome.value.is_valid(), outcome.value.address, outcome.value.remarks) == (True, SAN_FRANCISCO, ())


async def test_what_the_post_writes_otherwise_is_remarked_on(authority: TaxAuthority) -> None:
    outcome = await authority.resolve(replace(SAN_FRANCISCO, administrative_area="California"))

    assert isinstance(outcome, Done)
    assert (outcome.value.is_valid(), outcome.value.address) == (True, SAN_FRANCISCO)
    assert [(remark.part, remark.is_error) for remark in outcome.value.remarks] == [("administrative_area", False)]


@pytest.mark.parametrize(
    ("address", "part"), [(NOWHERE, "postal_code"), (replace(SAN_FRANCISCO, line1="Invalid address"), "line1")]
)
async def test_what_is_wrong_with_an_address_is_told_by_its_part(
    authority: TaxAuthority, address: Address, part: str
) -> None:
    outcome = await authority.resolve(address)

    assert isinstance(outcome, Done)
    assert (outcome.value.is_valid(), outcome.value.address) == (False, None)
    assert [(remark.part, remark.is_error) for remark in outcome.value.remarks] == [(part, True)]
