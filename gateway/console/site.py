"""The console's pages: which there are, what each shows, and what its buttons do."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from importlib import resources
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from jinja2 import ChainableUndefined, Environment, PackageLoader
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from chassis.telemetry.following import spans_of
from chassis.telemetry.store import StoredSpan
from gateway.bodies import Bodies, BodyLate
from gateway.console import reading, words
from gateway.console.commands import COMMANDS
from gateway.console.drawing import LINE_WIDTH, bars
from gateway.console.inside import COOKIE, Api, Json, Refused, or_why_not
from gateway.readiness import Readiness
from kernel.ids import Ids

_Page = Callable[[Request], Awaitable[Response]]

# Everything a page loads comes from here, and nothing in it is inline; forms go nowhere else.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_POLICY_WITH_FRAME = f"{_POLICY}; frame-src 'self'"
# A mail is somebody else's page: no scripts, no forms, no pictures, and only within a page of ours.
_LETTERS_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'self'"
_FILES = {"console.css": "text/css; charset=utf-8", "console.js": "text/javascript; charset=utf-8"}
_PER_PAGE = "50"
# What a form of ours holds at most: a reason and an amount.
_LONGEST_FORM = 4096


class Console:
    """Makes the pages.

    Args:
        api: The application behind `/api`.
        readiness: Knows which services are serving.
        ids: Makes idempotency keys, one for each form that is shown.
        data_dir: Where the span store lies.
        sandbox_url: Where the sandbox plays the providers: its pages are linked; empty where they are real.
        bodies: Those of forms, while they come.
        has_shop: Whether the demo shop is there to be linked.
        behind_proxy: Whether a proxy in front speaks HTTPS with browsers, whatever it speaks with us.
    """

    def __init__(
        self,
        api: ASGIApp,
        readiness: Readiness,
        ids: Ids,
        data_dir: Path,
        sandbox_url: str,
        bodies: Bodies,
        *,
        has_shop: bool,
        behind_proxy: bool,
    ) -> None:
        self._api = api
        self._readiness = readiness
        self._ids = ids
        self._data_dir = data_dir
        self._bodies = bodies
        self._behind_proxy = behind_proxy
        self._templates = Environment(
            loader=PackageLoader("gateway.console", "templates"),
            autoescape=True,
            # The API leaves out what is not there yet: a total, a tax.
            undefined=ChainableUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters |= {
            name: getattr(words, name) for name in ("money", "moment", "clock_time", "spoken", "lasting")
        }
        self._templates.globals |= {
            "state_kind": words.state_kind,
            "distance": words.distance,
            "mail_kind": words.mail_kind,
            "states": tuple(words.STATES),
            "line_width": LINE_WIDTH,
            "sandbox": sandbox_url,
            "has_shop": has_shop,
        }

    def routes(self) -> list[Route]:
        """Return the routes of all pages."""
        return [
            Route("/console", self._shown(self._board)),
            Route("/console/orders", self._shown(self._orders)),
            Route("/console/orders/{order_id}", self._shown(self._order)),
            Route("/console/orders/{order_id}/watch", self._watch),
            Route("/console/orders/{order_id}/{command}", self._shown(self._command), methods=["POST"]),
            Route("/console/mails/{notification_id}", self._shown(self._mail)),
            Route("/console/mails/{notification_id}/html", self._shown(self._letter)),
            Route("/console/mails/{notification_id}/resend", self._shown(self._resend), methods=["POST"]),
            Route("/console/sign-in", self._shown(self._sign_in), methods=["GET", "POST"]),
            Route("/console/sign-out", self._shown(self._sign_out), methods=["POST"]),
            *(Route(f"/console/{name}", _file(name, kind)) for name, kind in _FILES.items()),
        ]

    def _shown(self, page: _Page) -> _Page:
        """Return the page with its refusals shown as pages too."""

        async def answer(request: Request) -> Response:
            try:
                _check_sender(request)
                return await page(request)
            except Refused as refused:
                if refused.status == HTTPStatus.UNAUTHORIZED:
                    return RedirectResponse("/console/sign-in", HTTPStatus.SEE_OTHER)
                return self._render("problem.html", refused.status, refused=refused)

        return answer

    async def _board(self, request: Request) -> Response:
        api = Api(self._api, request)
        return self._render("board.html", services=self._readiness.states(), **await reading.board(api))

    async def _orders(self, request: Request) -> Response:
        api, asked = Api(self._api, request), request.query_params
        wanted = asked.get("order_id", "").strip()
        if wanted:
            return RedirectResponse(f"/console/orders/{wanted}", HTTPStatus.SEE_OTHER)
        filters = {
            name: asked.get(name, "").strip() for name in ("state", "customer_id", "reference_prefix", "needs_review")
        }
        found = await api.get("/orders", page_size=_PER_PAGE, page_token=asked.get("page_token", ""), **filters)
        return self._render(
            "orders.html", orders=found["orders"], filters=filters, next_page=found.get("next_page_token", "")
        )

    async def _order(self, request: Request) -> Response:
        api, order_id = Api(self._api, request), request.path_params["order_id"]
        story = await api.get(f"/orders/{order_id}:explain")
        mails, messages = await asyncio.gather(
            or_why_not(api.get("/notifications", order_id=order_id)),
            or_why_not(api.get("/webhookDeliveries", order_id=order_id)),
        )
        allowed = [each for each in COMMANDS.values() if each.fits(story["order"])]
        return self._render(
            "order.html",
            story=story,
            order=story["order"],
            mails=mails,
            messages=messages,
            bars=bars(await self._spans(story)),
            commands=[(each, self._ids.new()) for each in allowed],
        )

    async def _command(self, request: Request) -> Response:
        command = COMMANDS.get(request.path_params["command"])
        order_id = request.path_params["order_id"]
        if command is None:
            raise Refused(HTTPStatus.NOT_FOUND, {"title": "There is no such command."})
        form = await self._form(request)
        body = command.body(order_id, form)
        await Api(self._api, request).post(f"/orders/{order_id}:{command.name}", body, form.get("key", ""))
        return RedirectResponse(f"/console/orders/{order_id}", HTTPStatus.SEE_OTHER)

    async def _mail(self, request: Request) -> Response:
        shown = await reading.mail(Api(self._api, request), request.path_params["notification_id"])
        return self._render("mail.html", policy=_POLICY_WITH_FRAME, mail=shown, key=self._ids.new())

    async def _letter(self, request: Request) -> Response:
        """Return the HTML of a mail alone, for a frame: it may style itself, and do and load nothing."""
        shown = await reading.mail(Api(self._api, request), request.path_params["notification_id"])
        headers = {"Content-Security-Policy": _LETTERS_POLICY, "Cache-Control": "no-store"}
        return Response(shown["html"], headers=headers, media_type="text/html")

    async def _resend(self, request: Request) -> Response:
        form = await self._form(request)
        path = f"/notifications/{request.path_params['notification_id']}:resend"
        again = await Api(self._api, request).post(path, {}, form.get("key", ""))
        return RedirectResponse(f"/console/orders/{again['order_id']}", HTTPStatus.SEE_OTHER)

    async def _watch(self, request: Request) -> Response:
        """Hand the order's events on as the API sends them: a browser's event source cannot say who it is by itself."""
        return Api(self._api, request).stream(f"/orders/{request.path_params['order_id']}:watch", until_final="true")

    async def _sign_in(self, request: Request) -> Response:
        if request.method == "GET":
            return self._render("sign_in.html")
        key = (await self._form(request)).get("key", "").strip()
        answer = RedirectResponse("/console", HTTPStatus.SEE_OTHER)
        secure = self._behind_proxy or request.url.scheme == "https"
        answer.set_cookie(COOKIE, key, path="/console", httponly=True, samesite="strict", secure=secure)
        return answer

    async def _sign_out(self, _: Request) -> Response:
        answer = RedirectResponse("/console/sign-in", HTTPStatus.SEE_OTHER)
        answer.delete_cookie(COOKIE, path="/console")
        return answer

    async def _form(self, request: Request) -> Mapping[str, str]:
        """Return what a form of ours has sent.

        Raises:
            Refused: It is larger than any of ours, or did not come in good time.
        """
        body = bytearray()
        try:
            async with self._bodies.coming():
                async for part in request.stream():
                    body.extend(part)
                    if len(body) > _LONGEST_FORM:
                        raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {"title": "The form is too large."})
        except BodyLate as late:
            raise Refused(late.status, {"title": "The form did not come in good time."}) from None
        return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))

    async def _spans(self, story: Json) -> list[StoredSpan]:
        placed_ns = int(datetime.fromisoformat(story["order"]["create_time"]).timestamp()) * 1_000_000_000
        try:
            return await asyncio.to_thread(spans_of, self._data_dir, story["trace_ids"], placed_ns)
        except sqlite3.Error:
            return []  # The page is of use without them.

    def _render(self, template: str, status: int = HTTPStatus.OK, policy: str = _POLICY, **shown: object) -> Response:
        page = self._templates.get_template(template).render(**shown)
        # With the API's no-referrer a browser sends forms with `Origin: null`, and they are taken for another site's.
        headers = {
            "Content-Security-Policy": policy,
            "Cache-Control": "no-store",
            "Referrer-Policy": "same-origin",
        }
        return Response(page, status, headers, media_type="text/html")


def _check_sender(request: Request) -> None:
    """Make sure that a form was sent from one of our own pages: another site must not press our buttons.

    Raises:
        Refused: It was not.
    """
    if request.method != "POST":
        return
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is None:
        own = origin is None or urlsplit(origin).netloc == request.headers.get("host")
    else:
        own = site == "same-origin"
    if not own:
        raise Refused(HTTPStatus.FORBIDDEN, {"title": "This form was sent from another site."})


def _file(name: str, content_type: str) -> _Page:
    body = resources.files("gateway.console").joinpath("files", name).read_bytes()

    async def answer(_: Request) -> Response:
        return Response(body, headers={"Cache-Control": "no-cache"}, media_type=content_type)

    return answer
