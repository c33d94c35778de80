"""The sandbox as a running server, alone in a process or as a guest on somebody else's event loop."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from kernel.clock import Clock, SystemClock
from sandbox.app import create_app
from sandbox.config import SandboxConfig
from sandbox.desk import DROP_EXTENSION

_BACKLOG = 1024
# As long as the providers' own front ends; with the usual 5 a client now and then meets a connection just being closed.
_KEEP_ALIVE_SECONDS = 75
_GRACE_SECONDS = 2  # for requests under way when it stops


class _Protocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1, which also lets the application cut the connection."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        extensions: dict[str, Any] = {DROP_EXTENSION: self.transport.abort}
        self.scope["extensions"] = extensions


class _GuestServer(uvicorn.Server):
    """A uvicorn that leaves signals to whoever runs the process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Sandbox:
    """A sandbox that can be started and stopped."""

    def __init__(self, config: SandboxConfig, clock: Clock | None = None) -> None:
        self._config = config
        self._clock = clock or SystemClock()
        self._task: asyncio.Task[None] | None = None
        self._address: tuple[str, int] | None = None

    @property
    def base_url(self) -> str:
        """The address of a started sandbox, such as `http://127.0.0.1:8090`; providers live below it."""
        if self._address is None:
            raise RuntimeError("the sandbox has not been started")
        host, port = self._address
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"

    async def start(self) -> tuple[str, int]:
        """Listen, open the state, and return host and port.

        Raises:
            OSError: the address is taken.
        """
        listener = _listen(self._config.host, self._config.port)
        app = create_app(self._config, clock=self._clock)
        self._server = _GuestServer(
            uvicorn.Config(
                app,
                http=_Protocol,
                lifespan="on",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=_GRACE_SECONDS,
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            )
        )
        self._address = (self._config.host, listener.getsockname()[1])
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]))
        while not self._server.started:
            if self._task.done():
                await self._task
                raise RuntimeError("the sandbox did not start; its log says why")
            await asyncio.sleep(0.005)  # uvicorn has no event to wait for
        return self._address

    async def stop(self) -> None:
        """Finish what is under way, write everything down and close."""
        if self._task is not None:
            self._server.should_exit = True
            await self._task
            self._task = None

    async def wait(self) -> None:
        """Wait until the server ends."""
        if self._task is not None:
            await self._task


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)  # noqa: FBT003  (the socket module's own signature)
    return listener
