"""Quotes that are remembered, and estimates that are not."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from kernel.errors import Reason, Refusal
from kernel.money import Money
from kernel.outcome import Unknown
from tax_svc.app.cache import QuoteCache
from tax_svc.app.quote import QuoteTax
from tax_svc.domain.basis import Basis
from tax_svc.domain.fallback import FallbackRates
from tax_svc.domain.quote import Quote, Source, TaxLine
from tests.fakes.manual_clock import ManualClock
from tests.fakes.tax_authority import FakeTaxAuthority
from tests.fakes.tax_samples import BERLIN, NOWHERE, SAN_FRANCISCO, basis

EIGHT_PERCENT = FallbackRates(Decimal("0.08"))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def authority() -> FakeTaxAuthority:
    return FakeTaxAuthority()


@pytest.fixture
def quote_tax(authority: FakeTaxAuthority, clock: ManualClock) -> QuoteTax:
    return QuoteTax(authority, EIGHT_PERCENT, QuoteCache(clock, 300))


async def test_the_same_basis_within_minutes_is_asked_once(
    quote_tax: QuoteTax, authority: FakeTaxAuthority, clock: ManualClock
) -> None:
    first = await quote_tax(basis(1999))
    clock.advance(299)

    assert await quote_tax(basis(1999)) == first
    assert authority.asked == 1
    clock.advance(1)
    await quote_tax(basis(1999))
    assert authority.asked == 2


OTHERS = [
    basis(1998),
    basis(1999, 1),
    basis(1999, currency_code="EUR"),
    basis(1999, ship_to=BERLIN),
    basis(1999, ship_to=replace(SAN_FRANCISCO, line2="")),
    basis(1999, prices_include_tax=True),
    replace(basis(1999), customer_id="customer-2"),
    replace(basis(1999), exemption_number="1"),
    replace(basis(1999), entity_use_code="1"),
    replace(basis(1999), business_id="1"),
    replace(basis(1999), lines=(replace(basis(1999).lines[0], tax_code="FR"),)),
    replace(basis(1999), lines=(replace(basis(1999).lines[0], quantity=2),)),
]


@pytest.mark.parametrize("other", OTHERS)
async def test_whatever_is_another_is_asked_anew(
    quote_tax: QuoteTax, authority: FakeTaxAuthority, other: Basis
) -> None:
    await quote_tax(basis(1999))
    await quote_tax(other)

    assert authority.asked == 2


async def test_an_estimate_is_never_remembered(quote_tax: QuoteTax, authority: FakeTaxAuthority) -> None:
    authority.away = Unknown("timeout")
    assert (await quote_tax(basis(1999))).source is Source.FALLBACK
    authority.away = None

    assert (await quote_tax(basis(1999))).source is Source.AVATAX


async def test_a_refusal_is_never_remembered(quote_tax: QuoteTax, authority: FakeTaxAuthority) -> None:
    for _ in range(2):
        with pytest.raises(Refusal):
            await quote_tax(basis(1999, ship_to=NOWHERE))

    assert authority.asked == 2


async def test_at_midnight_rates_may_change(authority: FakeTaxAuthority) -> None:
    clock = ManualClock(datetime(2026, 12, 31, 23, 59, 30, tzinfo=UTC))
    quote_tax = QuoteTax(authority, EIGHT_PERCENT, QuoteCache(clock, 300))
    await quote_tax(basis(1999))
    clock.advance(60)

    await quote_tax(basis(1999))

    assert authority.asked == 2


async def test_zero_seconds_remember_nothing(authority: FakeTaxAuthority, clock: ManualClock) -> None:
    quote_tax = QuoteTax(authority, EIGHT_PERCENT, QuoteCache(clock, 0))
    for _ in range(2):
        await quote_tax(basis(1999))

    assert authority.asked == 2


def quoted(tax: int, currency_code: str = "USD") -> Quote:
    return Quote.of(Source.AVATAX, [TaxLine("line-1", Money(currency_code, tax))], currency_code)


def test_it_holds_so_many_and_lets_go_what_was_not_used_longest(clock: ManualClock) -> None:
    cache = QuoteCache(clock, 300, most=2)
    cache.keep(basis(1), quoted(1))
    cache.keep(basis(2), quoted(2))
    assert cache.find(basis(1)) == quoted(1)
    cache.keep(basis(3), quoted(3))

    assert [cache.find(basis(amount)) for amount in (1, 2, 3)] == [quoted(1), None, quoted(3)]


def test_what_is_in_another_currency_is_not_kept(clock: ManualClock) -> None:
    cache = QuoteCache(clock, 300)
    cache.keep(basis(1), quoted(1, "JPY"))

    assert cache.find(basis(1)) is None


async def test_where_no_estimate_is_allowed_the_order_is_refused(
    authority: FakeTaxAuthority, clock: ManualClock
) -> None:
    policy = FallbackRates(Decimal("0.08"), allowed={"*": True, "US-CA": False})
    quote_tax = QuoteTax(authority, policy, QuoteCache(clock, 300))
    authority.away = Unknown("timeout")

    with pytest.raises(Refusal, match="try again later") as refused:
        await quote_tax(basis(1999))

    assert refused.value.reason is Reason.TAX_UNAVAILABLE
    assert (await quote_tax(basis(1999, ship_to=BERLIN))).source is Source.FALLBACK
    authority.away = None
    assert (await quote_tax(basis(1999))).source is Source.AVATAX


@pytest.mark.parametrize(
    ("allowed", "answers"),
    [
        ({}, (True, True)),
        ({"*": False}, (False, False)),
        ({"*": False, "US": True}, (True, False)),
        ({"US": False, "US-CA": True}, (True, True)),
        ({"US-NY": False, "DE": False}, (True, False)),
    ],
)
def test_the_narrowest_region_decides_whether_an_estimate_is_allowed(
    allowed: dict[str, bool], answers: tuple[bool, bool]
) -> None:
    policy = FallbackRates(Decimal("0.08"), allowed=allowed)

    assert (policy.allows(SAN_FRANCISCO), policy.allows(BERLIN)) == answers
