"""Both clients of the stubs distribution behind one face, so that one test holds for both."""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from ordermesh.client import AsyncClient, Client
from ordermesh.order.v1 import order_pb2


class Kind(Protocol):
    """One of the two clients, made anew for each use."""

    def call(self, service: str, method: str, request: object, /, **call: object) -> Any:  # noqa: ANN401  (any RPC)
        """Return the answer of one RPC; `service` is the client's attribute."""
        ...

    def stream(self, request: object, /) -> list[Any]:
        """Return what one WatchOrder call answers, to its end."""
        ...

    def watch(self, seen: Callable[[order_pb2.Order], object], order_id: str, /, **watch: Any) -> None:  # noqa: ANN401
        """Hand over what watch_order yields, to its end."""
        ...


class InThreads:
    """Client."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401  (the client's own)
        self._settings = settings

    def call(self, service: str, method: str, request: object, /, **call: object) -> Any:  # noqa: ANN401  (see Kind)
        with Client(**self._settings) as client:
            return getattr(getattr(client, service), method)(request, **call)

    def stream(self, request: object, /) -> list[Any]:
        with Client(**self._settings) as client:
            rpc: Any = client.orders.WatchOrder
            return list(rpc(request))

    def watch(self, seen: Callable[[order_pb2.Order], object], order_id: str, /, **watch: Any) -> None:  # noqa: ANN401
        with Client(**self._settings) as client:
            for order in client.watch_order(order_id, **watch):
                seen(order)


class InLoop:
    """AsyncClient."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401  (the client's own)
        self._settings = settings

    def call(self, service: str, method: str, request: object, /, **call: object) -> Any:  # noqa: ANN401  (see Kind)
        async def run() -> object:
            async with AsyncClient(**self._settings) as client:
                answer: object = await getattr(getattr(client, service), method)(request, **call)
                return answer

        return asyncio.run(run())

    def stream(self, request: object, /) -> list[Any]:
        async def run() -> list[Any]:
            async with AsyncClient(**self._settings) as client:
                rpc: Any = client.orders.WatchOrder
                return [answer async for answer in rpc(request)]

        return asyncio.run(run())

    def watch(self, seen: Callable[[order_pb2.Order], object], order_id: str, /, **watch: Any) -> None:  # noqa: ANN401
        async def run() -> None:
            async with AsyncClient(**self._settings) as client:
                async for order in client.watch_order(order_id, **watch):
                    seen(order)

        asyncio.run(run())


KINDS: dict[str, Callable[..., Kind]] = {"threads": InThreads, "asyncio": InLoop}
