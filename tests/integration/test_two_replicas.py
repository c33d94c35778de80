"""Tax and notify with two replicas on one PostgreSQL, and on one that is not heard from."""

import asyncio
import time
from collections import Counter
from pathlib import Path

import pytest

from kernel.errors import Reason
from tests.fakes.notify_over_grpc import is_sent, notify_service
from tests.fakes.notify_samples import EMAIL, send_message
from tests.fakes.postgres_proxy import PostgresProxy
from tests.fakes.sandbox_world import World
from tests.fakes.service_over_grpc import refused
from tests.fakes.tax_samples import commit_message, order_id
from tests.integration.test_tax_service import tax_service

pytestmark = pytest.mark.postgres

# Shorter than the product's, which waits for 3 and for 7 seconds.
_IMPATIENT = "connect_timeout=0.3&command_timeout=0.5"


async def test_equal_tax_commits_split_over_two_replicas_make_one_document(
    world: World, postgres_url: str, tmp_path: Path
) -> None:
    order = order_id()
    async with (
        tax_service(world, tmp_path / "one", TAX_DATABASE_URL=postgres_url) as one,
        tax_service(world, tmp_path / "other", TAX_DATABASE_URL=postgres_url) as other,
    ):
        asked = [each.commit(commit_message("key-1", order)) for each in (one, other) * 5]
        documents = await asyncio.gather(*asked)
        listed = await other.documents(order)

    assert all(document == documents[0] for document in documents)
    assert len(listed.documents) == 1
    assert len((await world.ledger())["documents"]) == 1


async def test_mails_that_two_replicas_could_send_are_sent_once_whoever_took_them(
    world: World, postgres_url: str, tmp_path: Path
) -> None:
    await world.fault("sendgrid", mode="error", status=503, times=6)
    async with (
        notify_service(world, tmp_path / "one", NOTIFY_DATABASE_URL=postgres_url) as one,
        notify_service(world, tmp_path / "other", NOTIFY_DATABASE_URL=postgres_url) as other,
    ):
        messages = [send_message(f"key-{number}") for number in range(8)]
        accepted = await asyncio.gather(*(each.send(message) for message in messages for each in (one, other)))
        for each in accepted:
            await other.until(each.notification_id, is_sent)

    # Each key came to both.
    assert len({each.notification_id for each in accepted}) == 8
    sent = Counter(mail["custom_args"]["notification_id"] for mail in await world.mails(to=EMAIL))
    assert sent == Counter({each.notification_id: 1 for each in accepted})


async def test_a_service_whose_database_is_silent_says_so_in_time_and_goes_on_when_it_is_heard_again(
    world: World, postgres_url: str, tmp_path: Path
) -> None:
    proxy = PostgresProxy(postgres_url)
    async with (
        proxy.running() as url,
        tax_service(world, tmp_path / "one", TAX_DATABASE_URL=f"{url}?{_IMPATIENT}") as service,
    ):
        await service.commit(commit_message("key-1", order_id()))
        proxy.silence()
        started = time.monotonic()
        for _ in range(2):
            refusal = await refused(service.commit(commit_message("key-2", order_id())))
            assert refusal.reason is Reason.UNAVAILABLE
        assert time.monotonic() - started < 5.0
        proxy.heal()

        assert (await service.commit(commit_message("key-3", order_id()))).code
