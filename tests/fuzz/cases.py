"""The cases: bytes and metadata as no client of ours sends them, one function per kind."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor

from chassis.server import MAXIMUM_MESSAGE_BYTES, MAXIMUM_METADATA_BYTES
from tests.fuzz.messages import Likely

Metadata = tuple[tuple[str, str | bytes], ...]

_LENGTH_DELIMITED = 2
_EXTREMES = (0, -1, 1, 2**31 - 1, -(2**31), 2**32 - 1, 2**63 - 1, -(2**63), 2**64 - 1)
_BAD_UTF8 = (b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\x80", b"ok\xe2\x82")
_CARDS = ("4242424242424242", "5555 5555 5555 4444", "3782-822463-10005")
_LONG_TEXTS = (101, 2_001, 100_000)
_ODD_TEXTS = (
    "\x00",
    "\u202e",
    "\U0001f4a9" * 50,
    "'; DROP TABLE orders; --",
    "{{7*7}}",
    "../../etc/passwd",
    "\n\n",
    "%s%n",
    "\r\nx: y",
)


@dataclass(frozen=True, slots=True)
class Case:
    """One call.

    Attributes:
        kind: What is odd about it.
        payload: The request's bytes.
        metadata: What goes with it.
        seconds: Its deadline.
    """

    kind: str
    payload: bytes
    metadata: Metadata = ()
    seconds: float = 30.0


class Cases:
    """Draws cases.

    Args:
        seed: What all draws come from.

    Attributes:
        likely: Draws the messages that are spoilt.
    """

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)
        self.likely = Likely(self._draw)

    def case(self, method: MethodDescriptor, kind: str | None = None) -> Case:
        """Return a case for a call of the method, of any kind unless told."""
        kind = kind or self._draw.choice(KINDS)
        return _MAKERS[kind](self, method.input_type)

    def _valid(self, descriptor: Descriptor) -> bytes:
        return self.likely.message(descriptor).SerializeToString()

    def _empty(self, _: Descriptor) -> Case:
        return Case("empty", b"")

    def _likely(self, descriptor: Descriptor) -> Case:
        return Case("likely", self._valid(descriptor))

    def _random(self, _: Descriptor) -> Case:
        return Case("random", self._draw.randbytes(2 ** self._draw.randint(0, 12)))

    def _truncated(self, descriptor: Descriptor) -> Case:
        payload = self._valid(descriptor)
        return Case("truncated", payload[: self._draw.randrange(len(payload) + 1)])

    def _trailing(self, descriptor: Descriptor) -> Case:
        return Case("trailing", self._valid(descriptor) + self._draw.randbytes(self._draw.randint(1, 40)))

    def _mutated(self, descriptor: Descriptor) -> Case:
        payload = bytearray(self._valid(descriptor) or b"\x00")
        for _ in range(self._draw.randint(1, 8)):
            payload[self._draw.randrange(len(payload))] = self._draw.randrange(256)
        return Case("mutated", bytes(payload))

    def _extreme(self, descriptor: Descriptor) -> Case:
        """Every number at a limit of its wire form, whatever its type, or every text long or odd."""
        way = _way(self._draw, descriptor)
        if not way:
            return Case("extreme", b"")
        field = way[-1]
        if field.type in {FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES}:
            texts = (*_ODD_TEXTS, "a" * self._draw.choice(_LONG_TEXTS))
            odd = _delimited(field.number, self._draw.choice(texts).encode())
        else:
            odd = _key(field.number, 0) + _varint(self._draw.choice(_EXTREMES))
        return Case("extreme", self._valid(descriptor) + _wrapped(way[:-1], odd))

    def _enums(self, descriptor: Descriptor) -> Case:
        numbers = [field for field in descriptor.fields if field.enum_type is not None]
        odd = b"".join(_key(each.number, 0) + _varint(self._draw.choice(_EXTREMES)) for each in numbers)
        return Case("enums", self._valid(descriptor) + odd)

    def _repeated(self, descriptor: Descriptor) -> Case:
        """Ten thousand of one field, empty or not."""
        way = _way(self._draw, descriptor)
        if not way:
            return Case("repeated", b"")
        item = _delimited(way[-1].number, self._draw.choice((b"", b"a", b"\x08\x01")))
        return Case("repeated", self._valid(descriptor) + _wrapped(way[:-1], item * 10_000))

    def _nested(self, descriptor: Descriptor) -> Case:
        """A thousand messages in one another, or groups that begin and never end."""
        depth = self._draw.choice((50, 101, 1_000, 5_000))
        field = self._draw.choice(list(descriptor.fields)).number if descriptor.fields else 1
        if self._draw.random() < 0.5:
            return Case("nested", _key(field, 3) * depth)
        inner = b""
        for _ in range(depth):
            inner = _delimited(self._draw.randint(1, 15), inner)
        return Case("nested", _delimited(field, inner))

    def _utf8(self, descriptor: Descriptor) -> Case:
        way = _way(self._draw, descriptor, texts_only=True)
        if not way:
            return Case("utf8", b"")
        bad = _delimited(way[-1].number, self._draw.choice(_BAD_UTF8))
        return Case("utf8", self._valid(descriptor) + _wrapped(way[:-1], bad))

    def _lengths(self, descriptor: Descriptor) -> Case:
        """A length prefix that promises up to an exabyte."""
        field = self._draw.choice(list(descriptor.fields)).number if descriptor.fields else 1
        promised = _varint(self._draw.choice((2**20, 2**30, 2**31 - 1, 2**31, 2**32, 2**60, 2**64 - 1)))
        return Case("lengths", self._valid(descriptor) + _key(field, _LENGTH_DELIMITED) + promised + b"abc")

    def _wire_types(self, descriptor: Descriptor) -> Case:
        """Fields of another wire type, the number 0, and numbers beyond all."""
        number = self._draw.choice([*(field.number for field in descriptor.fields), 0, 19_000, 2**29 - 1, 2**29])
        odd = _key(number, self._draw.randrange(8)) + self._draw.randbytes(self._draw.randint(0, 12))
        return Case("wire_types", self._valid(descriptor) + odd)

    def _cards(self, descriptor: Descriptor) -> Case:
        way = _way(self._draw, descriptor, texts_only=True)
        if not way:
            return Case("cards", b"")
        card = _delimited(way[-1].number, self._draw.choice(_CARDS).encode())
        return Case("cards", self._valid(descriptor) + _wrapped(way[:-1], card))

    def _too_large(self, descriptor: Descriptor) -> Case:
        sizes = (MAXIMUM_MESSAGE_BYTES - 10, MAXIMUM_MESSAGE_BYTES + 1, 4 * MAXIMUM_MESSAGE_BYTES + 1)
        return Case("too_large", self._valid(descriptor) + b"\x00" * self._draw.choice(sizes))

    def _metadata(self, descriptor: Descriptor) -> Case:
        junk: tuple[Metadata, ...] = (
            (("x-junk-bin", self._draw.randbytes(self._draw.randint(0, 4_000))),),
            (("x-big", "a" * self._draw.choice((7_000, 9_000, MAXIMUM_METADATA_BYTES + 1, 70_000))),),
            tuple(("x-same", str(number)) for number in range(100)),
            (("traceparent", "00-" + "f" * self._draw.randint(0, 60)), ("tracestate", "," * 600)),
            (("authorization", "Bearer " + "a." * 50), ("cookie", "a=b")),
            (("ordermesh-caller", "!" * 100), ("ordermesh-caller-bin", self._draw.randbytes(99))),
            (("user-agent", "%00%ff"), ("te", "x"), ("content-type", "text/html")),
        )
        return Case("metadata", self._valid(descriptor), self._draw.choice(junk))

    def _deadlines(self, descriptor: Descriptor) -> Case:
        return Case("deadlines", self._valid(descriptor), seconds=self._draw.choice((0.0, 0.000_001, 0.001, 0.02)))


_MAKERS: dict[str, Callable[[Cases, Descriptor], Case]] = {
    "empty": Cases._empty,
    "likely": Cases._likely,
    "random": Cases._random,
    "truncated": Cases._truncated,
    "trailing": Cases._trailing,
    "mutated": Cases._mutated,
    "extreme": Cases._extreme,
    "enums": Cases._enums,
    "repeated": Cases._repeated,
    "nested": Cases._nested,
    "utf8": Cases._utf8,
    "lengths": Cases._lengths,
    "wire_types": Cases._wire_types,
    "cards": Cases._cards,
    "too_large": Cases._too_large,
    "metadata": Cases._metadata,
    "deadlines": Cases._deadlines,
}
EVERY_KIND = tuple(_MAKERS)
# Large ones cost fifty times as much as the others, and there is little to vary about them.
_SELDOM = {"too_large": 1, "repeated": 2, "empty": 1, "nested": 4}
KINDS = tuple(kind for kind in EVERY_KIND for _ in range(_SELDOM.get(kind, 8)))


def _way(draw: random.Random, descriptor: Descriptor, *, texts_only: bool = False) -> list[FieldDescriptor]:
    """Return the fields on the way to some field that is no message; empty when there is none."""
    ways = [way for way in _ways(descriptor, depth=4) if not texts_only or way[-1].type == FieldDescriptor.TYPE_STRING]
    return draw.choice(ways) if ways else []


def _ways(descriptor: Descriptor, depth: int) -> list[list[FieldDescriptor]]:
    found: list[list[FieldDescriptor]] = []
    for field in descriptor.fields if depth else ():
        if field.message_type is None:
            found.append([field])
        else:
            found += [[field, *rest] for rest in _ways(field.message_type, depth - 1)]
    return found


def _wrapped(way: list[FieldDescriptor], inner: bytes) -> bytes:
    for field in reversed(way):
        inner = _delimited(field.number, inner)
    return inner


def _delimited(number: int, content: bytes) -> bytes:
    return _key(number, _LENGTH_DELIMITED) + _varint(len(content)) + content


def _key(number: int, wire_type: int) -> bytes:
    return _varint(number << 3 | wire_type)


def _varint(value: int) -> bytes:
    value &= 2**64 - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
