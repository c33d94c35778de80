"""What the tax service decides about returns and voids, with everything around it made up."""

import asyncio
from dataclasses import replace
from datetime import date

import pytest

from kernel.errors import Reason, Refusal
from kernel.money import Money
from kernel.outcome import Unknown
from tax_svc.app.commit import CommitTax
from tax_svc.app.refund import RefundTax
from tax_svc.app.void import VoidTax
from tax_svc.domain.document import DocumentKind, DocumentState, Recorded
from tax_svc.domain.giveback import Giveback
from tests.fakes.manual_clock import ManualClock
from tests.fakes.tax_authority import TODAY, FakeTaxAuthority
from tests.fakes.tax_documents import FakeDocuments
from tests.fakes.tax_samples import basis, giveback, order_id, request

CHARGED = Money("USD", 160)


@pytest.fixture
def authority() -> FakeTaxAuthority:
    return FakeTaxAuthority()


@pytest.fixture
def documents() -> FakeDocuments:
    return FakeDocuments()


@pytest.fixture
def commit(authority: FakeTaxAuthority, documents: FakeDocuments) -> CommitTax:
    return CommitTax(authority, documents, ManualClock())


@pytest.fixture
def refund(authority: FakeTaxAuthority, documents: FakeDocuments) -> RefundTax:
    return RefundTax(authority, documents, ManualClock())


@pytest.fixture
def void(authority: FakeTaxAuthority, documents: FakeDocuments) -> VoidTax:
    return VoidTax(authority, documents, ManualClock())


@pytest.fixture
async def order(commit: CommitTax) -> str:
    """Return an order whose sale is recorded."""
    order = order_id()
    await commit(request("commit"), order, basis(1999), CHARGED)
    return order


def half(order: str, tax: int = 80) -> Giveback:
    return giveback(f"{order}-r1", order, basis(1999), (999, tax))


async def test_a_return_is_recorded_with_just_the_tax_that_goes_back(refund: RefundTax, order: str) -> None:
    document = await refund(request(), half(order))

    assert (document.code, document.order_id, document.kind) == (f"{order}-r1", order, DocumentKind.RETURN)
    assert (document.recorded_tax, document.charged_tax) == (Money("USD", -80), Money("USD", -80))
    assert document.difference() == Money.zero("USD")


async def test_what_avatax_would_not_record_is_the_difference(
    refund: RefundTax, authority: FakeTaxAuthority, order: str
) -> None:
    authority.returned[f"{order}-r1"] = (half(order), Recorded(Money("USD", -78), TODAY))

    document = await refund(request(), half(order))

    assert (document.recorded_tax, document.difference()) == (Money("USD", -78), Money("USD", 2))


async def test_a_return_is_about_the_day_of_the_sale(
    refund: RefundTax, authority: FakeTaxAuthority, documents: FakeDocuments, order: str
) -> None:
    documents.documents[order] = replace(documents.documents[order], booked_on=date(2026, 10, 1))

    await refund(request(), half(order))

    assert authority.sold_on == {f"{order}-r1": date(2026, 10, 1)}


async def test_of_a_sale_that_kept_no_date_the_day_of_its_row_counts(
    refund: RefundTax, authority: FakeTaxAuthority, documents: FakeDocuments, order: str
) -> None:
    documents.documents[order] = replace(documents.documents[order], booked_on=None)

    await refund(request(), half(order))

    assert authority.sold_on == {f"{order}-r1": ManualClock().now().date()}


async def test_the_same_refund_again_gets_the_same_document_and_asks_nobody(
    refund: RefundTax, authority: FakeTaxAuthority, order: str
) -> None:
    first = await refund(request(), half(order))
    authority.away = Unknown("asked again")

    assert await refund(request(), half(order)) == first


async def test_many_of_one_refund_at_once_make_one_document(
    refund: RefundTax, documents: FakeDocuments, authority: FakeTaxAuthority, order: str
) -> None:
    found = await asyncio.gather(*(refund(request(), half(order)) for _ in range(20)))

    assert {each.code for each in found} == {f"{order}-r1"}
    assert sorted(documents.documents) == [order, f"{order}-r1"]
    assert list(authority.returned) == [f"{order}-r1"]


async def test_a_lost_answer_to_a_return_is_settled_by_the_same_command(
    refund: RefundTax, authority: FakeTaxAuthority, order: str
) -> None:
    authority.loses_answers = True
    with pytest.raises(Refusal) as refused:
        await refund(request(), half(order))
    authority.loses_answers = False

    assert refused.value.reason is Reason.UNAVAILABLE
    assert (await refund(request(), half(order))).recorded_tax == Money("USD", -80)
    assert len(authority.returned) == 1


async def test_a_key_used_for_another_refund_is_refused_before_anything_is_done(
    refund: RefundTax, authority: FakeTaxAuthority, order: str
) -> None:
    await refund(request(), half(order))

    with pytest.raises(Refusal) as refused:
        await refund(request(fingerprint="0" * 64), giveback(f"{order}-r2", order, basis(1999), (1, 0)))

    assert refused.value.reason is Reason.REQUEST_ID_REUSED
    assert list(authority.returned) == [f"{order}-r1"]


