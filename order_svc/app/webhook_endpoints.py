"""The endpoints of the shop's other systems: making, changing and taking them away."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kernel.clock import Clock
from kernel.errors import Reason, Refusal
from kernel.ids import Ids
from kernel.request import Request
from order_svc.app.ports import InDoubt
from order_svc.app.webhook_ports import Audience, Endpoints, HookCommand, KeyTaken, Used
from order_svc.domain.webhook_endpoint import SECRET_BYTES, Endpoint, EndpointChange, SigningSecret, changed, rotated

# How often it is decided anew when somebody else was quicker, or when a commit is in doubt.
_TRIES = 4

# A list of them is one page, and each is looked at for every message.
MOST_ENDPOINTS = 100


@dataclass(frozen=True, slots=True)
class WithSecret:
    """An endpoint in the answer that made a secret.

    Attributes:
        endpoint: As it is.
        secret: What was made; None when it is so old that nothing is signed with it any more.
    """

    endpoint: Endpoint
    secret: SigningSecret | None


class KeepEndpoints:
    """The use cases. Equal calls under one key do it once, and give the same answer, with its secret, again.

    Args:
        endpoints: Where they are kept.
        audience: Is told at once that somebody listens.
        clock: The time.
        ids: Makes ids of endpoints and secrets.
        chance: Returns so many random bytes that nobody can guess.
        wake: Has what was made due sent.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        audience: Audience,
        clock: Clock,
        ids: Ids,
        chance: Callable[[int], bytes],
        wake: Callable[[], None],
    ) -> None:
        self._endpoints = endpoints
        self._audience = audience
        self._clock = clock
        self._ids = ids
        self._chance = chance
        self._wake = wake

    async def create(self, url: str, event_types: tuple[str, ...], description: str, request: Request) -> WithSecret:
        """Make an endpoint.

        Args:
            url: Checked.
            event_types: Checked; empty means all.
            description: The shop's own.
            request: The idempotency key.

        Raises:
            Refusal: The key stood for another request; there are too many; or it cannot be stored just now.
        """
        secret = self._new_secret()
        new = Endpoint(self._ids.new(), url, event_types, description, (secret,), False, self._clock.now())  # noqa: FBT003  (a field of the record)
        for _ in range(_TRIES):
            used = await self._endpoints.used(request, HookCommand.CREATE)
            if used is not None:
                made = await self._made_before(used, request)
                self._audience.join()
                return made
            try:
                if not await self._endpoints.add(new, request, MOST_ENDPOINTS):
                    raise Refusal(
                        Reason.ILLEGAL_STATE,
                        f"There are {MOST_ENDPOINTS} endpoints already, the most that there may be; delete one.",
                    )
            except (KeyTaken, InDoubt):
                continue  # Looking for the key tells.
            self._audience.join()
            return WithSecret(new, secret)
        raise busy()

    async def endpoints(self) -> Sequence[Endpoint]:
        """Return all of them, the oldest first."""
        return await self._endpoints.endpoints()

    async def update(self, endpoint_id: str, change: EndpointChange, request: Request) -> Endpoint:
        """Change an endpoint, and return it.

        Raises:
            Refusal: There is none; the key stood for another request; or it cannot be stored just now.
        """
        for _ in range(_TRIES):
            used = await self._endpoints.used(request, HookCommand.UPDATE)
            before = await self._endpoint(endpoint_id)
            if used is not None:
                same_request(used, request)
                return before
            after = changed(before, change)
            try:
                if await self._endpoints.alter(before, after, request, HookCommand.UPDATE, endpoint_id):
                    self._wake()
                    return after
            except (KeyTaken, InDoubt):
                pass  # Looking for the key tells.
        raise busy()

    async def rotate(self, endpoint_id: str, request: Request) -> WithSecret:
        """Make a new secret; what was signed with before is for a day more.

        Raises:
            Refusal: There is no such endpoint; the key stood for another request; or it cannot be stored just now.
        """
        secret = self._new_secret()
        for _ in range(_TRIES):
            used = await self._endpoints.used(request, HookCommand.ROTATE)
            if used is not None:
                return await self._made_before(used, request)
            before = await self._endpoint(endpoint_id)
            after = rotated(before, secret, self._clock.now())
            try:
                if await self._endpoints.alter(before, after, request, HookCommand.ROTATE, secret.secret_id):
                    return WithSecret(after, secret)
            except (KeyTaken, InDoubt):
                pass  # Looking for the key tells.
        raise busy()

    async def delete(self, endpoint_id: str) -> None:
        """Take an endpoint away; one that is gone already counts as taken away.

        Raises:
            Refusal: It cannot be stored just now.
        """
        for _ in range(_TRIES):
            try:
                await self._endpoints.remove(endpoint_id)
            except InDoubt:
                continue  # Doing it again changes nothing.
            return
        raise busy()

    def _new_secret(self) -> SigningSecret:
        return SigningSecret.of(self._ids.new(), self._chance(SECRET_BYTES))

    async def _endpoint(self, endpoint_id: str) -> Endpoint:
        endpoint = await self._endpoints.endpoint(endpoint_id)
        if endpoint is None:
            raise endpoint_not_found(endpoint_id)
        return endpoint

    async def _made_before(self, used: Used, request: Request) -> WithSecret:
        """Return the answer that the key stands for.

        Raises:
            Refusal: It stands for another request, or the endpoint, or its secret of then, is gone.
        """
        same_request(used, request)
        endpoint = await self._endpoints.owner_of(used.subject_id)
        if endpoint is None:
            raise Refusal(
                Reason.WEBHOOK_ENDPOINT_NOT_FOUND,
                "What this key made is gone: the endpoint was deleted, or its secret replaced; use a new key.",
            )
        found = (each for each in endpoint.secrets if each.secret_id == used.subject_id)
        return WithSecret(endpoint, next(found, None))


def endpoint_not_found(endpoint_id: str) -> Refusal:
    """Return the refusal for an endpoint that does not exist."""
    return Refusal(
        Reason.WEBHOOK_ENDPOINT_NOT_FOUND,
        f"There is no webhook endpoint {endpoint_id}; check the id.",
        metadata={"endpointId": endpoint_id},
    )


def same_request(used: Used, request: Request) -> None:
    """Do nothing when the key was used for the same request.

    Raises:
        Refusal: It was used for another one.
    """
    if used.fingerprint != request.fingerprint:
        raise Refusal(
            Reason.REQUEST_ID_REUSED,
            "This request_id (Idempotency-Key) was used for another request; nothing was changed. "
            "Use a new key for a new request.",
        )


def busy() -> Refusal:
    """Return the refusal for what could not be settled in several tries."""
    return Refusal(
        Reason.UNAVAILABLE,
        "Whether it was stored cannot be told just now; repeat the request with the same key.",
        retry_after=1.0,
    )
