"""Idempotency keys: the first answer, kept and given again."""

import hashlib
from typing import Any

from kernel.clock import Clock
from sandbox.exchange import Answer
from sandbox.storage import Storage
from sandbox.stripe.errors import StripeError

Json = dict[str, Any]

_KIND = "idempotency"
_MAX_KEY = 255
KEPT_SECONDS = 24 * 60 * 60


class IdempotencyKeys:
    """The keys that were used, and those in use."""

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock
        self._in_flight: dict[str, tuple[str, str]] = {}

    def begin(self, key: str, path: str, body: bytes) -> Answer | None:
        """Take a key for a request; return the answer to give again when it has run before.

        Raises:
            StripeError: the key is in use, or was used for something else.
        """
        if len(key) > _MAX_KEY:
            message = f"Idempotency keys can have up to {_MAX_KEY} characters."
            raise StripeError(400, message, kind="idempotency_error", remembered=False)
        fingerprint = hashlib.sha256(body).hexdigest()
        running = self._in_flight.get(key)
        if running is not None:
            _check_same(key, running, (path, fingerprint))
            message = (
                "There is currently another in-progress request using this Idempotent Key (that probably means you "
                f"submitted twice, and the other request is still going through): {key}. Please try again later."
            )
            raise StripeError(409, message, code="idempotency_key_in_use", remembered=False)
        kept = self._storage.get(_KIND, key)
        if kept is not None and self._now() - kept["created"] < KEPT_SECONDS:
            _check_same(key, (kept["path"], kept["fingerprint"]), (path, fingerprint))
            headers = {**kept["headers"], "idempotent-replayed": "true"}
            return Answer(kept["status"], kept["body"].encode(), headers)
        self._in_flight[key] = (path, fingerprint)
        return None

    def finish(self, key: str, answer: Answer, *, remembered: bool) -> None:
        """Give the key back, with the answer to repeat if it is one that is kept."""
        path, fingerprint = self._in_flight.pop(key)
        if remembered:
            now = self._now()
            record: Json = {
                "path": path,
                "fingerprint": fingerprint,
                "status": answer.status,
                "body": answer.body.decode(),
                "headers": dict(answer.headers),
                "created": now,
            }
            self._storage.put(_KIND, key, record, created=now)

    def prune(self) -> None:
        """Forget the keys that are old enough."""
        self._storage.prune(_KIND, self._now() - KEPT_SECONDS)

    def _now(self) -> int:
        return int(self._clock.now().timestamp())


def _check_same(key: str, first: tuple[str, str], again: tuple[str, str]) -> None:
    if first == again:
        return
    if first[0] != again[0]:
        what = f"the same endpoint they were first used for ('{first[0]}' vs. '{again[0]}')"
    else:
        what = "the same parameters they were first used with"
    message = (
        f"Keys for idempotent requests can only be used with {what}. Try using a key other than '{key}' if you meant "
        "to execute a different request."
    )
    raise StripeError(400, message, kind="idempotency_error", remembered=False)
