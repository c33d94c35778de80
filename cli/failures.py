"""How a command ends when it could not do what it was asked: a message for a person and an exit code for a script."""

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
    Reason.ILLEGAL_STATE: "`ordermesh explain ID` tells how far the order has come.",
    Reason.VERSION_MISMATCH: "The order changed meanwhile: read it again, then repeat.",
    Reason.NOT_IMPLEMENTED: "The services that run are older than this command, or the call is not built yet.",
    Reason.OVERLOADED: "Try again in a moment, with the same key.",
    Reason.DEADLINE_EXCEEDED: "It may have been done: ask again with the same key, which never orders twice.",
    Reason.UNAVAILABLE: "Is the mesh running? `make up` starts it. Ask again with the same key.",
    Reason.INTERNAL: "It may have been done: ask again with the same key. The errorId is in the services' log.",
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


def of_refusal(refusal: Refusal) -> Failure:
    """Return what a person is told of a refusal: the reason, the sentence, the fields, the facts, what to do next."""
    fields = [f"  {each.field}: {each.description}" for each in refusal.fields]
    # The message names every field as well; many are easier to read one a line.
    message = refusal.message if len(fields) <= 1 else f"{len(fields)} fields are wrong."
    lines = [f"{refusal.reason.value}: {message}", *(field for field in fields if field.strip() not in message)]
    lines += [f"  {name}: {value}" for name, value in refusal.metadata.items()]
    if refusal.retry_after is not None:
        lines.append(f"  worth another try after {refusal.retry_after:g} s")
    if refusal.reason in _ADVICE:
        lines.append(_ADVICE[refusal.reason])
    kind = Unavailable if refusal.reason in _OPEN else Failure
    return kind("\n".join(lines))
