"""Layers stand in the order of their seats, whoever lists them in whatever order."""

from collections.abc import AsyncIterator
from typing import Any

from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message

from chassis.layers import Chain, Context, Gate, Method, Seat, Stream, Unary

METHOD = Method("/a.v1.B/C", Empty.FromString)
CONTEXT: Any = None


class Noted:
    """A layer that notes when a call comes by."""

    def __init__(self, seat: Seat, notes: list[str]) -> None:
        self._seat = seat
        self._notes = notes

    def around_unary(self, method: Method, handler: Unary) -> Unary:
        async def call(request: object, context: Context) -> Message:
            self._notes.append(f"{self._seat.name} in")
            answer = await handler(request, context)
            self._notes.append(f"{self._seat.name} out")
            return answer

        return call

    def around_stream(self, method: Method, handler: Stream) -> Stream:
        async def call(request: object, context: Context) -> AsyncIterator[Message]:
            self._notes.append(f"{self._seat.name} in")
            async for answer in handler(request, context):
                yield answer
            self._notes.append(f"{self._seat.name} out")

        return call


class Doubling(Gate):
    """A gate that changes the request."""

    async def admit(self, method: Method, request: Any, context: Context) -> Any:  # noqa: ANN401  (see layers.Unary)
        return request * 2


async def answer_nothing(_request: object, _context: Context) -> Message:
    return Empty()


async def answer_twice(_request: object, _context: Context) -> AsyncIterator[Message]:
    yield Empty()
    yield Empty()


def chain(notes: list[str]) -> Chain:
    seats = [Seat.VALIDATION, Seat.TELEMETRY, Seat.DEADLINE, Seat.ERRORS]
    return Chain({seat: Noted(seat, notes) for seat in seats})


ORDER = ["TELEMETRY in", "ERRORS in", "DEADLINE in", "VALIDATION in"]


async def test_a_call_goes_through_the_layers_in_the_order_of_their_seats() -> None:
    notes: list[str] = []

    assert await chain(notes).around_unary(METHOD, answer_nothing)(b"", CONTEXT) == Empty()

    assert notes == [*ORDER, "VALIDATION out", "DEADLINE out", "ERRORS out", "TELEMETRY out"]


async def test_a_stream_goes_through_the_same() -> None:
    notes: list[str] = []

    answers = [answer async for answer in chain(notes).around_stream(METHOD, answer_twice)(b"", CONTEXT)]

    assert len(answers) == 2
    assert notes[:4] == ORDER


async def test_a_gate_may_change_the_request() -> None:
    seen = []

    async def note(request: object, _context: Context) -> Message:
        seen.append(request)
        return Empty()

    await Chain({Seat.IDENTITY: Doubling()}).around_unary(METHOD, note)(b"ab", CONTEXT)

    assert seen == [b"abab"]


def test_identity_comes_before_rights_and_both_before_anything_is_parsed() -> None:
    assert list(Seat) == [
        Seat.TELEMETRY,
        Seat.ERRORS,
        Seat.IDENTITY,
        Seat.AUTHORISATION,
        Seat.DEADLINE,
        Seat.ADMISSION,
        Seat.VALIDATION,
    ]


def test_a_method_is_named_without_its_slash() -> None:
    assert METHOD.name == "a.v1.B/C"
