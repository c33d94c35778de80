"""The worker: whatever happens to the mail provider, the database or a replica, mail goes out and rarely twice."""

from dataclasses import replace
from datetime import timedelta

from kernel.outcome import NotDone, Unknown
from notify_svc.app.ports import Postponed, Refused
from notify_svc.domain import sending
from notify_svc.domain.notification import State
from tests.fakes.manual_clock import ManualClock
from tests.fakes.notify_notifications import FakeNotifications
from tests.fakes.notify_office import SLOTS, office
from tests.fakes.notify_samples import NOW, notification


async def test_an_outage_of_hours_costs_a_mail_one_attempt_and_ends_in_one_mail() -> None:
    async with office() as here:
        here.mailer.away = True
        accepted = [await here.accept(f"key-{number}") for number in range(3)]
        await here.pass_time(3600, step=1.0)
        attempts = [here.now(each).open_attempts for each in accepted]
        assert here.mailer.mails == []
        assert here.mailer.probes > 100

        here.mailer.away = False
        await here.pass_time(10)

        assert max(attempts) <= 1
        assert sorted(here.mailer.mails) == sorted(each.notification_id for each in accepted)


async def test_what_is_accepted_during_an_outage_waits_without_an_attempt() -> None:
    async with office() as here:
        here.mailer.away = True
        await here.accept("key-1")
        await here.settle()

        waiting = await here.accept("key-2")
        await here.pass_time(60)
        assert here.now(waiting).attempts == 0

        here.mailer.away = False
        await here.pass_time(2)
        assert here.now(waiting).state is State.SENT
        assert here.now(waiting).attempts == 1


async def test_an_attempt_that_was_no_mail_is_repeated_within_a_second() -> None:
    async with office() as here:
        here.mailer.outcomes.append(NotDone(Postponed("503")))
        accepted = await here.accept()
        await here.settle()
        assert here.now(accepted).last_error == "503"

        await here.pass_time(1.0)

        assert here.mailer.mails == [accepted.notification_id]
        assert here.now(accepted).attempts == 2


async def test_attempts_that_were_no_mail_are_repeated_for_as_long_as_it_takes() -> None:
    async with office() as here:
        here.mailer.outcomes.extend(NotDone(Postponed("503")) for _ in range(30))
        accepted = await here.accept()

        await here.pass_time(31 * 60, step=1.0)

        assert here.mailer.mails == [accepted.notification_id]
        assert here.now(accepted).attempts == 31


async def test_the_wait_that_the_provider_asks_for_is_kept() -> None:
    async with office() as here:
        here.mailer.outcomes.append(NotDone(Postponed("429", retry_after=40.0)))
        await here.accept()
        await here.pass_time(39)
        assert here.mailer.mails == []

        await here.pass_time(2)

        assert len(here.mailer.mails) == 1


async def test_a_mail_refused_for_good_is_given_up() -> None:
    async with office() as here:
        here.mailer.outcomes.append(NotDone(Refused("400")))
        accepted = await here.accept()
        await here.pass_time(3600, step=10.0)

        assert here.now(accepted).state is State.UNDELIVERABLE
        assert len(here.telling.attempts) == 1


async def test_a_lost_answer_is_followed_by_a_second_mail_after_a_wait() -> None:
    async with office() as here:
        here.mailer.lost_are_sent = True
        here.mailer.outcomes.append(Unknown("timeout"))
        accepted = await here.accept()
        await here.pass_time(4)
        assert len(here.mailer.mails) == 1

        await here.pass_time(3)

        assert here.mailer.mails == [accepted.notification_id] * 2
        assert here.now(accepted).state is State.SENT


async def test_an_event_in_the_meantime_saves_the_second_mail() -> None:
    async with office() as here:
        here.mailer.lost_are_sent = True
        here.mailer.outcomes.append(Unknown("timeout"))
        accepted = await here.accept()
        await here.pass_time(2)
        here.store.spoil(accepted.notification_id, state=State.DELIVERED, due_at=None)

        await here.pass_time(3600, step=10.0)

        assert here.mailer.mails == [accepted.notification_id]


async def test_no_more_than_three_mails_ever_go_out_and_then_there_is_an_alert() -> None:
    async with office() as here:
        here.mailer.lost_are_sent = True
        here.mailer.outcomes.extend(Unknown("timeout") for _ in range(99))
        accepted = await here.accept()

        await here.pass_time(3600, step=1.0)

        assert here.mailer.mails == [accepted.notification_id] * 3
        assert sending.is_parked(here.now(accepted))
        assert [each.notification_id for each in here.telling.alerts] == [accepted.notification_id]


