"""What pages are made of that takes several calls of the API: the board, and a mail."""

import asyncio
from typing import Any

from gateway.console.inside import Api, Json, or_why_not

_ON_THE_BOARD = "15"
_PROVIDERS = ("payment", "tax", "mail")


async def board(api: Api) -> dict[str, Any]:
    """Return what the board shows; what its reader may not see says why."""
    waiting, newest, overview, *providers = await asyncio.gather(
        api.get("/orders", needs_review="true", page_size=_ON_THE_BOARD),
        api.get("/orders", page_size=_ON_THE_BOARD),
        or_why_not(api.get("/orders:overview")),
        *(or_why_not(api.get(f"/providers/{name}")) for name in _PROVIDERS),
    )
    return {
        "waiting": waiting["orders"],
        "more_wait": bool(waiting.get("next_page_token")),
        "newest": newest["orders"],
        "overview": overview,
        "providers": dict(zip(_PROVIDERS, providers, strict=True)),
    }


async def mail(api: Api, notification_id: str) -> Json:
    """Return a mail as it is sent, and what became of it.

    Raises:
        Refused: There is none, or its reader may not see it.
    """
    return await api.get(f"/notifications/{notification_id}:mail")
