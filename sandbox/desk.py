"""The front desk of one provider: reads the request, lets the provider judge and do it, plays the faults.

Work on the provider's state is synchronous, so calls never interleave; only waiting (for the body, for the disk, for a
fault's delay) yields. A change is answered only after it is in the file.
"""

import asyncio
from collections.abc import Callable

from starlette.types import Receive, Scope, Send

from kernel.clock import Clock
from sandbox.exchange import Answer, Call, Operation, Provider, Request
from sandbox.faults import Fault, FaultBoard, FaultMode
from sandbox.routes import Routes
from sandbox.storage import Storage

DROP_EXTENSION = "ordermesh.drop_connection"
"""Name of the ASGI extension that cuts the client's connection; the sandbox's own server offers it."""


class Desk:
    """An ASGI application for one provider."""

    def __init__(self, provider: Provider, storage: Storage, faults: FaultBoard, clock: Clock) -> None:
        self._provider = provider
        self._storage = storage
        self._faults = faults
        self._clock = clock
        self._routes = Routes(provider.operations)
        self._late: set[asyncio.Task[None]] = set()

    async def stop(self) -> None:
        """Drop the work that late executions still wait for."""
        for task in self._late:
            task.cancel()
        await asyncio.gather(*self._late, return_exceptions=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request."""
        method: str = scope["method"]
        path: str = scope["path"].removeprefix(scope.get("root_path", ""))
        found = self._routes.find(method, path)
        body = await _read_body(receive, self._provider.body_limit)
        request = Request(
            method=method,
            path=path,
            query=scope["query_string"].decode("latin-1"),
            headers={name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
            body=body or b"",
            args=found[1] if found else {},
            received=self._clock.now(),
        )
        if found is None:
            path_known = self._routes.knows(path)
            await _send(send, self._provider.unknown_route(request, path_known=path_known))
            return
        operation = found[0]
        fault = None if operation.lever else self._faults.strike(self._provider.name, operation.name)
        if body is None:
            await _send(send, self._provider.too_large(request))
        elif fault is None:
            await _send(send, await self._perform(operation, request))
        else:
            await self._suffer(fault, operation, request, _Line(scope, receive, send))

    async def _perform(self, operation: Operation, request: Request) -> Answer:
        if operation.lists:
            await self._storage.committed()
        admitted = self._provider.admit(operation, request)
        answer = admitted if isinstance(admitted, Answer) else admitted.execute()
        await self._storage.committed()
        return answer

    async def _suffer(self, fault: Fault, operation: Operation, request: Request, line: "_Line") -> None:
        if fault.mode is FaultMode.OUTAGE:
            await line.cut()
            return
        if operation.lists:
            await self._storage.committed()
        admitted = self._provider.admit(operation, request)
        if isinstance(admitted, Answer):
            await self._storage.committed()
            await line.answer(admitted)
            return
        match fault.mode:
            case FaultMode.ERROR:
                answer = admitted.fail(fault.status, executed=fault.executed)
                await self._storage.committed()
                await line.answer(answer)
            case FaultMode.LATENCY:
                await self._clock.sleep(fault.latency_ms / 1000)
                answer = admitted.execute()
                await self._storage.committed()
                await line.answer(answer)
            case FaultMode.LOST_ANSWER:
                admitted.execute()
                await self._storage.committed()
                await line.cut()
            case FaultMode.LATE_EXECUTION:
                self._execute_later(admitted, fault.delay_ms / 1000)
                await line.cut()

    def _execute_later(self, call: Call, seconds: float) -> None:
        async def later() -> None:
            await self._clock.sleep(seconds)
            call.execute()

        task = asyncio.create_task(later())
        self._late.add(task)
        task.add_done_callback(self._late.discard)


class _Line:
    """The client's end of one exchange."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._drop: Callable[[], None] | None = scope.get("extensions", {}).get(DROP_EXTENSION)
        self._receive = receive
        self._send = send

    async def answer(self, answer: Answer) -> None:
        await _send(self._send, answer)

    async def cut(self) -> None:
        """Break the connection; under a server that cannot, answer 503 as a proxy in front of a dead host would."""
        if self._drop is None:
            await _send(self._send, Answer(503))
            return
        self._drop()
        while (await self._receive())["type"] != "http.disconnect":
            pass


async def _read_body(receive: Receive, limit: int) -> bytes | None:
    """Return the body, or None when it is over the limit (the rest is left unread)."""
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body", False) and len(body) <= limit:
        message = await receive()
        body += message.get("body", b"")
    return body if len(body) <= limit else None


async def _send(send: Send, answer: Answer) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.items()]
    headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
