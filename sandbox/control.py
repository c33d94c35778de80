"""The sandbox's own levers: faults, ledger, health."""

from collections.abc import Mapping

import orjson
from starlette.requests import Request
from starlette.responses import Response

from sandbox.exchange import JSON
from sandbox.faults import PROVIDERS, BadFault, FaultBoard, parse_fault
from sandbox.ledger import Ledger


class Control:
    """HTTP handlers that no provider has."""

    def __init__(self, faults: FaultBoard, ledger: Ledger, operations: Mapping[str, frozenset[str]]) -> None:
        self._faults = faults
        self._ledger = ledger
        self._operations = operations

    async def all_faults(self, request: Request) -> Response:
        """GET or DELETE /faults."""
        if request.method == "DELETE":
            self._faults.clear()
        return _json(200, self._faults.describe())

    async def faults_of(self, request: Request) -> Response:
        """GET, PUT or DELETE /faults/{provider}."""
        provider = request.path_params["provider"]
        if provider not in PROVIDERS:
            return _json(404, {"error": f"no provider {provider!r}; there are {', '.join(PROVIDERS)}"})
        if request.method == "DELETE":
            self._faults.clear(provider)
        elif request.method == "PUT":
            try:
                self._faults.set(provider, parse_fault(_parse(await request.body()), self._operations[provider]))
            except BadFault as error:
                return _json(400, {"error": str(error)})
        return _json(200, {provider: self._faults.describe()[provider]})

    async def ledger(self, request: Request) -> Response:
        """GET /ledger, of one order with ?order_id=."""
        return _json(200, await self._ledger.read(request.query_params.get("order_id")))

    async def health(self, request: Request) -> Response:
        """GET /healthz."""
        return _json(200, {"status": "ok"})


def _parse(body: bytes) -> object:
    try:
        document: object = orjson.loads(body)
    except ValueError:
        raise BadFault("the body is not JSON") from None
    return document


def _json(status: int, document: object) -> Response:
    return Response(orjson.dumps(document), status, media_type=JSON)
