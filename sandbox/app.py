"""Puts the sandbox together: three providers, the faults, the ledger, and the state behind them."""

import asyncio
import contextlib
import itertools
import random
from collections.abc import AsyncIterator
from typing import Any

from starlette.applications import Starlette
from starlette.routing import Mount, Route

from kernel.clock import Clock, SystemClock
from sandbox.avatax.provider import AvataxProvider
from sandbox.config import SandboxConfig
from sandbox.control import Control
from sandbox.desk import Desk
from sandbox.exchange import Provider
from sandbox.faults import FaultBoard
from sandbox.ledger import Ledger
from sandbox.pages.site import Site
from sandbox.sendgrid import events as sendgrid_events
from sandbox.sendgrid.provider import SendgridProvider
from sandbox.sendgrid.signing import EventKey
from sandbox.storage import Storage
from sandbox.stripe import events as stripe_events
from sandbox.stripe.provider import StripeProvider
from sandbox.tokens import Tokens
from sandbox.webhooks import Courier

_BEAT_SECONDS = 2  # how often it looks for what happens by itself
_BEATS_PER_PRUNE = 1800  # an hour: keys are kept for a day, give or take
_SENDGRID_BATCH = 100


def create_app(config: SandboxConfig, *, clock: Clock | None = None, rng: random.Random | None = None) -> Starlette:
    """Return the sandbox as an ASGI application; its state is open between lifespan start and end.

    Args:
        config: where state and webhooks go.
        clock: what time it is.
        rng: where identifiers come from; seed it to get the same ones again.
    """
    clock = clock or SystemClock()
    tokens = Tokens(rng or random.Random())  # noqa: S311  (ids of pretended objects, nothing secret)
    storage = Storage(config.data_dir / "sandbox.db")
    faults = FaultBoard(tokens)

    stripe_mail = stripe_events.EventMail(storage, config.stripe_webhook_secret)
    stripe_courier = Courier(config.stripe_webhook_url, "event", stripe_mail, storage, clock, batch=1)
    stripe = StripeProvider(storage, clock, tokens, stripe_courier)

    key = EventKey()
    sendgrid_mail = sendgrid_events.EventMail(storage, key)
    sendgrid_courier = Courier(
        config.sendgrid_webhook_url, sendgrid_events.KIND, sendgrid_mail, storage, clock, batch=_SENDGRID_BATCH
    )
    sendgrid = SendgridProvider(storage, clock, tokens, key, sendgrid_courier)
    avatax = AvataxProvider(storage, clock, tokens)

    providers: tuple[Provider, ...] = (stripe, avatax, sendgrid)
    desks = {provider.name: Desk(provider, storage, faults, clock) for provider in providers}
    operations = {
        provider.name: frozenset(op.name for op in provider.operations if not op.lever) for provider in providers
    }
    control = Control(faults, Ledger(storage), operations)

    async def tick() -> None:
        for beat in itertools.count():
            stripe.settling.run()
            if beat % _BEATS_PER_PRUNE == 0:
                stripe.keys.prune()
            await clock.sleep(_BEAT_SECONDS)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, Any]]:
        await storage.start()
        await stripe_courier.start()
        await sendgrid_courier.start()
        ticking = asyncio.create_task(tick())
        yield {}
        ticking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await ticking
        for desk in desks.values():
            await desk.stop()
        for courier in (stripe_courier, sendgrid_courier):
            await courier.stop()
        await storage.stop()

    return Starlette(
        routes=[
            *(Mount(f"/{name}", app=desk) for name, desk in desks.items()),
            *Site(storage, faults, operations).routes(),
            Route("/faults", control.all_faults, methods=["GET", "DELETE"]),
            Route("/faults/{provider}", control.faults_of, methods=["GET", "PUT", "DELETE"]),
            Route("/ledger", control.ledger, methods=["GET"]),
            Route("/healthz", control.health, methods=["GET"]),
        ],
        lifespan=lifespan,
    )
