"""What a shop does with an order once it is placed: `ordermesh order cancel`, `refund`, `process`, `ship` and so on."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType

import click

from cli import order_view
from cli.calls_grpc import Json
from cli.order_call import call, command, key_option
from cli.order_options import Amount, Quantity, exact
from cli.output import output_option, show
from kernel.errors import Reason

_NOTHING: Mapping[Reason, str] = MappingProxyType({})

_version_option = click.option(
    "--if-version",
    "etag",
    default="",
    metavar="VERSION",
    help="Only if the order is still at this version, as `ordermesh order get` shows it.",
)
_reason_option = click.option("--reason", default="", help="Why, for the journal.")


def _on_an_order(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command what every command on an order has."""
    for decorate in (output_option, key_option, _version_option, click.argument("order_id", metavar="ID")):
        function = decorate(function)
    return function


def _do(rpc: str, members: Json, key: str | None, output: str, advice: Mapping[Reason, str] = _NOTHING) -> Json:
    order = command(rpc, members, key, advice)
    show(order, output, order_view.order)
    return order


@click.command()
@_on_an_order
@_reason_option
def cancel(order_id: str, etag: str, key: str | None, output: str, reason: str) -> None:
    """Cancel an order whose money has not been taken yet; what is held is let go.

    Once the money has moved the order is refunded instead.
    """
    order = _do("CancelOrder", {"order_id": order_id, "etag": etag, "reason": reason}, key, output)
    if order["state"] != "CANCELLED":
        hint = "Whether the money moved is not known yet; it goes on by itself."
        click.echo(f"{hint} `ordermesh order watch {order_id}` follows it.", err=True)


@click.command()
@_on_an_order
@click.option(
    "--sku", "quantities", type=Quantity(or_all=True), multiple=True, help="All, or N, of an article; repeatable."
)
@click.option("--amount", type=Amount(), help="This much, tax included, in the order's currency: 12.34.")
@_reason_option
def refund(
    order_id: str,
    etag: str,
    key: str | None,
    output: str,
    quantities: tuple[Json, ...],
    amount: Decimal | None,
    reason: str,
) -> None:
    """Give money back: all that is left, that of some articles, or an amount; tax is given back with it.

    As often as something is left, and never more than was taken.
    """
    if quantities and amount is not None:
        raise click.UsageError(
            "--sku and --amount exclude each other: one refund is about articles, or about an amount."
        )
    members: Json = {
        "order_id": order_id,
        "etag": etag,
        "reason": reason,
        "skus": [each["sku"] for each in quantities if "quantity" not in each],
        "items": [each for each in quantities if "quantity" in each],
    }
    if amount is not None:
        order = call(lambda calls: calls.get(order_id))
        members["amount"] = exact(amount, order["subtotal"]["currency_code"])
    _do("RefundOrder", members, key, output)


@click.command()
@_on_an_order
def process(order_id: str, etag: str, key: str | None, output: str) -> None:
    """Note that the shop has begun to prepare the goods."""
    _do("StartProcessing", {"order_id": order_id, "etag": etag}, key, output)


@click.command()
@_on_an_order
@click.option(
    "--item",
    "items",
    type=Quantity(or_all=False),
    multiple=True,
    help="What is in it; repeatable. All that is left when left out.",
)
@click.option("--carrier", default="", help="Who carries it: DHL, UPS.")
@click.option("--tracking", default="", metavar="NUMBER", help="The carrier's tracking number.")
@click.option("--tracking-url", default="", metavar="URL", help="Where the customer follows it: https://…")
@click.option(
    "--release-rest", is_flag=True, help="Nothing more is shipped: of held money only what is shipped is taken."
)
def ship(
    order_id: str,
    etag: str,
    key: str | None,
    output: str,
    *,
    items: tuple[Json, ...],
    carrier: str,
    tracking: str,
    tracking_url: str,
    release_rest: bool,
) -> None:
    """Note that goods are on their way: all that is left, or some of it.

    Money that is held is taken first, with the first shipment.
    """
    members = {
        "order_id": order_id,
        "etag": etag,
        "items": list(items),
        "carrier": carrier,
        "tracking_number": tracking,
        "tracking_url": tracking_url,
        "release_rest": release_rest,
    }
    declined = {Reason.PAYMENT_DECLINED: "Do not ship: the money that was held can no longer be taken."}
    _do("ShipOrder", members, key, output, declined)


@click.command()
@_on_an_order
@click.option(
    "--shipment", default="", metavar="N", help="Which shipment has arrived; all that are on their way when left out."
)
def deliver(order_id: str, etag: str, key: str | None, output: str, shipment: str) -> None:
    """Note that goods have arrived."""
    _do("DeliverOrder", {"order_id": order_id, "etag": etag, "shipment_id": shipment}, key, output)


@click.command()
@_on_an_order
@click.option("--payment-method", default="", metavar="PM", help="Another payment method after a decline: pm_…")
def confirm(order_id: str, etag: str, key: str | None, output: str, payment_method: str) -> None:
    """Go on with a payment: after 3-D Secure, or with another payment method after a decline."""
    members = {"order_id": order_id, "etag": etag, "payment_method": payment_method}
    declined = (
        f"`ordermesh order confirm {order_id} --payment-method pm_…` tries another, while the order waits for one."
    )
    _do("ConfirmOrderPayment", members, key, output, {Reason.PAYMENT_DECLINED: declined})


@click.command()
@_on_an_order
@click.argument("note")
def annotate(order_id: str, etag: str, key: str | None, output: str, note: str) -> None:
    """Replace the note that the shop's own staff keeps with an order; an empty NOTE takes it away."""
    _do("AnnotateOrder", {"order_id": order_id, "etag": etag, "note": note}, key, output)


@click.command()
@_on_an_order
@click.argument("finding", default="")
def review(order_id: str, etag: str, key: str | None, output: str, finding: str) -> None:
    """Note that you have looked at an order that needs review, what you found, and that nothing is left to do.

    An order that stopped in the middle of its work is not left lying: `ordermesh order retry` takes it up again.
    """
    _do("MarkOrderReviewed", {"order_id": order_id, "etag": etag, "finding": finding}, key, output)


@click.command()
@click.argument("order_id", metavar="ID")
@key_option
@output_option
def retry(order_id: str, key: str | None, output: str) -> None:
    """Take an order up again at once: what waits for its next try, and what a person had to look at first.

    Nothing is done twice by it.
    """
    _do("RetryOrder", {"order_id": order_id}, key, output)
    click.echo(f"What is left to do goes on by itself; `ordermesh explain {order_id}` tells how.", err=True)


COMMANDS: tuple[click.Command, ...] = (cancel, refund, process, ship, deliver, confirm, annotate, review, retry)
