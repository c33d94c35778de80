"""What goes wrong, drawn from a seed: processes, networks, providers and disks."""

import asyncio
import random
import resource
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial

import httpx

from tests.failure.history import History
from tests.failure.mesh import LEASE_SECONDS, SERVICES, Mesh
from tests.failure.receiver import Mood, Receiver
from tests.fakes.postgres_proxy import Fault
from tests.fakes.postgres_server import PostgresServer

Harm = Callable[[], Awaitable[str]]

# Kills are the most frequent harm: they are what a promise has to survive, and what costs a process its memory.
_KILLS = 12

# What a provider may do wrong, at most one of each at a time.
_PROVIDER_FAULTS: tuple[tuple[str, Mapping[str, object]], ...] = (
    ("stripe", {"mode": "outage"}),
    ("stripe", {"mode": "lost_answer", "probability": 0.5}),
    ("stripe", {"mode": "lost_answer", "operation": "payment_intents.confirm"}),
    ("stripe", {"mode": "late_execution", "operation": "payment_intents.confirm", "delay_ms": 700}),
    ("stripe", {"mode": "error", "status": 500, "executed": True, "probability": 0.5}),
    ("stripe", {"mode": "error", "status": 500, "operation": "payment_intents.create", "probability": 0.5}),
    ("stripe", {"mode": "latency", "latency_ms": 600}),
    ("stripe", {"mode": "lost_answer", "operation": "payment_intents.capture"}),
    ("stripe", {"mode": "late_execution", "operation": "payment_intents.capture", "delay_ms": 700}),
    ("stripe", {"mode": "lost_answer", "operation": "refunds.create"}),
    ("stripe", {"mode": "late_execution", "operation": "refunds.create", "delay_ms": 700}),
    ("stripe", {"mode": "lost_answer", "operation": "payment_intents.cancel"}),
    ("stripe", {"mode": "latency", "operation": "payment_intents.cancel", "latency_ms": 600}),
    ("avatax", {"mode": "outage"}),
    ("avatax", {"mode": "lost_answer", "operation": "transactions.create"}),
    ("avatax", {"mode": "lost_answer", "operation": "transactions.refund"}),
    ("avatax", {"mode": "error", "status": 500, "executed": True}),
    ("sendgrid", {"mode": "outage"}),
    ("sendgrid", {"mode": "lost_answer", "probability": 0.3, "times": 3}),
)


