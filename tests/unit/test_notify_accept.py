"""Accepting a notification: stored first, sent at once when it can be, and the same for every repetition."""

import asyncio
import gc

import pytest

from kernel.errors import Reason, Refusal
from kernel.request import Request
from notify_svc.domain.notification import Kind, Notification, State
from tests.fakes.manual_clock import ManualClock
from tests.fakes.notify_notifications import FakeNotifications
from tests.fakes.notify_office import SLOTS, office
from tests.fakes.notify_samples import EMAIL, request, summary


async def test_it_is_sent_at_once_and_costs_two_commits() -> None:
    async with office() as here:
        accepted = await here.accept()
        await here.settle()

        assert here.mailer.mails == [accepted.notification_id]
        assert here.now(accepted).state is State.SENT
        assert here.store.commits == 2


async def test_it_is_stored_before_anything_is_sent() -> None:
    async with office() as here:
        here.mailer.gate.clear()
        accepted = await here.accept()
        await here.settle()

        stored = here.now(accepted)
        assert here.mailer.mails == []
        assert (stored.state, stored.attempts, stored.open_attempts) == (State.ACCEPTED, 1, 1)


async def test_repeating_it_returns_the_same_notification_and_sends_nothing() -> None:
    async with office() as here:
        order = summary()
        arguments = (Kind.ORDER_CONFIRMATION, EMAIL, "Ada", order, "")
        first = await here.send(request(), *arguments)
        await here.settle()
        second = await here.send(request(), *arguments)
        await here.settle()

        assert second.notification_id == first.notification_id
        assert second.state is State.SENT
        assert len(here.mailer.mails) == 1


async def test_many_of_one_command_at_once_are_one_mail() -> None:
    async with office() as here:
        found = await asyncio.gather(*(here.accept("key-1") for _ in range(20)))
        await here.settle()

        assert len({each.notification_id for each in found}) == 1
        assert len(here.mailer.mails) == 1


async def test_the_key_of_another_request_is_refused_and_nothing_is_sent() -> None:
    async with office() as here:
        accepted = await here.accept("key-1")
        await here.settle()

        with pytest.raises(Refusal) as refused:
            await here.send(request("key-1", "0" * 64), Kind.ORDER_CONFIRMATION, EMAIL, "", summary(), "")
        await here.settle()

        assert refused.value.reason is Reason.REQUEST_ID_REUSED
        assert refused.value.metadata == {"notificationId": accepted.notification_id}
        assert len(here.mailer.mails) == 1


async def test_every_slot_is_free_again_after_repetitions_and_refusals() -> None:
    async with office() as here:
        for _ in range(3 * SLOTS):
            await here.accept("key-1")
        here.store.away = True
        for number in range(3 * SLOTS):
            with pytest.raises(Refusal):
                await here.accept(f"other-{number}")
        await here.settle()

        assert here.dispatch._slots.take(99) == SLOTS


async def test_while_the_database_is_away_nothing_is_accepted_and_nothing_sent() -> None:
    async with office() as here:
        here.store.away = True

        with pytest.raises(Refusal) as refused:
            await here.accept()
        await here.settle()

        assert refused.value.reason is Reason.UNAVAILABLE
        assert here.mailer.mails == []


async def test_no_more_are_sent_at_a_time_than_there_are_slots_and_all_get_their_turn() -> None:
    async with office() as here:
        here.mailer.gate.clear()
        accepted = [await here.accept(f"key-{number}") for number in range(5 * SLOTS)]
        await here.settle()
        assert here.mailer.under_way == SLOTS
        here.mailer.gate.set()
        await here.settle()

        assert here.mailer.most_under_way == SLOTS
        assert sorted(here.mailer.mails) == sorted(each.notification_id for each in accepted)


async def test_a_caller_that_goes_away_does_not_keep_the_mail_from_being_sent() -> None:
    async with office() as here:
        calling = asyncio.create_task(here.accept())
        await asyncio.sleep(0)
        calling.cancel()
        await here.settle()

        assert calling.cancelled()
        assert len(here.mailer.mails) == 1


async def test_that_the_database_is_away_is_not_logged_as_lost_when_the_caller_is_gone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Slow(FakeNotifications):
        async def add(self, request: Request, notification: Notification) -> bool:
            for _ in range(5):
                await asyncio.sleep(0)
            return await super().add(request, notification)

    async with office(Slow(ManualClock())) as here:
        here.store.away = True
        calling = asyncio.create_task(here.accept())
        await asyncio.sleep(0)
        calling.cancel()
        await here.settle()
        await asyncio.gather(calling, return_exceptions=True)
    del calling
    gc.collect()  # what is told of a lost exception is told when its future is thrown away

    assert [record.message for record in caplog.records if record.name == "asyncio"] == []


async def test_a_mail_is_sent_again_once_to_the_same_reader_as_one_of_its_own() -> None:
    async with office() as here:
        first = await here.accept()
        await here.settle()
        again = [await here.send.again(request("again"), first.notification_id, "key:support", "") for _ in range(2)]
        await here.settle()

        (second,) = {each.notification_id for each in again}
        stored = here.store.rows[second]
        assert here.mailer.mails == [first.notification_id, second]
        assert (stored.resent_from, stored.resent_by) == (first.notification_id, "key:support")
        assert (stored.summary, stored.recipient_email, stored.kind) == (first.summary, EMAIL, first.kind)
        assert here.now(first).resent_from == ""


async def test_a_mail_that_is_still_to_be_sent_is_not_sent_again() -> None:
    async with office() as here:
        here.mailer.gate.clear()
        first = await here.accept()

        with pytest.raises(Refusal) as refused:
            await here.send.again(request("again"), first.notification_id, "key:support", "")

        assert refused.value.reason is Reason.ILLEGAL_STATE
        assert len(here.store.rows) == 1


async def test_a_mail_whose_reader_is_forgotten_is_not_sent_again() -> None:
    async with office() as here:
        first = await here.accept()
        await here.settle()
        here.store.spoil(first.notification_id, recipient_email="", recipient_name="")  # as retention leaves it

        with pytest.raises(Refusal, match="no longer known") as refused:
            await here.send.again(request("again"), first.notification_id, "key:support", "")

        assert refused.value.reason is Reason.ILLEGAL_STATE
        assert len(here.store.rows) == 1
