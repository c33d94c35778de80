"""SendGrid's adapter against any HTTP server, and SMTP's against any mail server."""

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from chassis.breaker import Breaker
from chassis.config import Secret
from chassis.http import HttpClient, create_client
from chassis.telemetry.metrics import Metrics
from kernel.clock import Clock
from notify_svc.adapters import sendgrid
from notify_svc.adapters.letters import Letters
from notify_svc.adapters.sendgrid_feed import SendGridFeed
from notify_svc.adapters.smtp import Smtp, SmtpServer
from tests.fakes.manual_clock import ManualClock
from tests.fakes.telemetry_sink import recording_tracer

API_KEY = "SG.key-of-this-test"
SENDER = "The shop <orders@shop.example>"


@asynccontextmanager
async def sendgrid_at(
    url: str,
    clock: Clock | None = None,
    *,
    sender: str = SENDER,
    timeout_seconds: float = 10.0,
    templates: Mapping[str, str] = sendgrid.NO_TEMPLATES,
) -> AsyncIterator[sendgrid.SendGrid]:
    """Yield the adapter, with the breaker that the service has, for a server at `url`."""
    clock = clock or ManualClock()
    client = _client(url, timeout_seconds)
    breaker = Breaker(
        clock,
        failures=sendgrid.BREAKER_FAILURES,
        first_seconds=sendgrid.BREAKER_FIRST_SECONDS,
        longest_seconds=sendgrid.BREAKER_LONGEST_SECONDS,
    )
    try:
        yield sendgrid.SendGrid(client, sender, Letters(sender), breaker, clock, templates)
    finally:
        await client.aclose()


def smtp_at(
    port: int,
    clock: Clock | None = None,
    *,
    host: str = "localhost",
    tls: str = "off",
    username: str = "",
    password: str = "",
    trusted: ssl.SSLContext | None = None,
    timeout_seconds: float = 10.0,
) -> Smtp:
    """Return the adapter, with the breaker that the service has, for a mail server on this machine."""
    clock = clock or ManualClock()
    breaker = Breaker(
        clock,
        failures=sendgrid.BREAKER_FAILURES,
        first_seconds=sendgrid.BREAKER_FIRST_SECONDS,
        longest_seconds=sendgrid.BREAKER_LONGEST_SECONDS,
    )
    server = SmtpServer(host, port, tls, username, Secret(password))
    return Smtp(server, SENDER, Letters(SENDER), breaker, clock, trusted, timeout_seconds)


@asynccontextmanager
async def feed_at(url: str, clock: Clock | None = None) -> AsyncIterator[SendGridFeed]:
    """Yield the adapter of the activity feed for a server at `url`."""
    client = _client(url)
    try:
        yield SendGridFeed(client, clock or ManualClock())
    finally:
        await client.aclose()


def _client(url: str, timeout_seconds: float = 10.0) -> HttpClient:
    tracer, _ = recording_tracer("notify")
    return create_client(
        "sendgrid",
        url,
        tracer=tracer,
        metrics=Metrics("notify"),
        timeout_seconds=timeout_seconds,
        max_connections=8,
        headers=sendgrid.headers(Secret(API_KEY)),
    )