async def test_another_callers_refund_of_the_same_number_is_the_same_or_refused(
    refund: RefundTax, authority: FakeTaxAuthority, order: str
) -> None:
    first = await refund(request(), half(order))
    other = replace(request(), caller="other")

    with pytest.raises(Refusal) as refused:
        await refund(replace(other, request_id="key-2"), half(order, 79))

    assert refused.value.reason is Reason.REQUEST_ID_REUSED
    assert await refund(other, half(order)) == first
    assert len(authority.returned) == 1


async def test_before_the_sale_nothing_is_given_back(refund: RefundTax, authority: FakeTaxAuthority) -> None:
    with pytest.raises(Refusal) as refused:
        await refund(request(), half(order_id()))

    assert (refused.value.reason, refused.value.retry_after) == (Reason.UNAVAILABLE, 5.0)
    assert authority.returned == {}


async def test_of_a_voided_sale_nothing_is_given_back(
    refund: RefundTax, void: VoidTax, authority: FakeTaxAuthority, order: str
) -> None:
    await void(request(), order)

    with pytest.raises(Refusal) as refused:
        await refund(request(), half(order))

    assert refused.value.reason is Reason.ILLEGAL_STATE
    assert authority.returned == {}


async def test_a_return_that_avatax_knows_otherwise_is_refused(
    refund: RefundTax, authority: FakeTaxAuthority, order: str
) -> None:
    authority.returned[f"{order}-r1"] = (
        giveback(f"{order}-r1", order, basis(1999), (1, 0)),
        Recorded(Money.zero("USD"), TODAY),
    )

    with pytest.raises(Refusal) as refused:
        await refund(request(), half(order))

    assert refused.value.metadata == {"provider": "avatax", "code": "DocumentDiffers"}


async def test_a_void_is_noted_and_told_again(void: VoidTax, documents: FakeDocuments, order: str) -> None:
    first = await void(request(), order)

    assert first is not None
    assert first.state is DocumentState.VOIDED
    assert first.difference() == Money("USD", 12)
    assert await void(request(), order) == first
    assert await void(request("key-2"), order) == first
    assert documents.documents[order] == first


async def test_no_sale_at_all_counts_as_voided(void: VoidTax, documents: FakeDocuments) -> None:
    order = order_id()

    assert await void(request(), order) is None
    assert await void(request(), order) is None
    assert documents.documents == {}


async def test_a_sale_whose_answer_was_lost_is_voided_and_kept_as_void(
    void: VoidTax, commit: CommitTax, authority: FakeTaxAuthority
) -> None:
    order = order_id()
    authority.loses_answers = True
    with pytest.raises(Refusal):
        await commit(request("commit"), order, basis(1999), CHARGED)
    authority.loses_answers = False

    voided = await void(request(), order)

    assert voided is not None
    assert (voided.state, voided.recorded_tax) == (DocumentState.VOIDED, Money("USD", 172))
    assert authority.voided == {order}
    with pytest.raises(Refusal) as refused:
        await commit(request("commit"), order, basis(1999), CHARGED)
    assert refused.value.reason is Reason.ILLEGAL_STATE
    assert authority.voided == {order}


async def test_what_is_recorded_after_nothing_was_voided_is_not_called_void(void: VoidTax, commit: CommitTax) -> None:
    order = order_id()
    await void(request(), order)
    await commit(request("commit"), order, basis(1999), CHARGED)

    assert await void(request(), order) is None


async def test_a_lost_answer_to_a_void_is_settled_by_the_same_command(
    void: VoidTax, authority: FakeTaxAuthority, documents: FakeDocuments, order: str
) -> None:
    authority.loses_answers = True
    with pytest.raises(Refusal) as refused:
        await void(request(), order)
    assert documents.documents[order].state is DocumentState.COMMITTED
    authority.loses_answers = False

    assert refused.value.reason is Reason.UNAVAILABLE
    voided = await void(request(), order)
    assert voided is not None
    assert voided.state is DocumentState.VOIDED


async def test_a_reported_document_is_not_voided_and_the_way_out_is_named(
    void: VoidTax, authority: FakeTaxAuthority, documents: FakeDocuments, order: str
) -> None:
    authority.locked.add(order)

    with pytest.raises(Refusal, match="RefundTax") as refused:
        await void(request(), order)

    assert refused.value.reason is Reason.PROVIDER_REFUSED
    assert refused.value.metadata["code"] == "DocumentLocked"
    assert documents.documents[order].state is DocumentState.COMMITTED


async def test_a_sale_of_which_something_was_given_back_is_not_voided(
    void: VoidTax, refund: RefundTax, authority: FakeTaxAuthority, order: str
) -> None:
    await refund(request("refund"), half(order))

    with pytest.raises(Refusal) as refused:
        await void(request(), order)

    assert refused.value.reason is Reason.ILLEGAL_STATE
    assert authority.voided == set()


async def test_a_void_key_used_for_another_order_is_refused(void: VoidTax, order: str) -> None:
    await void(request(), order)

    with pytest.raises(Refusal) as refused:
        await void(request(fingerprint="0" * 64), order_id())

    assert refused.value.reason is Reason.REQUEST_ID_REUSED


async def test_many_voids_at_once_end_in_one(void: VoidTax, authority: FakeTaxAuthority, order: str) -> None:
    found = await asyncio.gather(*(void(request(f"key-{number}"), order) for number in range(20)))

    assert all(each is not None and each.state is DocumentState.VOIDED for each in found)
    assert authority.voided == {order}
