"""The API keys that count now, in memory: looking one up costs a hash, and a revoked one is gone within seconds."""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Protocol

from chassis.caller import GATEWAY, Caller
from gateway.access.api_keys import ApiKey, parse
from kernel.clock import Clock
from kernel.errors import Reason, Refusal

_logger = logging.getLogger(__name__)

# A revoked key is refused after this and the time that a read takes; docs/security.md promises ten seconds.
_LOOK_AGAIN_SECONDS = 5.0
# An id that is not known may be a key that was just made. Nobody makes us read more often by guessing.
_LOOK_FOR_UNKNOWN_SECONDS = 1.0
# How long keys go on without their database: as long as an outage that nobody has to be woken for.
_WITHOUT_DATABASE_SECONDS = 300.0
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
        self._read_at = float("-inf")
        self._tried_at = float("-inf")
        self._used: set[str] = set()
        self._noted_at = float("-inf")
        self._reading = asyncio.Lock()

    async def caller_of(self, presented: str) -> Caller | None:
        """Return whose key that is; None when it is nobody's.

        Raises:
            Refusal: UNAVAILABLE; the keys cannot be read, and have not been for minutes.
        """
        parsed = parse(presented)
        if parsed is None:
            return None
        key_id, secret = parsed
        await self._refresh(_LOOK_AGAIN_SECONDS if key_id in self._known else _LOOK_FOR_UNKNOWN_SECONDS)
        key = self._known.get(key_id)
        if key is None or not key.opened_by(secret) or not key.active(self._clock.now()):
            return None
        self._used.add(key_id)
        return Caller(f"key:{key.name}", GATEWAY, key.scopes, vouched=True)

    async def _refresh(self, after_seconds: float) -> None:
        now = self._clock.monotonic()
        if now - self._tried_at >= after_seconds:
            async with self._reading:
                if now - self._tried_at >= after_seconds:
                    self._tried_at = now
                    await self._read(now)
        if now - self._read_at > _WITHOUT_DATABASE_SECONDS:
            raise Refusal(Reason.UNAVAILABLE, "API keys cannot be checked just now; try again.", retry_after=1.0)

    async def _read(self, now: float) -> None:
        try:
            self._known = {key.key_id: key for key in await self._keys.every()}
            self._read_at = now
            if self._used and now - self._noted_at >= _NOTE_USE_SECONDS:
                used, self._used, self._noted_at = list(self._used), set(), now
                await self._keys.used(used, self._clock.now())
        except Exception as error:  # noqa: BLE001  (a database fails in many ways; what is known goes on for a while)
            _logger.warning("keys.unreadable", extra={"error": type(error).__name__})
