"""The pages that no provider has: where to start, the ledger, the mailbox, the fault switches."""

from collections.abc import Mapping
from http import HTTPStatus
from importlib import resources
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.faults import PROVIDERS, BadFault, FaultBoard
from sandbox.pages.books import SHOWN, books
from sandbox.pages.rendering import headers, is_of_another_site, policy, render
from sandbox.pages.switches import WHAT, described, fault_of
from sandbox.storage import Storage

# The longest form has a dozen short fields.
_LONGEST_FORM = 4096


class Site:
    """Makes the pages.

    Args:
        storage: What the providers have on record.
        faults: The faults that are set.
        operations: What faults can be aimed at, by provider.
    """

    def __init__(self, storage: Storage, faults: FaultBoard, operations: Mapping[str, frozenset[str]]) -> None:
        self._storage = storage
        self._faults = faults
        self._operations = operations

    def routes(self) -> list[Route]:
        """Return the routes of all pages."""
        return [
            Route("/", self._start),
            Route("/ledger.html", self._ledger),
            Route("/faults.html", self._switches, methods=["GET", "POST"]),
            Route("/pages.css", _styles),
        ]

    async def _start(self, _: Request) -> Response:
        faults = sum(len(each) for each in self._faults.describe().values())
        return _page("start.html", faults=faults)

    async def _ledger(self, request: Request) -> Response:
        order_id = request.query_params.get("order_id", "").strip()
        return _page("ledger.html", order_id=order_id, shown=SHOWN, books=await books(self._storage, order_id))

    async def _switches(self, request: Request) -> Response:
        if request.method == "GET":
            return self._show_switches()
        asked = request.headers
        if is_of_another_site(asked.get("sec-fetch-site"), asked.get("origin"), asked.get("host")):
            return self._show_switches("This form was sent from another site.", HTTPStatus.FORBIDDEN)
        body = await request.body()
        if len(body) > _LONGEST_FORM:
            return self._show_switches("The form is too large.", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return self._throw(dict(parse_qsl(body.decode("utf-8", "replace"))))

    def _throw(self, form: Mapping[str, str]) -> Response:
        """Set a provider's fault, or end its faults."""
        provider = form.get("provider", "")
        if provider not in PROVIDERS:
            return self._show_switches("There is no such provider.", HTTPStatus.BAD_REQUEST)
        if "end" in form:
            self._faults.clear(provider)
        else:
            try:
                self._faults.set(provider, fault_of(form, self._operations[provider]))
            except BadFault as error:
                return self._show_switches(f"{provider}: {error}", HTTPStatus.BAD_REQUEST)
        return Response(status_code=HTTPStatus.SEE_OTHER, headers={"location": "/faults.html"})

    def _show_switches(self, problem: str = "", status: HTTPStatus = HTTPStatus.OK) -> Response:
        providers = {
            name: {"set": [described(fault) for fault in faults], "operations": sorted(self._operations[name])}
            for name, faults in self._faults.describe().items()
        }
        return _page("faults.html", status, providers=providers, modes=WHAT, problem=problem)


def _page(template: str, status: HTTPStatus = HTTPStatus.OK, **shown: object) -> Response:
    return Response(render(template, **shown), status, headers(policy()))


async def _styles(_: Request) -> Response:
    return Response(_CSS, headers={"cache-control": "no-cache"}, media_type="text/css; charset=utf-8")


_CSS = resources.files("sandbox.pages").joinpath("files", "pages.css").read_bytes()