async def test_what_a_killed_replica_had_accepted_is_sent_at_once_by_the_next() -> None:
    store = FakeNotifications(ManualClock())
    left = [notification() for _ in range(30)]
    for each in left:
        store.rows[each.notification_id] = each

    async with office(store) as here:
        await here.settle()

        assert sorted(here.mailer.mails) == sorted(each.notification_id for each in left)


async def test_what_a_killed_replica_was_sending_is_sent_after_its_lease_and_counted() -> None:
    store = FakeNotifications(ManualClock())
    left = sending.begun(notification(), NOW)
    store.rows[left.notification_id] = left

    async with office(store) as here:
        await here.pass_time(19)
        assert here.mailer.mails == []
        await here.pass_time(2)

        assert here.mailer.mails == [left.notification_id]
        assert here.now(left).attempts == 2


async def test_what_was_being_sent_in_three_crashes_is_parked_and_not_sent() -> None:
    store = FakeNotifications(ManualClock())
    crashed = replace(notification(), attempts=3, open_attempts=3, due_at=NOW - timedelta(seconds=1))
    store.rows[crashed.notification_id] = crashed

    async with office(store) as here:
        await here.pass_time(60)

        assert here.mailer.mails == []
        assert len(here.telling.alerts) == 1
        assert sending.is_parked(here.now(crashed))


async def test_two_replicas_share_the_work_and_send_nothing_twice() -> None:
    async with office() as one, office(one.store, one.mailer) as other:
        other.store._clock = one.clock
        for number in range(40):
            row = notification()
            one.store.rows[row.notification_id] = replace(row, recipient_name=str(number))
        for replica in (one, other):
            replica.bell.ring()
        await one.settle()

        assert len(one.mailer.mails) == len(set(one.mailer.mails)) == 40


async def test_an_outcome_meets_a_database_that_is_away_and_is_kept_until_it_is_back() -> None:
    async with office() as here:
        here.mailer.gate.clear()
        accepted = await here.accept()
        await here.settle()
        here.store.away = True
        here.mailer.gate.set()
        await here.pass_time(10)
        here.store.away = False
        await here.pass_time(2)

        assert here.now(accepted).state is State.SENT
        assert len(here.mailer.mails) == 1


async def test_an_accepted_mail_is_noted_even_when_somebody_else_moved_the_notification() -> None:
    async with office() as here:
        here.mailer.gate.clear()
        accepted = await here.accept()
        await here.settle()
        here.store.spoil(accepted.notification_id, last_error="touched")
        here.mailer.gate.set()
        await here.settle()

        assert here.now(accepted).state is State.SENT


async def test_the_worker_outlives_a_database_that_goes_away() -> None:
    async with office() as here:
        here.store.away = True
        await here.pass_time(5)
        here.store.away = False
        left = notification()
        here.store.rows[left.notification_id] = left
        await here.pass_time(3)

        assert here.mailer.mails == [left.notification_id]


async def test_the_worker_outlives_a_defect() -> None:
    async with office() as here:
        real, here.store.next_due = here.store.next_due, None  # type: ignore[method-assign,assignment]  # calling it raises
        await here.pass_time(2)
        here.store.next_due = real  # type: ignore[method-assign]  # mended
        left = notification()
        here.store.rows[left.notification_id] = left
        await here.pass_time(3)

        assert here.mailer.mails == [left.notification_id]


async def test_a_thousand_new_mails_in_an_outage_are_no_reason_to_look_a_thousand_times() -> None:
    async with office() as here:
        here.mailer.away = True
        await here.accept("first")
        await here.pass_time(8)
        before = here.store.looks
        for number in range(1000):
            await here.accept(f"key-{number}")
        await here.pass_time(10)

        assert here.store.looks - before <= 50


async def test_mails_that_wait_for_a_slot_keep_their_attempt_when_the_provider_goes_away() -> None:
    async with office() as here:
        here.mailer.gate.clear()
        under_way = [await here.accept(f"key-{number}") for number in range(SLOTS)]
        waiting = [await here.accept(f"later-{number}") for number in range(10)]
        await here.settle()
        here.mailer.away = True
        here.mailer.gate.set()
        await here.pass_time(60)

        assert [here.now(each).open_attempts for each in under_way] == [1] * SLOTS
        assert [here.now(each).attempts for each in waiting] == [0] * 10


async def test_what_waits_is_told() -> None:
    async with office() as here:
        here.mailer.away = True
        await here.accept("key-1")
        await here.settle()
        await here.accept("key-2")
        await here.pass_time(30)

        latest = here.telling.backlogs[-1]
        assert latest.depth == 2
        assert latest.oldest_seconds >= 20
