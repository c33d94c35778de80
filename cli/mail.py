"""`ordermesh mail`: looking at mails before customers do."""

from pathlib import Path

import click
from ordermesh.notify.v1 import notification_pb2, notify_service_pb2_grpc
from ordermesh.notify.v1 import notify_service_pb2 as pb

from cli.config import CliConfig, environment
from cli.dial_grpc import CALL_SECONDS, dialled, run
from cli.failures import Failure, of_refusal
from kernel.errors import Refusal

_PREFIX = "NOTIFICATION_KIND_"
_KINDS = [
    name.removeprefix(_PREFIX).lower().replace("_", "-")
    for name, number in notification_pb2.NotificationKind.items()
    if number
]


@click.group()
def group() -> None:
    """Look at the mails that customers get; NOTIFY_ADDR says where the notification service listens."""


@group.command()
@click.argument("kind", metavar="KIND", type=click.Choice(_KINDS, case_sensitive=False))
@click.option("--locale", default="", help="The language and region: en-US, de-AT. The shop's own when left out.")
@click.option("--html/--text", default=False, help="The part for eyes, or the plain part.  [default: text]")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Writes it to a file, for a browser.")
def preview(kind: str, locale: str, html: bool, output: Path | None) -> None:  # noqa: FBT001  (click's way)
    """Show a mail as it would be sent, of a sample order, in the templates of the running service.

    KIND is one of order-confirmation, payment-action-required, payment-failed, order-shipped, order-delivered,
    order-cancelled, order-refunded.
    """
    try:
        mail = run(_preview(kind, locale))
    except Refusal as refusal:
        raise of_refusal(refusal) from None
    part = mail.html if html else mail.text
    click.echo(f"{mail.subject}  [{mail.locale}]", err=True)
    if output is None:
        click.echo(part, nl=False)
        return
    try:
        output.write_text(part, "utf-8")
    except OSError as error:
        raise Failure(f"{output} cannot be written: {error.strerror}") from None
    click.echo(f"Written to {output}.", err=True)


async def _preview(kind: str, locale: str) -> pb.PreviewNotificationResponse:
    number = notification_pb2.NotificationKind.Value(_PREFIX + kind.upper().replace("-", "_"))
    service = pb.DESCRIPTOR.services_by_name["NotifyService"]
    config = CliConfig.from_env(environment())
    async with dialled(config.notify_address, "NOTIFY_ADDR", service, config.transport) as line:
        stub = notify_service_pb2_grpc.NotifyServiceStub(line.channel.for_stub)
        with line.refusals():
            answer: pb.PreviewNotificationResponse = await stub.PreviewNotification(
                pb.PreviewNotificationRequest(kind=number, locale=locale), timeout=CALL_SECONDS
            )
    return answer
