"""Whom the gateway lets in: API keys from beginning to end, this machine's own user, and what services are told."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from chassis.access.contexts import METADATA_KEY, Contexts
from chassis.access.keys import TrustedKeys
from chassis.limits import Limits
from gateway.access import development
from gateway.access.api_keys import new_key
from gateway.access.key_table import KeyTable, TooManyKeys
from gateway.access.settings import AuthSettings
from kernel.clock import SystemClock
from kernel.errors import Refusal
from tests.fakes.backend import running_backend
from tests.fakes.gateway import World, gateway_before
from tests.fakes.order_samples import ORDER_ID

CLOCK = SystemClock()
ORDER = f"/api/v1/orders/{ORDER_ID}"


def settings_in(folder: Path, *, required: bool = True) -> AuthSettings:
    return AuthSettings(
        required=required,
        database_url=f"sqlite:///{folder / 'gateway.db'}",
        caller_key=folder / "signing-key.pem",
        development_key=folder / "development-key",
    )


@asynccontextmanager
async def guarded(auth: AuthSettings, limits: Limits | None = None) -> AsyncIterator[World]:
    async with (
        running_backend() as backend,
        gateway_before(backend.address, backend=backend, auth=auth, limits=limits) as world,
    ):
        await world.gateway.readiness.until(ready=True)
        yield world


async def a_key(table: KeyTable, *scopes: str, name: str = "shop") -> tuple[str, str]:
    """Return a new key, and its id."""
    shown, key = new_key(name, frozenset(scopes), CLOCK.now(), None, secrets.token_bytes)
    await table.add(key)
    return shown, key.key_id


def bearer(credential: str) -> dict[str, str]:
    return {"authorization": f"Bearer {credential}"}


@pytest.fixture
async def table(tmp_path: Path) -> KeyTable:
    made = KeyTable(f"sqlite:///{tmp_path / 'gateway.db'}")
    await asyncio.to_thread(made.prepare)
    return made


async def test_without_credentials_there_is_nothing_but_the_public_pages(tmp_path: Path) -> None:
    async with guarded(settings_in(tmp_path)) as world:
        refused = await world.http.get(ORDER)
        open_pages = [await world.http.get(path) for path in ("/healthz", "/readyz", "/openapi.json", "/docs")]
        webhook = await world.http.post("/webhooks/stripe", content=b"{}", headers={"stripe-signature": "t=1,v1=0"})

    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == 'Bearer realm="ordermesh"'
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["reason"] == "UNAUTHENTICATED"
    assert [page.status_code for page in open_pages] == [200, 200, 200, 200]
    assert webhook.status_code == 200
    assert METADATA_KEY not in world.backend.last.metadata


async def test_a_key_opens_what_its_scopes_say_and_the_service_is_told_who_it_is(
    tmp_path: Path, table: KeyTable
) -> None:
    key, _ = await a_key(table, "orders.read")
    async with guarded(settings_in(tmp_path)) as world:
        read = await world.http.get(ORDER, headers=bearer(key))
        told = world.backend.last.metadata[METADATA_KEY]
        refused = await world.http.post(f"{ORDER}:refund", headers=bearer(key), content=b"this is never read")
        calls = len(world.backend.calls)

    assert (read.status_code, refused.status_code, calls) == (200, 403, 1)
    assert refused.headers["www-authenticate"].endswith('error="insufficient_scope", scope="orders.refund"')
    keys = TrustedKeys(tmp_path / "trusted-keys.pem", CLOCK)
    who = Contexts("order", keys, CLOCK).caller_of(told, "gateway")
    assert (who.principal, who.scopes, who.customer_id) == ("key:shop", frozenset({"orders.read"}), "")
    with pytest.raises(Refusal, match="another service"):
        Contexts("payment", keys, CLOCK).caller_of(told, "gateway")


@pytest.mark.parametrize("scheme", ["Basic {}", "Bearer", "Bearer {}x", "Bearer omk_dev_" + "A" * 43, "Bearer a.b.c"])
async def test_what_does_not_count_is_401(tmp_path: Path, table: KeyTable, scheme: str) -> None:
    key, _ = await a_key(table, "orders.read")
    async with guarded(settings_in(tmp_path)) as world:
        refused = await world.http.get(ORDER, headers={"authorization": scheme.format(key)})

    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == 'Bearer realm="ordermesh", error="invalid_token"'
    assert key not in refused.text


async def test_a_key_counts_at_once_and_loses_access_within_ten_seconds(
    tmp_path: Path, table: KeyTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.access.key_ring._OLDEST_SECONDS", 0.05)
    monkeypatch.setattr("gateway.access.key_ring._LOOK_FOR_UNKNOWN_SECONDS", 0.01)
    async with guarded(settings_in(tmp_path)) as world:
        await world.http.get(ORDER, headers=bearer("omk_abcdef_" + "A" * 43))
        key, key_id = await a_key(table, "orders.read")
        other, _ = await a_key(table, "orders.read")
        await asyncio.sleep(0.02)
        before = [(await world.http.get(ORDER, headers=bearer(each))).status_code for each in (key, other)]
        await table.revoke(key_id, CLOCK.now())
        await asyncio.sleep(0.06)
        after = [(await world.http.get(ORDER, headers=bearer(each))).status_code for each in (key, other)]

    assert (before, after) == ([200, 200], [401, 200])


async def test_keys_are_known_before_the_gateway_listens(tmp_path: Path, table: KeyTable) -> None:
    key, _ = await a_key(table, "orders.read")
    async with guarded(settings_in(tmp_path)) as world:
        (tmp_path / "gateway.db").unlink()
        assert (await world.http.get(ORDER, headers=bearer(key))).status_code == 200


async def test_whoever_asks_too_often_is_refused_by_name_and_nobody_else(tmp_path: Path, table: KeyTable) -> None:
    key, _ = await a_key(table, "orders.read")
    other, _ = await a_key(table, "orders.read", name="warehouse")
    async with guarded(settings_in(tmp_path), Limits(calls_per_second=0.001)) as world:
        answers = [await world.http.get(ORDER, headers=bearer(each)) for each in (key, key, other)]
        watched = await world.http.get(f"{ORDER}:watch", headers=bearer(key))
        webhooks = [
            await world.http.post("/webhooks/stripe", content=b"{}", headers={"stripe-signature": "t=1,v1=0"})
            for _ in range(2)
        ]

    assert [answer.status_code for answer in answers] == [200, 429, 200]
    assert (answers[1].json()["reason"], answers[1].json()["metadata"]) == ("OVERLOADED", {"callsPerSecond": "0.001"})
    assert watched.status_code == 429
    assert [webhook.status_code for webhook in webhooks] == [200, 200]


async def test_a_name_has_two_keys_at_a_time(table: KeyTable) -> None:
    _, first = await a_key(table, "orders.read")
    await a_key(table, "orders.read")
    with pytest.raises(TooManyKeys):
        await a_key(table, "orders.read")

    await table.revoke(first, CLOCK.now())
    await a_key(table, "orders.read")

    assert [key.active(CLOCK.now()) for key in await table.every()] == [False, True, True]


async def test_an_expired_key_is_none(tmp_path: Path, table: KeyTable) -> None:
    shown, key = new_key("shop", frozenset({"orders.read"}), CLOCK.now(), CLOCK.now(), secrets.token_bytes)
    await table.add(key)
    async with guarded(settings_in(tmp_path)) as world:
        assert (await world.http.get(ORDER, headers=bearer(shown))).status_code == 401


LOCAL = {"host": "localhost:8080"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        (LOCAL, 200),
        ({"host": "[::1]:8080"}, 200),
        ({**LOCAL, "origin": "http://localhost:8080"}, 200),
        ({"host": "rebound.example"}, 401),
        ({"host": "rebound.example:8080"}, 401),
        ({**LOCAL, "origin": "https://elsewhere.example"}, 401),
        ({**LOCAL, "origin": "null"}, 401),
        ({**LOCAL, "x-forwarded-for": "203.0.113.9"}, 401),
        ({**LOCAL, "forwarded": "for=203.0.113.9"}, 401),
        ({**LOCAL, "authorization": "Bearer nonsense"}, 401),
    ],
)
async def test_only_this_machines_own_programs_need_no_key(
    tmp_path: Path, headers: dict[str, str], status: int
) -> None:
    async with guarded(settings_in(tmp_path, required=False)) as world:
        assert (await world.http.get(ORDER, headers=headers)).status_code == status


async def test_the_development_key_opens_everything_on_loopback_and_nothing_beyond(tmp_path: Path) -> None:
    auth = settings_in(tmp_path)
    assert auth.development_key is not None
    key = development.key_in(auth.development_key, secrets.token_bytes)
    assert development.key_in(auth.development_key, secrets.token_bytes) == key
    async with guarded(auth) as here:
        assert (await here.http.get(ORDER, headers=bearer(key))).status_code == 200
    async with guarded(replace(auth, development_key=None)) as beyond:
        assert (await beyond.http.get(ORDER, headers=bearer(key))).status_code == 401


async def test_the_console_shows_nothing_that_its_reader_may_not_see(tmp_path: Path) -> None:
    async with guarded(settings_in(tmp_path)) as world:
        stranger = await world.http.get("/console")
    async with guarded(settings_in(tmp_path, required=False)) as world:
        own = await world.http.get("/console", headers=LOCAL)
        proxied = await world.http.get("/console", headers={**LOCAL, "x-forwarded-for": "203.0.113.9"})

    assert (stranger.status_code, own.status_code, proxied.status_code) == (303, 200, 303)
    assert stranger.headers["location"] == proxied.headers["location"] == "/console/sign-in"
