"""`ordermesh mail`: looking at mails before customers do and afterwards, and having them sent again."""

from pathlib import Path

import click
from ordermesh.notify.v1 import notification_pb2

from cli import mail_view
from cli.failures import Failure
from cli.mail_calls_grpc import call
from cli.order_call import key_option, new_key
from cli.output import output_option
from cli.output import show as show_document

_PREFIX = "NOTIFICATION_KIND_"
_KINDS = [
    name.removeprefix(_PREFIX).lower().replace("_", "-")
    for name, number in notification_pb2.NotificationKind.items()
    if number
]


@click.group()
def group() -> None:
    """Look at customers' mails, and have them sent again; NOTIFY_ADDR says where the notification service listens."""


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
    number = notification_pb2.NotificationKind.Value(_PREFIX + kind.upper().replace("-", "_"))
    mail = call(lambda calls: calls.preview(number, locale))
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


@group.command()
@click.argument("notification_id", metavar="ID")
@output_option
def show(notification_id: str, output: str) -> None:
    """Show a mail as its reader gets it, and what became of it; `ordermesh explain` names the mails of an order."""
    show_document(call(lambda calls: calls.mail(notification_id)), output, mail_view.mail)


@group.command()
@click.argument("notification_id", metavar="ID")
@key_option
@output_option
def resend(notification_id: str, key: str | None, output: str) -> None:
    """Have a mail sent once more, to the same reader and with the same words; who had it sent stays with it."""
    used = key or new_key()
    show_document(call(lambda calls: calls.resend(notification_id, used)), output, lambda sent: mail_view.mails([sent]))