class Nemesis:
    """Does harm for a while, and undoes it.

    Args:
        mesh: Whom it torments.
        rng: Draws everything.
        history: Where it writes down what it does.
        counts: How often it has done what; added to.
        extra: Harm beside its own, by name: what only some databases know.
    """

    def __init__(
        self,
        mesh: Mesh,
        rng: random.Random,
        history: History,
        counts: Counter[str],
        extra: Mapping[str, Harm] | None = None,
    ) -> None:
        self._mesh = mesh
        self._rng = rng
        self._history = history
        self._counts = counts
        self._killed: list[str] = []
        own: dict[str, tuple[int, Harm]] = {
            "kill": (_KILLS, self._kill),
            "stop": (4, self._stop),
            "long stop": (1, self._stop_long),
            "silence": (2, self._silence),
            "reset": (2, self._reset),
            "cut": (2, self._cut),
            "delay": (2, self._delay),
            "provider": (4, self._provider),
            **{name: (2, harm) for name, harm in (extra or {}).items()},
        }
        self._weights = [weight for weight, _ in own.values()]
        self._harm = {name: harm for name, (_, harm) in own.items()}

    async def act(self, seconds: float) -> list[str]:
        """Do harm for about that long, and say which parts were killed."""
        self._killed = []
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while loop.time() < end:
            (kind,) = self._rng.choices(list(self._harm), self._weights)
            what = await self._harm[kind]()
            self._counts[kind] += 1
            self._history.note(nemesis=kind, what=what)
            await asyncio.sleep(self._rng.uniform(0.05, 0.6))
        return self._killed

    async def heal(self) -> None:
        """Undo all of it: everything runs, everything is connected, all disks have room."""
        for link in self._mesh.links.values():
            link.heal()
        for part in self._mesh.parts.values():
            part.mend()
        self._history.note(nemesis="heal", what="")
        await self._mesh.revive()
        async with httpx.AsyncClient(base_url=self._mesh.sandbox_url, timeout=30) as client:
            await client.delete("/faults")

    async def _kill(self) -> str:
        """Kill one part, or several at once."""
        names = self._rng.sample(list(self._mesh.parts), self._rng.choices((1, 2, 3), (6, 2, 1))[0])
        for name in names:
            part = self._mesh.parts[name]
            if part.running:
                await part.kill()
                self._killed.append(name)
                self._counts[f"kill {name}"] += 1
        return ", ".join(names)

    async def _stop(self) -> str:
        """Freeze a part for a while; heal wakes it at the latest."""
        name = self._rng.choice(list(self._mesh.parts))
        self._mesh.parts[name].freeze()
        asyncio.get_running_loop().call_later(self._rng.uniform(0.2, 2.0), self._mesh.parts[name].thaw)
        return name

    async def _stop_long(self) -> str:
        """Freeze a replica of the order service for longer than its leases, so that others take its orders over."""
        name = self._rng.choice([each for each in self._mesh.parts if each.startswith("order")])
        self._mesh.parts[name].freeze()
        await asyncio.sleep(LEASE_SECONDS + 1)
        return name

    async def _silence(self) -> str:
        name = self._rng.choice(list(self._mesh.links))
        self._mesh.links[name].silence()
        return name

    async def _reset(self) -> str:
        name = self._rng.choice(list(self._mesh.links))
        self._mesh.links[name].reset()
        return name

    async def _cut(self) -> str:
        name = self._rng.choice(list(self._mesh.links))
        self._mesh.links[name].cut_after = self._rng.randrange(1, 2_000)
        return name

    async def _delay(self) -> str:
        name = self._rng.choice(list(self._mesh.links))
        self._mesh.links[name].delay_seconds = self._rng.uniform(0.01, 0.3)
        return name

    async def _provider(self) -> str:
        """Let a provider do something wrong, as long as the sandbox runs."""
        provider, fault = self._rng.choice(_PROVIDER_FAULTS)
        with suppress(httpx.TransportError):
            async with httpx.AsyncClient(base_url=self._mesh.sandbox_url, timeout=2) as client:
                await client.put(f"/faults/{provider}", json=fault)
        return f"{provider} {fault}"


def moods(receiver: Receiver, rng: random.Random) -> dict[str, Harm]:
    """Return the harm that one of the shop's other systems can do: it takes no webhooks for a while, or says so."""

    async def mood() -> str:
        receiver.mood = rng.choice([each for each in Mood if each is not Mood.TAKES])
        asyncio.get_running_loop().call_later(rng.uniform(0.2, 2.0), setattr, receiver, "mood", Mood.TAKES)
        return receiver.mood

    return {"receiver": mood}


def disks(mesh: Mesh, rng: random.Random) -> dict[str, Harm]:
    """Return the harm that a disk can do to a service on SQLite."""

    async def full() -> str:
        """Fill the disk under a service for a while."""
        name = rng.choice(SERVICES)
        mesh.parts[name].fill_disk(full=True)
        asyncio.get_running_loop().call_later(rng.uniform(0.2, 1.0), partial(mesh.parts[name].fill_disk, full=False))
        return name

    async def broken() -> str:
        """Let the disk fail under a service, which has to end by itself and is started again as by a supervisor."""
        name = rng.choice(SERVICES)
        mesh.parts[name].break_disk()
        return name

    return {"disk full": full, "disk broken": broken} if hasattr(resource, "prlimit") else {"disk full": full}


def databases(mesh: Mesh, rng: random.Random, server: PostgresServer, url: str) -> dict[str, Harm]:
    """Return the harm that can be done to services on PostgreSQL."""

    async def sessions() -> str:
        """End every session, as an administrator does."""
        await asyncio.to_thread(server.end_sessions, url)
        return "all"

    async def crash() -> str:
        """Kill the server with all its sessions; it starts again by itself."""
        server.crash()
        return "the server"

    async def commit() -> str:
        """Cut a connection before or after its next COMMIT, so that nobody can tell from the answer."""
        proxy = rng.choice(mesh.databases)
        proxy.fault = rng.choice((Fault.CUT_BEFORE_COMMIT, Fault.CUT_AFTER_COMMIT))
        return proxy.fault.name

    return {"sessions ended": sessions, "postgres killed": crash, "commit cut": commit}
