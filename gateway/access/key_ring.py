"""The API keys that count now, in memory: looking one up costs a hash, and a revoked one is gone within seconds."""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Protocol

from chassis.caller import GATEWAY, Caller
from gateway.access.api_keys import ApiKey, parse
from gateway.access.renewal import Renewal
from kernel.clock import Clock
from kernel.errors import Reason, Refusal

_logger = logging.getLogger(__name__)

# What is so old is read anew, while requests go on with it.
_LOOK_AGAIN_SECONDS = 5.0
# What is so old counts no more until it is read anew: docs/security.md promises that a revoked key is refused within
# ten seconds, also when the gateway was not asked anything for hours.
_OLDEST_SECONDS = 9.0
# An id that is not known may be a key that was just made. Nobody makes us read more often by guessing.
_LOOK_FOR_UNKNOWN_SECONDS = 1.0
# How long keys go on without their database: as long as an outage that nobody has to be woken for.
_WITHOUT_DATABASE_SECONDS = 300.0
# Longer than the table gives itself (key_table.py); with the pause less than ten seconds, see above.
_LONGEST_READ_SECONDS = 7.0
_AFTER_FAILURE_SECONDS = 1.0
# "Last used" is for people who clean up: to the minute is fine.
_NOTE_USE_SECONDS = 60.0


class Keys(Protocol):
    """Where keys are kept: gateway.access.key_table.KeyTable."""

    async def every(self) -> list[ApiKey]:
        """Return every key."""
        ...

    async def used(self, key_ids: Iterable[str], now: datetime) -> None:
        """Note when keys were used."""
        ...


class KeyRing:
    """Knows which keys count."""

    def __init__(self, keys: Keys, clock: Clock) -> None:
        self._keys = keys
        self._clock = clock
        self._known: Mapping[str, ApiKey] = {}
        self._used: set[str] = set()
        self._noted_at = float("-inf")
        self._noting: asyncio.Task[None] | None = None
        self._renewal = Renewal(
            self._read,
            clock,
            failed="keys.unreadable",
            pause_seconds=_AFTER_FAILURE_SECONDS,
            longest_seconds=_LONGEST_READ_SECONDS,
        )

    async def prepare(self) -> None:
        """Read the keys before anybody shows one; when they cannot be read, whoever does is told so."""
        await self._renewal.done(known=False)

    async def close(self) -> None:
        """Read no more, once what was used is noted."""
        await self._renewal.close()
        if self._noting is not None:
            await asyncio.wait({self._noting})

    async def caller_of(self, presented: str) -> Caller | None:
        """Return whose key that is; None when it is nobody's.

        Raises:
            Refusal: UNAVAILABLE; the keys cannot be read, and have not been for minutes.
        """
        parsed = parse(presented)
        if parsed is None:
            return None
        key_id, secret = parsed
        await self._refresh(known=key_id in self._known)
        key = self._known.get(key_id)
        if key is None or not key.opened_by(secret) or not key.active(self._clock.now()):
            return None
        self._used.add(key_id)
        return Caller(f"key:{key.name}", GATEWAY, key.scopes, vouched=True)

    async def _refresh(self, *, known: bool) -> None:
        age = self._clock.monotonic() - self._renewal.read_at
        if age >= (_OLDEST_SECONDS if known else _LOOK_FOR_UNKNOWN_SECONDS):
            await self._renewal.done(known=known and age <= _WITHOUT_DATABASE_SECONDS)
            if self._clock.monotonic() - self._renewal.read_at > _WITHOUT_DATABASE_SECONDS:
                raise Refusal(Reason.UNAVAILABLE, "API keys cannot be checked just now; try again.", retry_after=1.0)
        elif age >= _LOOK_AGAIN_SECONDS:
            self._renewal.begin()

    async def _read(self) -> None:
        self._known = {key.key_id: key for key in await self._keys.every()}
        now = self._clock.monotonic()
        if self._used and self._noting is None and now - self._noted_at >= _NOTE_USE_SECONDS:
            used, self._used, self._noted_at = self._used, set(), now
            # Nobody's request waits for this.
            self._noting = asyncio.create_task(self._note(used), name="keys.used")

    async def _note(self, used: set[str]) -> None:
        try:
            await self._keys.used(sorted(used), self._clock.now())
        except Exception as error:  # noqa: BLE001  (a database fails in many ways; a minute later it is tried again)
            self._used |= used
            _logger.warning("keys.use_not_noted", extra={"error": type(error).__name__})
        finally:
            self._noting = None
