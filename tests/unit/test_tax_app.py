"""What the tax service decides, with everything around it made up."""

import asyncio
from decimal import Decimal

import pytest

from kernel.errors import Reason, Refusal
from kernel.money import Money
from kernel.outcome import Unknown
from tax_svc.app.cache import QuoteCache
from tax_svc.app.commit import CommitTax
from tax_svc.app.quote import QuoteTax
from tax_svc.domain.document import Document, DocumentKind, DocumentState
from tax_svc.domain.fallback import FallbackRates
from tax_svc.domain.quote import Source
from tests.fakes.manual_clock import ManualClock
from tests.fakes.tax_authority import TODAY, FakeTaxAuthority
from tests.fakes.tax_documents import FakeDocuments
from tests.fakes.tax_samples import NOWHERE, basis, order_id, request

CHARGED = Money("USD", 160)


@pytest.fixture
def authority() -> FakeTaxAuthority:
    return FakeTaxAuthority()


@pytest.fixture
def documents() -> FakeDocuments:
    return FakeDocuments()


@pytest.fixture
def quote_tax(authority: FakeTaxAuthority) -> QuoteTax:
    return QuoteTax(authority, FallbackRates(Decimal("0.08")), QuoteCache(ManualClock(), 0))


@pytest.fixture
def commit_tax(authority: FakeTaxAuthority, documents: FakeDocuments) -> CommitTax:
    return CommitTax(authority, documents, ManualClock())


async def test_the_authority_is_asked_first(quote_tax: QuoteTax) -> None:
    quote = await quote_tax(basis(1999))

    assert (quote.source, quote.total_tax) == (Source.AVATAX, Money("USD", 172))


async def test_while_nobody_answers_the_default_rate_is_used_and_said(
    quote_tax: QuoteTax, authority: FakeTaxAuthority
) -> None:
    authority.away = Unknown("timeout")

    quote = await quote_tax(basis(1999))

    assert (quote.source, quote.total_tax) == (Source.FALLBACK, Money("USD", 160))


async def test_a_bad_address_is_refused_by_field_and_never_taxed_by_guess(quote_tax: QuoteTax) -> None:
    with pytest.raises(Refusal) as refused:
        await quote_tax(basis(1999, ship_to=NOWHERE))

    assert refused.value.reason is Reason.ADDRESS_INVALID
    assert [each.field for each in refused.value.fields] == ["basis.ship_to.postal_code"]
    assert "00000" not in refused.value.message


async def test_a_recorded_sale_carries_the_difference_to_what_was_charged(
    commit_tax: CommitTax, documents: FakeDocuments
) -> None:
    order = order_id()

    document = await commit_tax(request(), order, basis(1999), CHARGED)

    assert document == Document(
        code=order,
        order_id=order,
        kind=DocumentKind.SALE,
        state=DocumentState.COMMITTED,
        recorded_tax=Money("USD", 172),
        charged_tax=CHARGED,
        booked_on=TODAY,
        created_at=ManualClock().now(),
    )
    assert document.difference() == Money("USD", 12)
    assert documents.documents == {order: document}


async def test_the_same_command_again_gets_the_same_document_and_asks_nobody(
    commit_tax: CommitTax, authority: FakeTaxAuthority
) -> None:
    order = order_id()
    first = await commit_tax(request(), order, basis(1999), CHARGED)
    authority.away = Unknown("asked again")

    assert await commit_tax(request(), order, basis(1999), CHARGED) == first


async def test_a_key_used_for_another_request_is_refused_before_anything_is_done(
    commit_tax: CommitTax, authority: FakeTaxAuthority
) -> None:
    await commit_tax(request(), order_id(), basis(1999), CHARGED)
    other = order_id()

    with pytest.raises(Refusal) as refused:
        await commit_tax(request(fingerprint="0" * 64), other, basis(1), CHARGED)

    assert refused.value.reason is Reason.REQUEST_ID_REUSED
    assert other not in authority.recorded


async def test_a_second_key_for_an_order_gets_the_document_that_is_there(
    commit_tax: CommitTax, authority: FakeTaxAuthority
) -> None:
    order = order_id()
    first = await commit_tax(request("key-1"), order, basis(1999), CHARGED)
    authority.away = Unknown("asked again")

    assert await commit_tax(request("key-2", "0" * 64), order, basis(1999), Money("USD", 1)) == first
    assert await commit_tax(request("key-2", "0" * 64), order, basis(1999), Money("USD", 1)) == first


async def test_while_nobody_answers_a_sale_is_not_called_recorded(
    commit_tax: CommitTax, authority: FakeTaxAuthority, documents: FakeDocuments
) -> None:
    authority.away = Unknown("http 503", retry_after=7.0)

    with pytest.raises(Refusal) as refused:
        await commit_tax(request(), order_id(), basis(1999), CHARGED)

    assert refused.value.reason is Reason.UNAVAILABLE
    assert refused.value.retry_after == 7.0
    assert documents.documents == {}


async def test_a_lost_answer_is_settled_by_the_same_command(commit_tax: CommitTax, authority: FakeTaxAuthority) -> None:
    order = order_id()
    authority.loses_answers = True
    with pytest.raises(Refusal, match="repeat the request"):
        await commit_tax(request(), order, basis(1999), CHARGED)
    authority.loses_answers = False

    document = await commit_tax(request(), order, basis(1999), CHARGED)

    assert document.recorded_tax == Money("USD", 172)
    assert list(authority.recorded) == [order]


async def test_a_sale_that_the_authority_knows_otherwise_is_refused(commit_tax: CommitTax) -> None:
    order = order_id()
    await CommitTax(commit_tax._authority, FakeDocuments(), ManualClock())(request(), order, basis(1), CHARGED)

    with pytest.raises(Refusal) as refused:
        await commit_tax(request(), order, basis(2), CHARGED)

    assert refused.value.reason is Reason.PROVIDER_REFUSED
    assert refused.value.metadata == {"provider": "avatax", "code": "DocumentDiffers"}


async def test_many_of_one_command_at_once_make_one_document(commit_tax: CommitTax, documents: FakeDocuments) -> None:
    order = order_id()

    found = await asyncio.gather(*(commit_tax(request(), order, basis(1999), CHARGED) for _ in range(20)))

    assert {each.code for each in found} == {order}
    assert list(documents.documents) == [order]
