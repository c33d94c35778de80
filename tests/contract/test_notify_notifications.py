"""What every place for notifications promises: the fake, SQLite and PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from chassis.storage.store import open_store
from kernel.clock import Clock, SystemClock
from notify_svc.__main__ import MIGRATIONS
from notify_svc.adapters.notifications_store import NotificationsStore
from notify_svc.adapters.tables import METADATA
from notify_svc.app.ports import Backlog, Notifications
from notify_svc.domain import sending
from notify_svc.domain.content import Details, Payment, Shipment
from notify_svc.domain.notification import Kind, Notification, State
from notify_svc.domain.sample import sample
from tests.fakes.migrated import MakeDatabase
from tests.fakes.notify_notifications import FakeNotifications
from tests.fakes.notify_samples import NOW, event, notification, request

CLOCK: Clock = SystemClock()


@pytest.fixture(params=["fake", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def notifications(request: pytest.FixtureRequest, make_database: MakeDatabase) -> AsyncIterator[Notifications]:
    if request.param == "fake":
        yield FakeNotifications(CLOCK)
        return
    store = await open_store(make_database(request.param, MIGRATIONS), metadata=METADATA)
    yield NotificationsStore(store, CLOCK)
    await store.close()


def fresh(seconds: float = -1.0, **fields: object) -> Notification:
    """Return a notification that is due so many seconds from now."""
    now = CLOCK.now()
    now = now.replace(microsecond=0)
    return notification(now, **{"due_at": now + timedelta(seconds=seconds), **fields})


async def added(notifications: Notifications, *rows: Notification) -> None:
    for row in rows:
        assert await notifications.add(request(row.notification_id), row)


async def test_what_is_added_reads_back_as_it_was(notifications: Notifications) -> None:
    row = fresh(recipient_name="Zoë 🐢", traceparent="00-" + "a" * 32 + "-" + "b" * 16 + "-01")
    await added(notifications, row)

    assert await notifications.get(row.notification_id) == row
    assert await notifications.find(request(row.notification_id)) == ("f" * 64, row)


async def test_what_was_never_added_is_not_there(notifications: Notifications) -> None:
    assert await notifications.get(fresh().notification_id) is None
    assert await notifications.find(request("never")) is None


async def test_a_key_stands_for_one_notification(notifications: Notifications) -> None:
    first, second = fresh(), fresh()
    assert await notifications.add(request("key"), first)

    assert not await notifications.add(request("key"), second)
    assert await notifications.get(second.notification_id) is None


async def test_of_many_with_one_key_one_gets_in(notifications: Notifications) -> None:
    results = await asyncio.gather(*(notifications.add(request("key"), fresh()) for _ in range(20)))

    assert results.count(True) == 1


async def test_an_update_is_written_once_per_version(notifications: Notifications) -> None:
    row = fresh()
    await added(notifications, row)
    begun = sending.begun(row, CLOCK.now().replace(microsecond=0))
    assert await notifications.update(row, begun)
    sent = sending.sent(begun, "message-1", CLOCK.now().replace(microsecond=0))

    assert not await notifications.update(row, sending.refused(row, "400", CLOCK.now()))
    assert await notifications.update(begun, sent)
    assert await notifications.get(row.notification_id) == sent


async def test_what_is_due_is_claimed_with_an_attempt_and_a_lease(notifications: Notifications) -> None:
    due, later = fresh(), fresh(60.0)
    await added(notifications, due, later)

    (claimed,) = await notifications.claim(10)

    assert (claimed.notification_id, claimed.attempts, claimed.open_attempts, claimed.version) == (
        due.notification_id,
        1,
        1,
        2,
    )
    assert await notifications.claim(10) == []
    stored = await notifications.get(due.notification_id)
    assert stored is not None
    assert stored.due_at is not None
    assert stored.due_at - CLOCK.now() > timedelta(seconds=15)


async def test_a_claim_takes_the_longest_due_first_and_no_more_than_asked(notifications: Notifications) -> None:
    rows = [fresh(-seconds) for seconds in (3, 30, 13)]
    await added(notifications, *rows)

    claimed = [*await notifications.claim(2), *await notifications.claim(2)]

    assert [each.notification_id for each in claimed] == [rows[place].notification_id for place in (1, 2, 0)]


async def test_claims_at_the_same_time_share_what_is_due(notifications: Notifications) -> None:
    rows = [fresh() for _ in range(30)]
    await added(notifications, *rows)

    shares = await asyncio.gather(*(notifications.claim(5) for _ in range(10)))

    claimed = [each.notification_id for share in shares for each in share]
    assert sorted(claimed) == sorted(row.notification_id for row in rows)


async def test_what_cannot_be_tried_again_is_parked_by_the_claim(notifications: Notifications) -> None:
    row = fresh(attempts=5, open_attempts=sending.MOST_OPEN_ATTEMPTS)
    await added(notifications, row)

    (claimed,) = await notifications.claim(10)

    assert sending.is_parked(claimed)
    stored = await notifications.get(row.notification_id)
    assert stored is not None
    assert (stored.attempts, stored.due_at) == (5, None)


async def test_the_backlog_tells_depth_and_age(notifications: Notifications) -> None:
    assert await notifications.backlog() == Backlog(0, 0.0)
    await added(notifications, fresh(60.0), fresh(90.0), fresh(due_at=None, state=State.SENT))

    backlog = await notifications.backlog()

    assert backlog.depth == 2
    assert 0.0 <= backlog.oldest_seconds < 10.0


async def test_when_to_look_again_is_when_the_next_is_due(notifications: Notifications) -> None:
    assert await notifications.next_due() is None
    await added(notifications, fresh(60.0), fresh(90.0), fresh(due_at=None, state=State.SENT))

    seconds = await notifications.next_due()

    assert seconds is not None
    assert 50.0 < seconds <= 60.0


async def test_what_is_overdue_is_due_now(notifications: Notifications) -> None:
    await added(notifications, fresh(-5.0))

    seconds = await notifications.next_due()

    assert seconds is not None
    assert seconds <= 0.0


async def test_pages_are_newest_first_and_do_not_overlap(notifications: Notifications) -> None:
    rows = [fresh() for _ in range(5)]
    await added(notifications, *rows)

    first = await notifications.page("", "", 3)
    second = await notifications.page("", first[-1].notification_id, 3)

    newest = [row.notification_id for row in reversed(rows)]
    assert [row.notification_id for row in (*first, *second)] == newest


async def test_a_page_can_be_of_one_order(notifications: Notifications) -> None:
    one, other = fresh(), fresh()
    again = replace(fresh(), summary=one.summary)
    await added(notifications, one, other, again)

    found = await notifications.page(one.summary.order_id, "", 10)

    assert [row.notification_id for row in found] == [again.notification_id, one.notification_id]


async def test_events_are_stored_once_and_applied(notifications: Notifications) -> None:
    row = fresh()
    await added(notifications, row)
    processed = event("processed", row.notification_id)
    delivered = event("delivered", row.notification_id)

    assert await notifications.ingest([processed, delivered]) == 2
    assert await notifications.ingest([delivered, processed]) == 0

    stored = await notifications.get(row.notification_id)
    assert stored is not None
    assert (stored.state, stored.due_at, stored.provider_message_id) == (State.DELIVERED, None, "message-1")


async def test_the_same_event_twice_in_a_batch_counts_once(notifications: Notifications) -> None:
    row = fresh()
    await added(notifications, row)
    twice = event("bounce", row.notification_id, status="5.1.1")

    assert await notifications.ingest([twice, twice]) == 1

    stored = await notifications.get(row.notification_id)
    assert stored is not None
    assert (stored.state, stored.version) == (State.BOUNCED, 2)
    assert "5.1.1" in stored.last_error


async def test_late_news_does_not_undo_what_is_known(notifications: Notifications) -> None:
    row = fresh()
    await added(notifications, row)
    await notifications.ingest([event("delivered", row.notification_id)])
    await notifications.ingest([event("processed", row.notification_id), event("open", row.notification_id)])

    stored = await notifications.get(row.notification_id)
    assert stored is not None
    assert stored.state is State.DELIVERED


async def test_events_of_strangers_are_stored_and_change_nothing(notifications: Notifications) -> None:
    row = fresh()
    await added(notifications, row)

    assert await notifications.ingest([event("bounce", fresh().notification_id), event("delivered", "")]) == 2
    assert await notifications.get(row.notification_id) == row


async def test_no_events_are_no_change(notifications: Notifications) -> None:
    assert await notifications.ingest([]) == 0


async def test_many_batches_at_once_all_get_in(notifications: Notifications) -> None:
    row = fresh()
    await added(notifications, row)
    kinds = ("processed", "deferred", "delivered")
    events = [event(kind, row.notification_id) for kind in kinds]

    accepted = await asyncio.gather(*(notifications.ingest([one, other]) for one in events for other in events))

    assert sum(accepted) == 3
    stored = await notifications.get(row.notification_id)
    assert stored is not None
    assert stored.state is State.DELIVERED


@pytest.mark.parametrize("kind", Kind)
async def test_every_kind_reads_back_with_all_that_it_tells(notifications: Notifications, kind: Kind) -> None:
    told = sample(kind, "de-AT", CLOCK.now().replace(microsecond=0))
    row = replace(told, notification_id=fresh().notification_id, request_id="key", due_at=told.created_at)
    bare = replace(row, notification_id=fresh().notification_id, details=Details(Shipment(), None, Payment()))
    await added(notifications, row, bare)

    assert await notifications.get(row.notification_id) == row
    assert await notifications.get(bare.notification_id) == bare


async def test_what_did_not_reach_its_reader_is_news_until_it_was_heard(notifications: Notifications) -> None:
    bounced, delivered, spam = fresh(), fresh(), fresh()
    await added(notifications, bounced, delivered, spam)
    for row, kind, seconds in ((spam, "spamreport", 9), (bounced, "bounce", 3), (delivered, "delivered", 1)):
        told = replace(event(kind, row.notification_id), occurred_at=NOW + timedelta(seconds=seconds))
        await notifications.ingest([told])

    news = await notifications.news(10)
    assert [each.notification_id for each in news] == [bounced.notification_id, spam.notification_id]
    assert [each.notification_id for each in await notifications.news(1)] == [bounced.notification_id]
    assert news[0].news_at is not None
    behind = await notifications.news(10, (news[0].news_at, bounced.notification_id))
    assert [each.notification_id for each in behind] == [spam.notification_id]

    assert await notifications.heard(bounced.notification_id, news[0].version)
    assert [each.notification_id for each in await notifications.news(10)] == [spam.notification_id]
    heard = await notifications.get(bounced.notification_id)
    assert heard is not None
    assert (heard.state, heard.version, heard.news_at) == (State.BOUNCED, news[0].version, None)


async def test_what_changed_after_it_was_told_stays_news(notifications: Notifications) -> None:
    row = fresh()
    await added(notifications, row)
    await notifications.ingest([event("bounce", row.notification_id)])
    (told,) = await notifications.news(10)
    await notifications.ingest([event("spamreport", row.notification_id)])

    assert not await notifications.heard(row.notification_id, told.version)
    (again,) = await notifications.news(10)
    assert (again.state, again.version) == (State.SPAM_REPORTED, told.version + 1)
    assert not await notifications.heard(fresh().notification_id, 1)


async def test_a_mail_that_the_provider_refuses_is_news(notifications: Notifications) -> None:
    row = fresh()
    await added(notifications, row)
    (begun,) = await notifications.claim(1)
    now = CLOCK.now().replace(microsecond=0)

    assert await notifications.update(begun, sending.refused(begun, "400", now))

    (told,) = await notifications.news(10)
    assert (told.notification_id, told.news_at) == (row.notification_id, now)
