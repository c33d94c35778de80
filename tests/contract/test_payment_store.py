"""Payments, refunds, events and request keys in the service's own migrated tables, on both databases."""

import asyncio
import itertools
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import Connection

from chassis.storage import migrations
from chassis.storage.changes import Change, CommitUnknown, Insert
from chassis.storage.store import Store, open_store
from kernel.clock import SystemClock
from kernel.money import Money
from payment_svc.__main__ import MIGRATIONS
from payment_svc.adapters.payments_store import StoredPayments
from payment_svc.adapters.rows import payment_columns
from payment_svc.adapters.tables import METADATA, PAYMENTS
from payment_svc.app.ports import Found, ProviderEvent, Request, Use
from payment_svc.domain.intent import Decline, DeclineKind, RefundState
from payment_svc.domain.payment import Payment, PaymentState
from payment_svc.domain.refund import Refund
from tests.fakes.migrated import MakeDatabase

T = TypeVar("T")

_NOW = datetime(2026, 11, 23, 12, 0, 0, 123_000, tzinfo=UTC)
_LATER = _NOW + timedelta(minutes=1)
_ID = "0199a0b0-0000-7000-8000-00000000000"


@pytest.fixture
async def opened(database_kind: str, make_database: MakeDatabase) -> AsyncIterator[Store]:
    opened = await open_store(make_database(database_kind, MIGRATIONS), metadata=METADATA)
    yield opened
    await opened.close()


@pytest.fixture
def store(opened: Store) -> StoredPayments:
    return StoredPayments(opened, SystemClock())


