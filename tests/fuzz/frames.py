"""Connections that speak no gRPC, or HTTP/2 that no library writes: frames by hand."""

import asyncio
import random
import struct
from collections.abc import Iterator

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST, _SETTINGS, _PING, _WINDOW = 0, 1, 3, 4, 6, 8
_END_STREAM, _END_HEADERS = 1, 4
_PATH = "/ordermesh.order.v1.OrderService/GetOrder"
_GIGABYTE = 2**30
_MOST_BYTES = 65_536
_SECONDS = 2.0


async def hostile_connections(address: str, seed: int) -> None:
    """Make some connections, one after the other, and send what is not to be sent; the answers are not looked at."""
    host, _, port = address.rpartition(":")
    for sent in _beginnings(random.Random(seed)):
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            writer.write(sent)
            async with asyncio.timeout(_SECONDS):
                await reader.read(_MOST_BYTES)
        except (OSError, TimeoutError):
            pass  # it hung up, or waits for more
        finally:
            writer.transport.abort()


def _beginnings(draw: random.Random) -> Iterator[bytes]:
    opened = _PREFACE + _frame(_SETTINGS, 0, 0)
    call = opened + _frame(_HEADERS, _END_HEADERS, 1, _head())
    yield b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
    yield b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
    yield draw.randbytes(4_000)
    yield opened + draw.randbytes(4_000)
    # A message that promises a gigabyte, one that says it is compressed and is not, and one that is cut.
    yield call + _frame(_DATA, _END_STREAM, 1, struct.pack(">BI", 0, _GIGABYTE) + b"abc")
    yield call + _frame(_DATA, _END_STREAM, 1, struct.pack(">BI", 1, 3) + b"abc")
    yield call + _frame(_DATA, _END_STREAM, 1, b"\x00\x00")
    yield call + _frame(_DATA, 0, 1, b"\xff" * 16_000)
    # Frames that a peer has no business to send, and a thousand streams that are opened and reset at once.
    yield opened + _frame(_DATA, 0, 99, b"x") + _frame(_WINDOW, 0, 0, b"\x7f\xff\xff\xff") * 3
    yield opened + _frame(_SETTINGS, 0, 0, struct.pack(">HI", 4, 2**31)) + _frame(_PING, 0, 0, b"short")
    yield opened + b"".join(
        _frame(_HEADERS, _END_HEADERS, number, _head()) + _frame(_RST, 0, number, struct.pack(">I", 8))
        for number in range(1, 2_001, 2)
    )
    yield opened + _frame(_HEADERS, 0, 1, _head()) + _frame(9, 0, 1, b"\x00" * 16_000) * 20


def _head() -> bytes:
    fields = {
        ":method": "POST",
        ":scheme": "http",
        ":path": _PATH,
        ":authority": "x",
        "te": "trailers",
        "content-type": "application/grpc",
        "grpc-timeout": "99999999S",
    }
    # Literals without indexing and without Huffman: the simplest form that HPACK has.
    return b"".join(
        b"\x00" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()
        for name, value in fields.items()
    )


def _frame(kind: int, flags: int, stream: int, content: bytes = b"") -> bytes:
    return len(content).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + content
