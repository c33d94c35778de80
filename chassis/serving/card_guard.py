"""Refuses requests that hold a card number in any text: cards are entered at Stripe, and never reach this house.

A request is searched as bytes first, which costs about a microsecond; only one with a long run of digits is walked.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from chassis.cards import holds_card_number
from kernel.errors import FieldViolation, Reason, Refusal

# More than what holds_card_number finds, and never less: texts are UTF-8, in which a digit is a byte of its own.
_MANY_DIGITS = re.compile(rb"[0-9][0-9 -]{12}")

_SHORTEST = 13

# An answer that lists more is of no use to a person.
_MOST_FIELDS = 10

_DESCRIPTION = (
    "holds a card number, which is never taken here; have the card entered at Stripe and send its payment method (pm_…)"
)

Text = tuple[str, str]
"""The path of a text, "items[0].sku", and the text."""

Walk = Callable[[Message, str], Iterator[Text]]
"""Yields the texts of one field, given its message and the path of that."""


def is_suspicious(request: bytes) -> bool:
    """Say whether the request has to be looked at field by field."""
    return _MANY_DIGITS.search(request) is not None


def refuse_card_numbers(message: Message) -> None:
    """Do nothing when no text of the message holds a card number.

    Raises:
        Refusal: One does; it names the fields and never what is in them.
    """
    texts = ((path, text) for path, text in _texts(message, "") if len(text) >= _SHORTEST)
    paths = [path for path, text in texts if holds_card_number(text)][:_MOST_FIELDS]
    if paths:
        fields = tuple(FieldViolation(path, _DESCRIPTION) for path in paths)
        raise Refusal(Reason.CARD_NUMBER_REFUSED, f"{', '.join(paths)}: {_DESCRIPTION}", fields=fields)


def _texts(message: Message, prefix: str) -> Iterator[Text]:
    for walk in _walks(message.DESCRIPTOR):
        yield from walk(message, prefix)


@cache  # by the few message types that there are; their options are copied each time that they are asked for
def _walks(descriptor: Descriptor) -> tuple[Walk, ...]:
    return tuple(walk for field in descriptor.fields if (walk := _walk(field)) is not None)


def _walk(field: FieldDescriptor) -> Walk | None:
    """Return what finds the texts of a field; None when it can have none."""
    name, inner = field.name, field.message_type
    if inner is None and field.type != FieldDescriptor.TYPE_STRING:
        return None
    if inner is not None and inner.GetOptions().map_entry:
        return lambda message, prefix: _of_map(getattr(message, name), f"{prefix}{name}")
    if field.is_repeated:
        return lambda message, prefix: _of_list(getattr(message, name), f"{prefix}{name}")
    if inner is None:
        return lambda message, prefix: iter(((f"{prefix}{name}", getattr(message, name)),))
    return lambda message, prefix: (
        _of_value(getattr(message, name), f"{prefix}{name}") if message.HasField(name) else iter(())
    )


def _of_map(entries: Mapping[object, object], path: str) -> Iterator[Text]:
    # An entry is named by its place: its key may be what must not be repeated.
    for index, key in enumerate(sorted(entries, key=str)):
        yield from _of_value(key, f"{path}.keys[{index}]")
        yield from _of_value(entries[key], f"{path}.values[{index}]")


def _of_list(items: Iterable[object], path: str) -> Iterator[Text]:
    for index, item in enumerate(items):
        yield from _of_value(item, f"{path}[{index}]")


def _of_value(value: object, path: str) -> Iterator[Text]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Message):
        yield from _texts(value, f"{path}.")
