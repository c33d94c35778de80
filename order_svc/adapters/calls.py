"""The one place where a call to another service becomes an outcome."""

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

import grpc

from chassis.errors import from_rpc_error
from kernel.errors import FieldViolation, Refusal
from kernel.outcome import Done, NotDone, Unknown

A = TypeVar("A")
T = TypeVar("T")


async def outcome(call: Awaitable[A], read: Callable[[A], T]) -> Done[T] | NotDone[Refusal] | Unknown:
    """Return what became of a call.

    Args:
        call: The call.
        read: Puts the answer into our words. When it cannot, the effect has happened and we do not know which: the peer
            may be newer than we are.
    """
    try:
        answer = await call
    except grpc.aio.AioRpcError as error:
        return from_rpc_error(error)
    try:
        return Done(read(answer))
    except (Refusal, LookupError, ValueError) as error:
        return Unknown(f"unreadable answer: {error!r:.150}")


def readable(messages: Iterable[A], read: Callable[[A], T], unreadable: Callable[[A], object]) -> list[T]:
    """Return of a list what can be put into our words; the peer may be newer, and one must not hide the others.

    Args:
        messages: What came.
        read: Puts one of them into our words.
        unreadable: Is told of those of which that failed.
    """
    found = []
    for message in messages:
        try:
            found.append(read(message))
        except (Refusal, LookupError, ValueError):
            unreadable(message)
    return found


def with_our_fields(refusal: Refusal, ours: Callable[[str], str]) -> Refusal:
    """Return a refusal of another service with the fields of its request named as the order's request names them."""
    message = refusal.message
    for each in refusal.fields:
        message = message.replace(each.field, ours(each.field))
    return Refusal(
        refusal.reason,
        message,
        metadata=refusal.metadata,
        fields=tuple(FieldViolation(ours(each.field), each.description) for each in refusal.fields),
        retry_after=refusal.retry_after,
    )
