"""A name server on this machine that gives every name one IPv4 address, which a test chooses."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

_HEAD = struct.Struct("!6H")
_ANSWER = struct.Struct("!HHHIH")
# The name of an answer, as a reference to that of its question, which begins after the head.
_SAME_NAME = 0xC00C
# An answer, recursion available, no error.
_FLAGS = 0x8180
_A, _IN = 1, 1


class NameServer(asyncio.DatagramProtocol):
    """Answers questions for A records, and says of all others that there are no such records.

    Args:
        address: What every name stands for.

    Attributes:
        address: Likewise; a change counts from the next question on.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._transport: asyncio.DatagramTransport | None = None

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[int]:
        """Listen on 127.0.0.1 while the context is open; yields the port."""
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        try:
            yield cast("int", self._transport.get_extra_info("sockname")[1])
        finally:
            self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer a question."""
        assert self._transport is not None
        number = _HEAD.unpack_from(data)[0]
        # The name ends with an empty label; the kind and the class of the record follow.
        end = data.index(b"\0", _HEAD.size) + 5
        question = data[_HEAD.size : end]
        found = question[-4:-2] == _A.to_bytes(2)
        record = _ANSWER.pack(_SAME_NAME, _A, _IN, 0, 4) + socket.inet_aton(self.address) if found else b""
        self._transport.sendto(_HEAD.pack(number, _FLAGS, 1, int(found), 0, 0) + question + record, addr)
