"""The port `Poster` as a test wants it, and telling that keeps what it is told."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from kernel.outcome import Done, NotDone, Unknown
from order_svc.app.webhook_ports import HookBacklog, Parcel
from order_svc.domain.webhook_delivery import Answer, Delivery

Outcome = Done[Answer] | NotDone[str] | Unknown


class FakePoster:
    """Answers what it is told to, 200 by default.

    Attributes:
        posted: All that was posted.
        answers: What each endpoint says next, by its id.
        hangs: Endpoints that answer only once they are let go.
    """

    def __init__(self) -> None:
        self.posted: list[Parcel] = []
        self.answers: defaultdict[str, deque[Outcome]] = defaultdict(deque)
        self.hangs: dict[str, asyncio.Event] = {}

    def hang(self, endpoint_id: str) -> None:
        self.hangs[endpoint_id] = asyncio.Event()

    def let_go(self) -> None:
        for event in self.hangs.values():
            event.set()

    def message_ids(self, endpoint_id: str) -> list[str]:
        return [each.message.message_id for each in self.posted if each.endpoint.endpoint_id == endpoint_id]

    async def post(self, parcel: Parcel) -> Outcome:
        endpoint_id = parcel.endpoint.endpoint_id
        self.posted.append(parcel)
        if endpoint_id in self.hangs:
            await self.hangs[endpoint_id].wait()
        answers = self.answers[endpoint_id]
        return answers.popleft() if answers else Done(Answer(200))


@dataclass
class FakeHookTelling:
    """Keeps what it is told."""

    became_: list[tuple[Delivery, Outcome]] = field(default_factory=list)
    backlogs: list[HookBacklog] = field(default_factory=list)

    @contextmanager
    def attempt(self, parcel: Parcel) -> Iterator["FakeHookTelling"]:
        yield self

    def became(self, delivery: Delivery, outcome: Outcome) -> None:
        self.became_.append((delivery, outcome))

    def backlog(self, backlog: HookBacklog) -> None:
        self.backlogs.append(backlog)
