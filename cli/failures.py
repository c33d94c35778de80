"""How a command ends when it could not do what it was asked: a message for a person and an exit code for a script."""

import re
from collections.abc import Mapping
from typing import IO, Any

import click

from kernel.errors import Reason, Refusal

_OPEN = frozenset({Reason.UNAVAILABLE, Reason.DEADLINE_EXCEEDED, Reason.OVERLOADED, Reason.INTERNAL})

_ADVICE = {
    Reason.VALIDATION_FAILED: "Mend the fields named above and ask again.",
    Reason.AMOUNT_OUT_OF_RANGE: "Mend the amounts and ask again.",
    Reason.ADDRESS_INVALID: "Have the customer mend the address; nothing was charged.",
    Reason.REQUEST_ID_REUSED: "Use a new key for a new order, or the earlier request for the earlier order.",
    Reason.PAYMENT_DECLINED: "Place a new order (a new key) with another payment method; nothing was charged.",
    Reason.PAYMENT_METHOD_INVALID: "Use another payment method; nothing was charged.",
    Reason.ORDER_NOT_FOUND: "`ordermesh order list` shows the orders that there are.",
    Reason.WEBHOOK_ENDPOINT_NOT_FOUND: "`ordermesh webhook list` shows the endpoints that there are.",
    Reason.WEBHOOK_DELIVERY_NOT_FOUND: "`ordermesh webhook log` shows the deliveries that there are.",
    Reason.ILLEGAL_STATE: "`ordermesh explain ID` tells how far the order has come.",
    Reason.REFUND_EXCEEDS_PAYMENT: "Give back at most what is left: `ordermesh order get ID` shows it.",
    Reason.TAX_UNAVAILABLE: "Place it again later, with a new key; nothing was charged.",
    Reason.VERSION_MISMATCH: "The order changed meanwhile: read it again, then repeat.",
    Reason.NOT_IMPLEMENTED: "The services that run are older than this command, or the call is not built yet.",
    Reason.OVERLOADED: "Try again in a moment, with the same key.",
    Reason.DEADLINE_EXCEEDED: "It may have been done: ask again with the same key, which never orders twice.",
    Reason.UNAVAILABLE: "Is the mesh running? `make up` starts it. Ask again with the same key.",
    Reason.INTERNAL: "It may have been done: ask again with the same key. The errorId is in the services' log.",
}


# The commands that follow one another, by their RPCs.
_COMMANDS = {
    "ConfirmOrderPayment": "confirm",
    "CancelOrder": "cancel",
    "RefundOrder": "refund",
    "StartProcessing": "process",
    "ShipOrder": "ship",
    "DeliverOrder": "deliver",
    "RetryOrder": "retry",
    "AnnotateOrder": "annotate",
    "MarkOrderReviewed": "review",
}


class Failure(click.ClickException):
    """It was not done: the answer was no, or this machine cannot. Ends the command with a message on standard error."""

    exit_code = 1

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the message; its first line stands out."""
        first, *rest = self.message.splitlines() or [""]
        click.secho(first, file=file, err=file is None, fg="red", bold=True)
        for line in rest:
            click.echo(line, file=file, err=file is None)


class Unavailable(Failure):
    """Nobody answered, or not in time: it may be tried again, and it may have been done."""

    exit_code = 3  # 2 is click's, for wrong usage


def of_refusal(refusal: Refusal, advice: Mapping[Reason, str] | None = None) -> Failure:
    """Return what a person is told of a refusal: the reason, the sentence, the fields, the facts, what to do next.

    Args:
        refusal: What the services said.
        advice: What to do next, where the command knows better than the reason alone.
    """
    fields = [f"  {each.field}: {each.description}" for each in refusal.fields]
    # The message names every field as well; many are easier to read one a line.
    message = refusal.message if len(fields) <= 1 else f"{len(fields)} fields are wrong."
    lines = [f"{refusal.reason.value}: {message}", *(field for field in fields if field.strip() not in message)]
    lines += [f"  {name}: {value}" for name, value in refusal.metadata.items()]
    if refusal.retry_after is not None:
        lines.append(f"  worth another try after {refusal.retry_after:g} s")
    next_step = (advice or {}).get(refusal.reason) or _allowed(refusal) or _ADVICE.get(refusal.reason)
    if next_step:
        lines.append(next_step)
    kind = Unavailable if refusal.reason in _OPEN else Failure
    return kind("\n".join(lines))


def _allowed(refusal: Refusal) -> str:
    """Return the commands that the order's state does allow, as they are typed; empty where it does not say."""
    if refusal.reason is not Reason.ILLEGAL_STATE:
        return ""
    named = re.findall(r"[A-Za-z]+", refusal.metadata.get("allowed", ""))
    typed = [f"`ordermesh order {_COMMANDS[name]}`" for name in named if name in _COMMANDS]
    return f"It allows {', '.join(typed)}." if typed else ""
