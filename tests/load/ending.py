"""What has to be true once the load is over, whatever was done to the mesh meanwhile."""

import asyncio

from tests.failure.audit import audited
from tests.load.callers import Callers, calling
from tests.load.fleet import Fleet

# Mails and tax documents follow an order; what failed meanwhile is tried again after pauses.
_AUDIT_TRIES = 20
_AUDIT_PAUSE_SECONDS = 5.0

# Where a complaint of the audit begins to repeat itself.
_SHOWN = 1_000


async def ending(fleet: Fleet, callers: Callers, *, holds: bool) -> dict[str, object]:
    """Return the figures that every part ends with.

    Args:
        fleet: All of it runs.
        callers: Who have made their calls.
        holds: Whether everything else was as it has to be.
    """
    async with calling(fleet, "after", workers=0, pause_seconds=0) as after:
        after.seen = callers.seen
        unpaid = await after.unpaid()
    audit = await _audit(fleet)
    defects = fleet.defects()
    return {
        "calls": len(callers.seen.calls),
        "failed": len(callers.seen.failed),
        "longest_answer_seconds": round(callers.seen.longest, 2),
        "orders": len(callers.seen.orders),
        "answered_pending": callers.seen.pending,
        "unpaid_or_lost": len(unpaid),
        "audit": audit,
        "defects": defects[:5],
        "holds": holds and not unpaid and audit == "clean" and not defects,
    }


async def _audit(fleet: Fleet) -> str:
    """Return "clean", or what the audit still says when everything has had the time to settle."""
    for _ in range(_AUDIT_TRIES):
        said = await audited(fleet.values)
        if said == "clean":
            return said
        await asyncio.sleep(_AUDIT_PAUSE_SECONDS)
    return said[:_SHOWN]
