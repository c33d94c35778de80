"""The present, as exactly as it is kept: an answer must not differ from its repetition after a restart."""

from datetime import datetime

from kernel.clock import Clock


def now_of(clock: Clock) -> datetime:
    """Return the time to the millisecond."""
    now = clock.now()
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
