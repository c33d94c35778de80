"""`ordermesh audit` in a simulated world: the product's own collecting and rules, over the world's services."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

from cli.audit.audit import read_everything
from cli.audit.book import opened_book
from cli.audit.mesh_grpc import AuditedMesh
from cli.audit.rules import DIFFERENCES
from cli.dial_grpc import Line
from tests.simulation.wire import Pick, Stub
from tests.simulation.world import SimClock, World


class _Channel:
    """What generated stubs are made on: methods by their paths, led to the simulated service."""

    def __init__(self, stub: Stub) -> None:
        self.for_stub = self
        self._stub = stub

    def unary_unary(self, path: str, **_: object) -> Callable[..., Any]:
        method: Callable[..., Any] = getattr(self._stub, path.rpartition("/")[2])
        return method

    def unary_stream(self, path: str, **_: object) -> None:
        """Offer none: the audit follows nobody."""


async def differences(world: World, pick: Pick) -> list[str]:
    """Return what an audit without any grace finds wrong, a sentence each."""
    lines = [
        Line(cast("Any", _Channel(Stub(world, service, pick))), service, "")
        for service in ("order", "tax", "payment", "notify")
    ]
    with opened_book() as book:
        audit = await read_everything(AuditedMesh(*lines), book, SimClock(world), timedelta(0), lambda *_: None)
        return [f"{finding.subject}: {finding.what}" for finding in audit.findings(DIFFERENCES)]
