"""Answers in one piece: uvicorn writes head and body by two system calls, in two packets that wake the client twice."""

import asyncio


class JoinedWrites:
    """A connection's transport, as far as uvicorn writes to it; it holds an answer's head until the body comes."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""
        self._in_body = False

    def write(self, data: bytes) -> None:
        """Write what is held and this, or hold this when it is a head."""
        if not self._in_body and not data.startswith(b"HTTP/1.1 100 "):
            self._head = data
            self._in_body = True
        elif self._head:
            self._transport.write(self._head + data)
            self._head = b""
        else:
            self._transport.write(data)

    def end_answer(self) -> None:
        """Write a head to which no body came; what is written next is another head."""
        if self._head:
            self._transport.write(self._head)
            self._head = b""
        self._in_body = False

    def close(self) -> None:
        """Write what is held and close once it is out."""
        self.end_answer()
        self._transport.close()

    def is_closing(self) -> bool:
        """Return whether it is closing or closed."""
        return self._transport.is_closing()
