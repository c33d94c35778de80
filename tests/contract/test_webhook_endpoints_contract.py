"""What endpoints of outgoing webhooks rely on in their ports: true of the fake in memory and of both databases."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from order_svc.app.webhook_ports import (
    HookCommand,
    KeyTaken,
    Used,
)
from tests.fakes.order_moves import CLOCK, IDS
from tests.fakes.order_samples import a_request
from tests.fakes.webhook_samples import a_secret, an_endpoint
from tests.fakes.webhook_stores import Hooks, added, altered


async def test_an_endpoint_survives_with_its_secrets(hooks: Hooks) -> None:
    ending = replace(a_secret(2), ends_at=CLOCK.now() + timedelta(days=1))
    endpoint = await added(hooks, an_endpoint("order.paid", "order.failed"))
    after = await altered(
        hooks, endpoint, secrets=(a_secret(3), ending), url="https://shop.example/ü", event_types=(), disabled=True
    )

    assert await hooks.here.endpoints.endpoint(endpoint.endpoint_id) == after
    assert await hooks.here.endpoints.owner_of(ending.secret_id) == after
    assert await hooks.here.endpoints.owner_of(IDS.new()) is None
    assert await hooks.here.endpoints.endpoint(IDS.new()) is None


async def test_endpoints_are_listed_oldest_first(hooks: Hooks) -> None:
    several = [await added(hooks, an_endpoint()) for _ in range(3)]

    # Ids sort by time, to the millisecond.
    assert list(await hooks.here.endpoints.endpoints()) == sorted(several, key=lambda each: each.endpoint_id)


async def test_a_key_stands_for_what_it_made(hooks: Hooks) -> None:
    endpoint = an_endpoint()
    assert await hooks.here.endpoints.used(a_request("k"), HookCommand.CREATE) is None

    await hooks.here.endpoints.add(endpoint, a_request("k", "a" * 64), 100)

    with pytest.raises(KeyTaken):
        await hooks.here.endpoints.add(an_endpoint(), a_request("k", "b" * 64), 100)
    used = await hooks.here.endpoints.used(a_request("k"), HookCommand.CREATE)
    assert used == Used("a" * 64, endpoint.secrets[0].secret_id)
    assert await hooks.here.endpoints.used(a_request("k"), HookCommand.ROTATE) is None
    assert await hooks.here.endpoints.used(a_request("k", caller="other"), HookCommand.CREATE) is None
    assert list(await hooks.here.endpoints.endpoints()) == [endpoint]


async def test_of_many_calls_with_one_key_one_makes_an_endpoint(hooks: Hooks) -> None:
    several = [an_endpoint() for _ in range(8)]
    made = await asyncio.gather(
        *(hooks.here.endpoints.add(each, a_request("k"), 100) for each in several), return_exceptions=True
    )

    assert sum(each is True for each in made) == 1
    assert sum(isinstance(each, KeyTaken) for each in made) == 7
    assert len(await hooks.here.endpoints.endpoints()) == 1


async def test_there_are_never_more_endpoints_than_there_may_be(hooks: Hooks) -> None:
    assert await hooks.here.endpoints.add(an_endpoint(), a_request("1"), 1)

    assert not await hooks.here.endpoints.add(an_endpoint(), a_request("2"), 1)

    assert len(await hooks.here.endpoints.endpoints()) == 1
    assert await hooks.here.endpoints.used(a_request("2"), HookCommand.CREATE) is None


async def test_an_endpoint_that_changed_meanwhile_is_not_changed(hooks: Hooks) -> None:
    before = await added(hooks, an_endpoint())
    now = await altered(hooks, before, url="https://new.example/")
    late = replace(before, event_types=("order.paid",))

    assert not await hooks.here.endpoints.alter(before, late, a_request("late"), HookCommand.UPDATE, "s")

    assert await hooks.here.endpoints.endpoint(before.endpoint_id) == now
    assert await hooks.here.endpoints.used(a_request("late"), HookCommand.UPDATE) is None
