"""The notify service, put together and run."""

import chassis.process  # noqa: F401  # isort: skip  (settings that grpc reads when it is imported)

import asyncio
import logging
import os
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

from ordermesh.notify.v1 import notify_service_pb2_grpc

from chassis.admission import INNER_SECONDS, Admission
from chassis.breaker import Breaker
from chassis.http import HttpClient, create_client
from chassis.provider_watch import ProviderWatch
from chassis.service import Tasks, run_alone
from chassis.standard import standard_server
from chassis.storage import migrations
from chassis.storage.running import running_store
from chassis.telemetry.metrics import Metrics
from chassis.telemetry.setup import Telemetry
from chassis.trust.transport import Transport
from kernel.bell import Bell
from kernel.clock import Clock, SystemClock
from kernel.ids import Uuid7Ids
from notify_svc.adapters import sendgrid, smtp
from notify_svc.adapters.letters import Letters
from notify_svc.adapters.notifications_store import NotificationsStore
from notify_svc.adapters.sendgrid_events import SendgridEvents, public_key
from notify_svc.adapters.sendgrid_feed import SendGridFeed
from notify_svc.adapters.tables import METADATA
from notify_svc.adapters.telling import TelemetryTelling
from notify_svc.app.accept import SendNotification
from notify_svc.app.dispatch import Dispatch, Slots
from notify_svc.app.events import IngestEvents
from notify_svc.app.feed import ListFeed
from notify_svc.app.news import NotificationNews
from notify_svc.app.ports import Mailer
from notify_svc.app.preview import PreviewNotification
from notify_svc.app.read import ReadNotifications
from notify_svc.app.stored_mail import ReadMail
from notify_svc.app.worker import Worker
from notify_svc.config import NotifyConfig
from notify_svc.servicer import NotifyServicer

_logger = logging.getLogger(__name__)

MIGRATIONS = str(Path(__file__).with_name("migrations"))

# SendGrid answers in some 50 ms: enough for a thousand mails a second.
_MAILS_AT_A_TIME = 64

# A batch of SendGrid's events may have a megabyte, as the contract says, and a little around it.
_MAXIMUM_MESSAGE_BYTES = 1_100_000

# Mails under way may finish when the service stops; what does not is tried again after its lease.
_FINISH_SECONDS = sendgrid.SEND_SECONDS


@asynccontextmanager
async def running(config: NotifyConfig, telemetry: Telemetry, mailer: Mailer | None = None) -> AsyncIterator[str]:
    """Run the service while the context is open; yields the address that it listens on.

    Args:
        config: The settings.
        telemetry: What it records with.
        mailer: Who sends the mails; SendGrid or a mail server, as configured, unless another is given.
    """
    warn(config)
    clock = SystemClock()
    ids = Uuid7Ids(clock)
    async with AsyncExitStack() as ending:
        await asyncio.to_thread(migrations.run, config.database_url.reveal(), MIGRATIONS)
        store = await ending.enter_async_context(
            running_store(config.database_url.reveal(), metadata=METADATA, observer=telemetry.metrics.batch_committed)
        )
        client = _sendgrid(config, telemetry, ending)
        letters = Letters(config.mail_from, config.mail_locale, config.mail_templates_dir)
        mailer = mailer or _mailer(config, client, letters, clock, telemetry.metrics)
        by_smtp = config.mail_transport == "smtp"
        key = public_key(config.sendgrid_webhook_public_key) if config.sendgrid_webhook_public_key else None

        work = Tasks()
        ending.push_async_callback(work.close, _FINISH_SECONDS)
        slots = Slots(smtp.CONNECTIONS if by_smtp else _MAILS_AT_A_TIME)
        notifications = NotificationsStore(store, clock)
        telling = TelemetryTelling(telemetry)
        spread = random.Random().random  # noqa: S311  (spreads retries; nothing secret)
        bell = Bell(clock)
        dispatch = Dispatch(mailer, notifications, slots, bell, clock, spread, telling)
        worker = Worker(mailer, notifications, slots, dispatch, work, bell, clock, telling)
        servicer = NotifyServicer(
            SendNotification(notifications, dispatch, bell, work, clock, ids, letters.locale),
            ReadNotifications(notifications),
            IngestEvents(SendgridEvents(key, clock), notifications),
            ListFeed(smtp.NoFeed() if by_smtp else SendGridFeed(client, clock)),
            PreviewNotification(letters, clock),
            NotificationNews(notifications),
            ReadMail(notifications, letters),
            ProviderWatch(config.mail_transport, telemetry.metrics, clock),
        )

        admission = Admission(config.limits, INNER_SECONDS, telemetry.metrics.admission_limit.set)
        transport = Transport(config.transport, telemetry.metrics)
        server = standard_server(
            "notify",
            telemetry,
            ids,
            transport,
            admission,
            config.access,
            worker=config.worker,
            maximum_message_bytes=_MAXIMUM_MESSAGE_BYTES,
        )
        server.add(notify_service_pb2_grpc.add_NotifyServiceServicer_to_server, servicer)
        # Some 0.15 s of work that would keep everybody waiting who calls as soon as we serve, for mails are due then.
        letters.prepare(clock)
        address = await server.start(config.address)
        working = asyncio.create_task(worker.run(), name="worker")
        ending.callback(working.cancel)
        ending.push_async_callback(server.stop)
        await server.serving(ready=True)
        yield address


def warn(config: NotifyConfig) -> None:
    """Say in the log what is set so that it works, and not as somebody will have meant it."""
    if config.is_deaf:
        # Nobody hears of mails that bounced; and of one whose answer was lost, whether it went out.
        _logger.warning("sendgrid.events_refused", extra={"reason": "SENDGRID_WEBHOOK_PUBLIC_KEY is not set"})


def _sendgrid(config: NotifyConfig, telemetry: Telemetry, ending: AsyncExitStack) -> HttpClient:
    """Return the way to SendGrid, over connections that are closed in the end."""
    client = create_client(
        "sendgrid",
        config.sendgrid_url,
        tracer=telemetry.tracer,
        metrics=telemetry.metrics,
        timeout_seconds=sendgrid.SEND_SECONDS,
        max_connections=_MAILS_AT_A_TIME + 2,  # and a probe, and a look at the feed
        headers=sendgrid.headers(config.sendgrid_api_key),
    )
    ending.push_async_callback(client.aclose)
    return client


def _mailer(config: NotifyConfig, client: HttpClient, letters: Letters, clock: Clock, metrics: Metrics) -> Mailer:
    """Return who sends the mails."""
    breaker = Breaker(
        clock,
        failures=sendgrid.BREAKER_FAILURES,
        first_seconds=sendgrid.BREAKER_FIRST_SECONDS,
        longest_seconds=sendgrid.BREAKER_LONGEST_SECONDS,
        tell=metrics.provider_reachable(config.mail_transport),
    )
    if config.mail_transport == "smtp":
        return smtp.Smtp(config.smtp, config.mail_from, letters, breaker, clock)
    return sendgrid.SendGrid(client, config.mail_from, letters, breaker, clock, config.sendgrid_templates)


def main() -> None:
    """Run the service alone in this process, set up from the environment."""
    config = NotifyConfig.from_env(os.environ)  # noqa: TID251  (handed straight to config.py)
    run_alone("notify", config.data_dir, config.otlp_endpoint, config.metrics_address, partial(running, config))


if __name__ == "__main__":
    main()
