"""What outgoing webhooks need of the outside world, in our own nouns."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from kernel.outcome import Done, NotDone, Unknown
from kernel.request import Request
from order_svc.domain.webhook import Message
from order_svc.domain.webhook_delivery import Answer, Delivery, DeliveryState
from order_svc.domain.webhook_endpoint import Endpoint


class Audience:
    """Whether anybody listens, as far as this process knows. While nobody does, an order costs nothing more."""

    def __init__(self) -> None:
        self._listens = False
        self._joined = 0

    @property
    def listens(self) -> bool:
        """Return whether there is at least one endpoint."""
        return self._listens

    @property
    def joined(self) -> int:
        """Return how often this process has heard of an endpoint: read it before the database is asked."""
        return self._joined

    def join(self) -> None:
        """Hear that there is an endpoint, before its maker is told so."""
        self._joined += 1
        self._listens = True

    def found(self, *, listens: bool, joined: int) -> None:
        """Hear what the database says.

        Args:
            listens: It has at least one endpoint.
            joined: What `joined` was when it was asked: one that was heard of meanwhile may not be in its answer.
        """
        self._listens = listens or self._joined > joined


class HookCommand(StrEnum):
    """What keeps an idempotency key, by the name of its RPC."""

    CREATE = "CreateWebhookEndpoint"
    UPDATE = "UpdateWebhookEndpoint"
    ROTATE = "RotateWebhookSecret"
    REPLAY = "ReplayWebhookDelivery"


@dataclass(frozen=True, slots=True)
class Used:
    """An earlier use of an idempotency key.

    Attributes:
        fingerprint: Of its request.
        subject_id: What it was about: an endpoint or a delivery; for a command that makes a secret, that secret.
    """

    fingerprint: str
    subject_id: str


class Endpoints(Protocol):
    """Where endpoints are kept. Every write is durable when it returns.

    All methods raise Refusal(UNAVAILABLE) when the database is away, and writes raise InDoubt when their commit may or
    may not have happened.
    """

    async def used(self, request: Request, command: HookCommand) -> Used | None:
        """Return an earlier use of the key for the command."""
        ...

    async def add(self, endpoint: Endpoint, request: Request, most: int) -> bool:
        """Store a new endpoint, unless there are `most` already: then nothing is stored, and it is False.

        Raises:
            KeyTaken: The key was used meanwhile; nothing was written.
        """
        ...

    async def endpoint(self, endpoint_id: str) -> Endpoint | None:
        """Return the endpoint."""
        ...

    async def owner_of(self, secret_id: str) -> Endpoint | None:
        """Return the endpoint that has the secret."""
        ...

    async def endpoints(self) -> Sequence[Endpoint]:
        """Return all of them, the oldest first."""
        ...

    async def alter(
        self, before: Endpoint, after: Endpoint, request: Request, command: HookCommand, subject_id: str
    ) -> bool:
        """Store an endpoint that was changed; False when it is not as it was before any more.

        Where it is switched on, what was held back is due; where it is switched off, what waits is held back.

        Raises:
            KeyTaken: The key was used meanwhile; nothing was written.
        """
        ...

    async def remove(self, endpoint_id: str) -> None:
        """Take an endpoint away, with all its deliveries; nothing happens when it is not there."""
        ...


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Which deliveries to list; what is empty or None does not restrict.

    Attributes:
        endpoint_id: To this endpoint.
        order_id: About this order.
        state: In this state.
    """

    endpoint_id: str = ""
    order_id: str = ""
    state: DeliveryState | None = None


class DeliveryLog(Protocol):
    """The deliveries as a person looks at them; raises as `Endpoints` does."""

    async def used(self, request: Request, command: HookCommand) -> Used | None:
        """Return an earlier use of the key for the command."""
        ...

    async def delivery(self, delivery_id: str) -> Delivery | None:
        """Return the delivery."""
        ...

    async def page(self, wanted: DeliveryFilter, after: str, limit: int) -> Sequence[Delivery]:
        """Return deliveries, newest first, beginning below the delivery id `after` (empty: from the newest)."""
        ...

    async def send_again(self, delivery: Delivery, request: Request) -> Delivery | None:
        """Store a delivery that is to be sent again, held back when its endpoint is switched off, and return it.

        Returns:
            None when it is not at the version before any more; nothing was written.

        Raises:
            KeyTaken: The key was used meanwhile; nothing was written.
        """
        ...


@dataclass(frozen=True, slots=True)
class Pending:
    """What there is to do.

    Attributes:
        listens: There is at least one endpoint.
        messages: At least one message was not shared out yet.
        deliveries: The time of at least one delivery has come.
    """

    listens: bool
    messages: bool
    deliveries: bool


@dataclass(frozen=True, slots=True)
class HookBacklog:
    """What is not delivered.

    Attributes:
        waiting: How many deliveries are to be tried.
        oldest_seconds: The age of the oldest of them; 0 when none is.
    """

    waiting: int
    oldest_seconds: float


@dataclass(frozen=True, slots=True)
class Parcel:
    """All that is needed to post a message.

    Attributes:
        delivery: Leased to this replica.
        endpoint: Where it goes.
        message: What it carries.
    """

    delivery: Delivery
    endpoint: Endpoint
    message: Message


class HookQueue(Protocol):
    """The messages and deliveries as the sender works on them; raises as `Endpoints` does."""

    async def pending(self) -> Pending:
        """Say what there is to do: the one cheap read of an idle service."""
        ...

    async def share_out(self, limit: int) -> int:
        """Make a delivery of each message for each endpoint that hears of it; return how many messages were taken."""
        ...

    async def claim(self, at_once: int, busy: Mapping[str, int], lease_seconds: float) -> Sequence[Parcel]:
        """Lease deliveries whose time has come to this replica.

        Args:
            at_once: How many an endpoint may have under way here.
            busy: How many each has under way here already, by its id; 0 for those that are not named.
            lease_seconds: How long the claim lasts.
        """
        ...

    async def finish(self, delivery: Delivery) -> None:
        """Store what became of an attempt; nothing happens when somebody else has the delivery by now."""
        ...

    async def switch_off(self, delivery: Delivery) -> None:
        """Store what became of an attempt, and hold back all that waits for its endpoint, which is gone."""
        ...

    async def release_own(self) -> None:
        """Give up the leases that an earlier life of this replica still holds, so that they are claimed at once."""
        ...

    async def backlog(self) -> HookBacklog:
        """Return what is not delivered."""
        ...


class KeyTaken(Exception):
    """The idempotency key was used meanwhile. Nothing was written; looking for it tells by what."""


class Poster(Protocol):
    """Posts messages."""

    async def post(self, parcel: Parcel) -> Done[Answer] | NotDone[str] | Unknown:
        """Post one, signed with every secret that is valid now.

        Returns:
            What the endpoint answered, whatever it was; why nothing was sent; or what was seen instead of an answer.
        """
        ...


class HookTold(Protocol):
    """An attempt while it is being made."""

    def became(self, delivery: Delivery, outcome: Done[Answer] | NotDone[str] | Unknown) -> None:
        """Note how it ended."""
        ...


class HookTelling(Protocol):
    """What the sender tells about itself."""

    def attempt(self, parcel: Parcel) -> AbstractContextManager[HookTold]:
        """Surround one attempt: a trace of its own, linked to the order's."""
        ...

    def backlog(self, backlog: HookBacklog) -> None:
        """Note what is not delivered."""
        ...
