"""`ordermesh order`: placing orders, following them, and everything that a shop does with them, over gRPC."""

from typing import IO

import click

from cli import order_commands, order_reading, order_view
from cli.calls_grpc import Json
from cli.failures import of_refusal
from cli.order_call import call, new_key
from cli.order_reading import explain, explained
from cli.output import output_option, show
from gateway.json_text import parse_object
from kernel.errors import Refusal

__all__ = ["explain", "explained", "group"]

_HINTS = {
    "PENDING": "It goes on by itself",
    "PAYMENT_ACTION_REQUIRED": "The customer has to act: 3-D Secure, or another payment method",
}


_file_option = click.option(
    "--file", "-f", type=click.File("rb"), required=True, help="The order as JSON; - reads standard input."
)


@click.group()
def group() -> None:
    """Place orders, follow them, and see them through; ORDER_ADDR says where the order service listens."""


@group.command()
@_file_option
@output_option
def quote(file: IO[bytes], output: str) -> None:
    """Show what an order would cost; nothing is stored, nobody is charged."""
    document = _document(file)
    asked, answer = call(lambda calls: calls.quote(document))
    show(answer, output, lambda quoted: order_view.sums({**asked, **quoted}))


@group.command()
@_file_option
@click.option("--key", help="The idempotency key: the same key never orders twice. Made and told when left out.")
@click.option("--payment-method", help="Replaces the document's: pm_card_visa, pm_card_chargeDeclined …")
@output_option
def place(file: IO[bytes], key: str | None, payment_method: str | None, output: str) -> None:
    """Place an order, for instance the one in examples/order.json."""
    document = _document(file)
    if payment_method is not None:
        document["payment_method"] = payment_method
    key = key or document.get("request_id")
    if key is None:
        key = new_key()
        click.echo(f"Idempotency key {key}, made for this order; --key repeats it without ordering twice.", err=True)
    order = call(lambda calls: calls.place(document, key))
    show(order, output, order_view.order)
    if order["state"] in _HINTS:
        click.echo(f"{_HINTS[order['state']]}; `ordermesh order watch {order['order_id']}` follows it.", err=True)


def _document(file: IO[bytes]) -> Json:
    try:
        return parse_object(file.read())
    except Refusal as refusal:
        raise of_refusal(refusal) from None


for _command in (*order_reading.COMMANDS, *order_commands.COMMANDS):
    group.add_command(_command)