def payment(number: int = 1, **changes: object) -> Payment:
    made = Payment(
        payment_id=f"{_ID}{number}",
        order_id=f"{_ID[:-1]}1{number}",
        version=1,
        state=PaymentState.PENDING,
        amount=Money("JPY", 5000),
        captured=Money("JPY", 0),
        refunded=Money("JPY", 0),
        intent_id=f"pi_{number}",
        attempt=1,
        payment_method="pm_card_visa",
        past_failure="",
        decline=None,
        created_at=_NOW + timedelta(milliseconds=number),
        updated_at=_NOW,
        trace="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # its own fields


def refund(number: int = 1, **changes: object) -> Refund:
    made = Refund(
        f"{_ID[:-1]}9{number}", payment().payment_id, RefundState.PENDING, Money("JPY", 400), "", 1, _NOW, _NOW
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # its own fields


def request(request_id: str = "r1", fingerprint: str = "f", method: str = "ChargePayment") -> Request:
    return Request("local", method, request_id, fingerprint)


async def test_nothing_is_found_where_nothing_is(store: StoredPayments) -> None:
    assert await store.by_order(payment().order_id, request()) == Found(None, None)
    assert await store.get(payment().payment_id) is None
    assert await store.by_intent("pi_1") is None
    assert await store.page("", None, 9) == []


async def test_a_payment_is_found_by_order_id_and_intent_with_the_use_of_its_key(store: StoredPayments) -> None:
    assert await store.add(payment(), _LATER, request())

    used = Use("f", payment().payment_id)
    assert await store.by_order(payment().order_id, request()) == Found(payment(), used)
    assert await store.by_order(payment().order_id, request("r2")) == Found(payment(), None)
    assert await store.by_order(payment(2).order_id, request()) == Found(None, used)
    assert await store.by_id(payment().payment_id, request(method="RefundPayment")) == Found(payment(), None)
    assert await store.by_intent("pi_1") == payment()


async def test_every_kind_of_payment_comes_back_as_it_was_kept(store: StoredPayments) -> None:
    await store.add(payment(), _LATER, request())
    kinds = itertools.product(PaymentState, [None, *DeclineKind])
    for version, (state, kind) in enumerate(kinds, start=2):
        moved = payment(
            version=version,
            state=state,
            decline=kind and Decline(kind, "card_declined", "", "Nein, l'été!", "ch_1"),
            captured=Money("JPY", 5000),
            refunded=Money("JPY", 400),
            attempt=3,
            payment_method="pm_2",
            past_failure="ch_0",
            client_secret="pi_1_secret",
            updated_at=_LATER,
        )

        assert await store.save(moved, None)

        assert await store.get(moved.payment_id) == moved


async def test_an_order_has_one_payment_and_a_key_one_meaning(store: StoredPayments) -> None:
    await store.add(payment(), _LATER, request())

    assert not await store.add(payment(2, order_id=payment().order_id), _LATER, request("r2"))
    assert not await store.add(payment(2), _LATER, request())
    assert not await store.add(payment(2, intent_id="pi_1"), _LATER, request("r2"))
    assert not await store.remember(request(), "another")
    assert await store.page("", None, 9) == [payment()]
    assert await store.remember(request("r2"), payment().payment_id)


async def test_a_change_decided_on_an_older_version_is_not_written(store: StoredPayments) -> None:
    await store.add(payment(), _LATER, request())
    paid = payment(version=2, state=PaymentState.SUCCEEDED)

    assert await store.save(paid, None)
    assert not await store.save(payment(version=2, state=PaymentState.DECLINED), None)
    assert not await store.add_refund(payment(version=2), refund(), _LATER, request("r2"))
    assert not await store.save(payment(version=3), None, request())
    assert await store.get(paid.payment_id) == paid


async def test_a_refund_is_kept_with_its_payment_and_its_key(store: StoredPayments) -> None:
    await store.add(payment(), _LATER, request())
    with_refund = payment(version=2, refunded=Money("JPY", 400), refunds=(refund(),))
    assert await store.add_refund(with_refund, refund(), _LATER, request("f1"))
    assert await store.by_id(payment().payment_id, request("f1")) == Found(with_refund, Use("f", refund().refund_id))

    made = refund(state=RefundState.SUCCEEDED, provider_refund_id="re_1", send=2, updated_at=_LATER)
    done = payment(version=3, refunded=Money("JPY", 400), refunds=(made,))
    assert await store.save_refund(done, made, None)

    assert await store.get(payment().payment_id) == done


async def test_what_is_due_is_found_with_the_most_overdue_first_until_it_is_done(store: StoredPayments) -> None:
    await store.add(payment(1), _LATER, request("r1"))
    await store.add(payment(2), _NOW, request("r2"))
    await store.add(payment(3), _LATER + timedelta(hours=1), request("r3"))
    assert await store.due_payments(_LATER, 9) == [payment(2), payment(1)]
    assert await store.due_payments(_LATER, 1) == [payment(2)]

    assert await store.take_payment(payment(2).payment_id, _LATER, _LATER + timedelta(hours=2))
    assert await store.due_payments(_LATER, 9) == [payment(1)]

    await store.save(payment(1, version=2, state=PaymentState.SUCCEEDED), None)
    assert not await store.take_payment(payment(1).payment_id, _LATER, _NOW)
    assert await store.due_payments(_LATER, 9) == []


async def test_refunds_become_due_too(store: StoredPayments) -> None:
    await store.add(payment(), _LATER, request())
    with_refund = payment(version=2, refunds=(refund(),))
    await store.add_refund(with_refund, refund(), _NOW, request("f1"))
    assert await store.due_refunds(_NOW - timedelta(seconds=1), 9) == []
    assert await store.due_refunds(_NOW, 9) == [(with_refund, refund())]

    assert await store.take_refund(refund().refund_id, _NOW, _LATER)
    assert await store.due_refunds(_NOW, 9) == []


async def test_an_event_is_kept_once_and_due_until_it_is_applied(store: StoredPayments) -> None:
    event = ProviderEvent("evt_1", "payment_intent.succeeded", "pi_1")
    assert await store.add_event(event, _NOW, _NOW)
    assert not await store.add_event(event, _NOW, _NOW)
    assert await store.add_event(ProviderEvent("evt_2", "customer.created", ""), _NOW, None)
    assert await store.due_events(_LATER, 9) == [(event, _NOW)]

    assert await store.take_event("evt_1", _NOW, _LATER)
    assert await store.due_events(_NOW, 9) == []
    await store.applied("evt_1")
    assert await store.due_events(_LATER, 9) == []
    assert not await store.add_event(event, _NOW, _NOW)


async def test_what_is_due_is_taken_by_one_of_all_replicas_that_see_it(store: StoredPayments) -> None:
    event = ProviderEvent("evt_1", "payment_intent.succeeded", "pi_1")
    await store.add(payment(), _NOW, request())
    await store.add_refund(payment(version=2, refunds=(refund(),)), refund(), _NOW, request("f1"))
    await store.save(payment(version=3, refunds=(refund(),)), _NOW)
    await store.add_event(event, _NOW, _NOW)

    for taking in (
        partial(store.take_payment, payment().payment_id, _NOW, _LATER),
        partial(store.take_refund, refund().refund_id, _NOW, _LATER),
        partial(store.take_event, "evt_1", _NOW, _LATER),
    ):
        taken: list[bool] = await asyncio.gather(*(taking() for _ in range(3)))
        assert sorted(taken) == [False, False, True]


async def test_news_is_listed_longest_unheard_first_until_it_was_heard(store: StoredPayments) -> None:
    for number in (1, 2, 3):
        await store.add(payment(number), _LATER, request(f"r{number}"))
    later = payment(1, version=2, news_at=_LATER)
    sooner = payment(3, version=2, news_at=_NOW)
    assert await store.save(later, None)
    assert await store.save(sooner, None)

    assert await store.news(9) == [sooner, later]
    assert await store.news(1) == [sooner]
    assert await store.news(9, (_NOW, sooner.payment_id)) == [later]
    assert await store.news(9, (_NOW, payment(1).payment_id)) == [sooner, later]
    assert await store.news(9, (_LATER, later.payment_id)) == []

    assert await store.heard(sooner.payment_id, 2)
    assert await store.heard(sooner.payment_id, 2)
    assert await store.news(9) == [later]
    assert await store.get(sooner.payment_id) == replace(sooner, news_at=None)


async def test_what_has_changed_since_it_was_heard_stays_news(store: StoredPayments) -> None:
    await store.add(payment(), _LATER, request())
    news = payment(version=2, news_at=_NOW)
    await store.save(news, None)
    changed = payment(version=3, news_at=_NOW, refunded=Money("JPY", 400), refunds=(refund(),))
    await store.add_refund(changed, refund(), _LATER, request("f1"))

    assert not await store.heard(news.payment_id, 2)
    assert not await store.heard(payment(2).payment_id, 1)

    assert await store.news(9) == [changed]


async def test_news_heard_while_it_changes_is_never_lost(store: StoredPayments) -> None:
    await store.add(payment(), _LATER, request())
    await store.save(payment(version=2, news_at=_NOW), None)
    changed = payment(version=3, news_at=_NOW, state=PaymentState.SUCCEEDED)

    # Both wait for the same commit.
    heard, saved = await asyncio.gather(store.heard(changed.payment_id, 2), store.save(changed, None))

    assert (heard, saved) == (True, True)
    assert await store.news(9) == [changed]


async def test_a_refund_may_be_looked_at_never_again(store: StoredPayments) -> None:
    await store.add(payment(), _LATER, request())
    with_refund = payment(version=2, refunded=Money("JPY", 400), refunds=(refund(),))
    await store.add_refund(with_refund, refund(), _NOW, request("f1"))

    assert await store.take_refund(refund().refund_id, _NOW, None)

    assert await store.due_refunds(_LATER, 9) == []
    assert not await store.take_refund(refund().refund_id, _LATER, _NOW)
    assert await store.due_refunds(_LATER, 9) == []


async def test_pages_follow_each_other_newest_first_without_gap_or_overlap(store: StoredPayments) -> None:
    payments = [payment(number, created_at=_NOW + timedelta(seconds=number // 3)) for number in range(1, 9)]
    for each in payments:
        await store.add(each, _LATER, request(each.payment_id))
    seen: list[Payment] = []
    after: tuple[datetime, str] | None = None
    while page := await store.page("", after, 3):
        seen += page
        after = (page[-1].created_at, page[-1].payment_id)

    assert seen == sorted(payments, key=lambda each: (each.created_at, each.payment_id), reverse=True)
    assert await store.page(payments[4].order_id, None, 3) == [payments[4]]
    assert await store.page(payments[4].order_id, after, 3) == []


async def test_the_migrated_tables_are_the_ones_the_code_knows(database_url: str) -> None:
    await asyncio.to_thread(migrations.run, database_url, MIGRATIONS)
    await asyncio.to_thread(migrations.run, database_url, MIGRATIONS)
    opened = await open_store(database_url, metadata=METADATA)
    try:
        assert await opened.read(_differences) == []
    finally:
        await opened.close()


async def test_payments_of_before_there_was_news_are_none_and_their_writer_goes_on(
    database_url: str, tmp_path: Path
) -> None:
    older = tmp_path / "payment_svc" / "migrations"
    (older / "versions").mkdir(parents=True)
    shutil.copy(Path(MIGRATIONS) / "versions" / "0001_payments.py", older / "versions")
    await asyncio.to_thread(migrations.run, database_url, str(older))
    await _write_as_before(database_url, payment(1))

    await asyncio.to_thread(migrations.run, database_url, MIGRATIONS)
    await _write_as_before(database_url, payment(2))

    opened = await open_store(database_url, metadata=METADATA)
    store = StoredPayments(opened, SystemClock())
    assert await store.page("", None, 9) == [payment(2), payment(1)]
    assert await store.news(9) == []
    await opened.close()


async def _write_as_before(database_url: str, payment: Payment) -> None:
    """Write a payment as the code did that knew no news, no holds and no saved customers."""
    later = {"news_at", "capture_mode", "customer_id", "off_session", "saves_method", "hold_expires_at"}
    columns = {name: value for name, value in payment_columns(payment, None).items() if name not in later}
    opened = await open_store(database_url, metadata=METADATA)
    await opened.commit(Change((), (Insert(PAYMENTS, columns),)))
    await opened.close()


def _differences(connection: Connection) -> list[object]:
    from alembic.autogenerate import compare_metadata  # noqa: PLC0415  (a second of import)
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415  (as above)

    context = MigrationContext.configure(connection, opts={"version_table": "payment_svc_version"})
    differences: list[object] = compare_metadata(context, METADATA)
    return differences


class CutOff(Store):
    """A database whose connection breaks right after each commit of its own accord."""

    def __init__(self, store: Store) -> None:
        self._whole = store

    async def transact(self, work: Callable[[Connection], T]) -> T:
        await self._whole.transact(work)
        raise CommitUnknown("cut after COMMIT")


@pytest.mark.parametrize(("look_at", "looks_now"), [(_LATER, False), (None, True)])
async def test_what_is_never_due_again_is_looked_at_also_when_nobody_knows_whether_it_was_taken(
    opened: Store, look_at: datetime | None, *, looks_now: bool
) -> None:
    cut_off = StoredPayments(CutOff(opened), SystemClock())

    assert await cut_off.take_refund(refund().refund_id, _NOW, look_at) is looks_now
