"""Turn after turn at what is due, for as long as the service runs."""

from collections.abc import Awaitable, Callable
from logging import Logger

from kernel.bell import Bell
from kernel.errors import Refusal
from order_svc.app.ports import InDoubt

# How often it is looked without being told to; and how long a replica may not know of the first webhook endpoint, made
# at another.
_INTERVAL_SECONDS = 1.0


async def take_turns(turn: Callable[[], Awaitable[bool]], bell: Bell, logger: Logger, name: str) -> None:
    """Take turns for ever; a database that is away is waited for, and no defect ends it.

    Args:
        turn: Does what there is room for, and says whether there may be more to do at once.
        bell: Is rung when something was made due.
        logger: Whose log it is.
        name: What is logged of it begins so: "sweep", for "sweep.paused" and "sweep.defect".
    """
    away = False
    while True:
        more = False
        bell.hush()
        try:
            more = await turn()
            away = False
        except (Refusal, InDoubt):
            if not away:
                logger.warning("%s.paused", name, extra={"until": "the database is back"})
            away = True
        except Exception:
            logger.exception("%s.defect", name)
        if not more:
            await bell.wait(_INTERVAL_SECONDS)
