"""Stripe's front desk: keys, versions, idempotency."""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

from kernel.clock import Clock
from sandbox.exchange import Answer, Call, Operation, Request, json_answer
from sandbox.schema import SchemaBook
from sandbox.storage import Storage
from sandbox.stripe import levers
from sandbox.stripe.books import API_VERSION, Books, Context, public
from sandbox.stripe.errors import StripeError, injected
from sandbox.stripe.expand import check_expand, expand
from sandbox.stripe.forms import parse_form, typed
from sandbox.stripe.idempotency import IdempotencyKeys
from sandbox.stripe.lists import Lists
from sandbox.stripe.operations import Handler, stripe_operations, wire
from sandbox.stripe.settling import Settling
from sandbox.tokens import Tokens
from sandbox.webhooks import Courier

Json = dict[str, Any]

_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(\.\w+)?")
_REQUEST_ID_TAIL = 14


class StripeProvider:
    """A stand-in for api.stripe.com."""

    name = "stripe"
    body_limit = 1_000_000  # no request of a shop comes near; keeps a runaway client from filling the memory

    def __init__(self, storage: Storage, clock: Clock, tokens: Tokens, courier: Courier) -> None:
        self._storage = storage
        self._tokens = tokens
        self._schemas = SchemaBook("stripe")
        self.keys = IdempotencyKeys(storage, clock)
        books = Books(storage, clock, tokens, courier)
        methods, self._intents = wire(books)
        self.settling = Settling(books, self._intents)
        entries = stripe_operations(books, Lists(storage, clock), self._intents, methods)
        self._entries = {entry.operation.name: entry for entry in entries}
        self.operations = (*(entry.operation for entry in entries), *levers.OPERATIONS)

    def admit(self, operation: Operation, request: Request) -> Answer | Call:
        """Check key, version, parameters and idempotency key, in Stripe's order."""
        if operation.lever:
            return levers.pull(self._intents, operation, request)
        request_id = self._request_id()
        headers = {"request-id": request_id, "stripe-version": request.headers.get("stripe-version", API_VERSION)}
        key = request.headers.get("idempotency-key") if request.method == "POST" else None
        entry = self._entries[operation.name]
        try:
            _authenticate(request)
            _check_version(request)
            text = request.query if request.method == "GET" else _text(request.body)
            params = typed(self._schemas, operation.name, parse_form(text))
            check_expand(operation.name, params.get("expand", []))
            if entry.precheck is not None:
                entry.precheck(params)
            if key is not None:
                headers["idempotency-key"] = key
                kept = self.keys.begin(key, request.path, request.body)
                if kept is not None:
                    return Answer(kept.status, kept.body, {**kept.headers, "request-id": request_id})
                headers["original-request"] = request_id
                headers["stripe-should-retry"] = "false"
        except StripeError as error:
            return _error_answer(error, headers)
        context = Context(request_id, key, request.headers.get("host", "127.0.0.1"))
        return _StripeCall(self, entry.handler, params, request.args, context, headers)

    def unknown_route(self, request: Request, *, path_known: bool) -> Answer:
        """Answer an address that Stripe does not have."""
        message = f"Unrecognized request URL ({request.method}: {request.path})."
        return _error_answer(StripeError(404, message), {"request-id": self._request_id()})

    def too_large(self, request: Request) -> Answer:
        """Refuse a huge body."""
        return _error_answer(StripeError(413, "The request body is too large."), {"request-id": self._request_id()})

    def render(self, answer: Json, params: Json) -> Json:
        """Return an answer as the caller sees it."""
        shown = public(answer)
        if params.get("expand"):
            expand(self._storage, shown, params["expand"])
        return shown

    def _request_id(self) -> str:
        return f"req_{self._tokens.text(_REQUEST_ID_TAIL)}"


class _StripeCall:
    """A call that was let in; it holds its idempotency key until it is done."""

    def __init__(
        self,
        provider: StripeProvider,
        handler: Handler,
        params: Json,
        args: Mapping[str, str],
        context: Context,
        headers: dict[str, str],
    ) -> None:
        self._provider = provider
        self._handler = handler
        self._params = params
        self._args = dict(args)
        self._context = context
        self._headers = headers

    def execute(self) -> Answer:
        """Do it; a refusal is an answer too."""
        answer, remembered = self._run()
        self._finish(answer, remembered=remembered)
        return answer

    def fail(self, status: int, *, executed: bool) -> Answer:
        """Return an error of that status. Stripe keeps a 500 under the key; an error of the edge leaves the answer."""
        error = injected(status)
        headers = {name: value for name, value in self._headers.items() if name != "stripe-should-retry"}
        failed = _error_answer(error, headers)
        answer, remembered = self._run() if executed else (failed, False)
        if error.remembered:
            self._finish(failed, remembered=True)
        else:
            self._finish(answer, remembered=remembered)
        return failed

    def _run(self) -> tuple[Answer, bool]:
        try:
            document = self._handler(self._params, self._args, self._context)
            return json_answer(200, self._provider.render(document, self._params), self._headers), True
        except StripeError as error:
            return _error_answer(error, self._headers), error.remembered
        except BaseException:
            self._finish(Answer(500), remembered=False)  # a defect of the sandbox must not lock the key
            raise

    def _finish(self, answer: Answer, *, remembered: bool) -> None:
        key = self._context.idempotency_key
        if key is not None:
            self._provider.keys.finish(key, answer, remembered=remembered)


def _error_answer(error: StripeError, headers: Mapping[str, str]) -> Answer:
    return json_answer(error.status, {"error": error.error}, headers)


def _authenticate(request: Request) -> None:
    key = _api_key(request.headers.get("authorization", ""))
    if not key:
        message = (
            "You did not provide an API key. You need to provide your API key in the Authorization header, using "
            "Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See "
            "https://stripe.com/docs/api#authentication for details, or we can help at https://support.stripe.com/."
        )
        raise StripeError(401, message, remembered=False)
    if not key.startswith("sk_test_") or key == "sk_test_":
        # A live key here is a mistake that must not pass unnoticed; it is not repeated in the answer.
        prefix = "_".join(key.split("_")[:2]) if key.startswith(("sk_", "pk_", "rk_")) else ""
        raise StripeError(401, f"Invalid API Key provided: {prefix}{'*' * 12}", remembered=False)


def _api_key(authorization: str) -> str:
    scheme, _, credentials = authorization.partition(" ")
    match scheme.lower():
        case "bearer":
            return credentials.strip()
        case "basic":
            try:
                return base64.b64decode(credentials, validate=True).decode().partition(":")[0]
            except (binascii.Error, UnicodeDecodeError):
                return ""
        case _:
            return ""


def _check_version(request: Request) -> None:
    version = request.headers.get("stripe-version", API_VERSION)
    if not _VERSION.fullmatch(version):
        raise StripeError(400, f"Invalid Stripe API version: {version}.", remembered=False)


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise StripeError(400, "Invalid request body: not UTF-8.", remembered=False) from None
