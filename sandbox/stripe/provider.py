"""Stripe's front desk: keys, versions, idempotency, and the table of operations."""

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kernel.clock import Clock
from sandbox.exchange import Answer, Call, Operation, Request, json_answer, parse_json
from sandbox.schema import SchemaBook
from sandbox.storage import Storage
from sandbox.stripe.books import API_VERSION, Books, Context, Outbox, public
from sandbox.stripe.charges import Charges
from sandbox.stripe.confirmation import Confirmation
from sandbox.stripe.customers import Customers
from sandbox.stripe.errors import StripeError, injected
from sandbox.stripe.events import Events
from sandbox.stripe.expand import expand
from sandbox.stripe.forms import parse_form, typed
from sandbox.stripe.idempotency import IdempotencyKeys
from sandbox.stripe.intents import PaymentIntents
from sandbox.stripe.lists import Lists
from sandbox.stripe.payment_methods import PaymentMethods
from sandbox.stripe.refunds import Refunds
from sandbox.tokens import Tokens

Json = dict[str, Any]
Handler = Callable[[Json, Json, Context], Json]

_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(\.\w+)?")
_REQUEST_ID_TAIL = 14


@dataclass(frozen=True, slots=True)
class _Entry:
    operation: Operation
    handler: Handler
    precheck: Callable[[Json], None] | None = None
    """What is refused before the request begins, beyond its schema."""


class StripeProvider:
    """A stand-in for api.stripe.com."""

    name = "stripe"
    body_limit = 1_000_000  # no request of ours comes near; keeps a runaway client from filling the memory

    def __init__(self, storage: Storage, clock: Clock, tokens: Tokens, outbox: Outbox) -> None:
        self._storage = storage
        self._tokens = tokens
        self._schemas = SchemaBook("stripe")
        self.keys = IdempotencyKeys(storage, clock)
        books = Books(storage, clock, tokens, outbox)
        self._entries = {entry.operation.name: entry for entry in _table(books, storage, clock)}
        self.operations = tuple(entry.operation for entry in self._entries.values())

    def admit(self, operation: Operation, request: Request) -> Answer | Call:
        """Check key, version, parameters and idempotency key, in Stripe's order."""
        request_id = f"req_{self._tokens.text(_REQUEST_ID_TAIL)}"
        key = request.headers.get("idempotency-key") if request.method == "POST" else None
        context = Context(request_id, key, request.headers.get("host", "127.0.0.1"))
        headers = {"request-id": request_id, "stripe-version": request.headers.get("stripe-version", API_VERSION)}
        try:
            _authenticate(request)
            _check_version(request)
            entry = self._entries[operation.name]
            params = self._params(operation, request)
            if entry.precheck is not None:
                entry.precheck(params)
            if key is not None:
                headers["idempotency-key"] = key
                kept = self.keys.begin(key, request.path, request.body)
                if kept is not None:
                    return Answer(kept.status, kept.body, {**kept.headers, "request-id": request_id})
                headers["original-request"] = request_id
        except StripeError as error:
            return _error_answer(error, headers)
        return _StripeCall(self, entry.handler, params, request.args, context, headers)

    def unknown_route(self, request: Request, *, path_known: bool) -> Answer:
        """Answer an address that Stripe does not have."""
        message = f"Unrecognized request URL ({request.method}: {request.path})."
        return _error_answer(StripeError(404, message), {"request-id": f"req_{self._tokens.text(_REQUEST_ID_TAIL)}"})

    def too_large(self, request: Request) -> Answer:
        """Refuse a huge body."""
        return _error_answer(StripeError(413, "The request body is too large."), {})

    def render(self, answer: Json, params: Json) -> Json:
        """Return an answer as the caller sees it."""
        shown = public(answer)
        if params.get("expand"):
            expand(self._storage, shown, params["expand"])
        return shown

    def _params(self, operation: Operation, request: Request) -> Json:
        if operation.name.startswith("sandbox."):
            return _json_object(request)
        text = request.query if request.method == "GET" else _text(request.body)
        return typed(self._schemas, operation.name, parse_form(text))


class _StripeCall:
    """A call that was let in."""

    def __init__(
        self,
        provider: StripeProvider,
        handler: Handler,
        params: Json,
        args: Any,  # noqa: ANN401  (a read-only mapping, handed on)
        context: Context,
        headers: dict[str, str],
    ) -> None:
        self._provider = provider
        self._handler = handler
        self._params = params
        self._args = args
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
        failed = _error_answer(error, self._headers)
        if executed:
            answer, remembered = self._run()
            self._finish(failed if error.remembered else answer, remembered=error.remembered or remembered)
        else:
            self._finish(failed, remembered=error.remembered)
        return failed

    def _run(self) -> tuple[Answer, bool]:
        headers = self._headers
        if self._context.idempotency_key is not None:
            headers = {**headers, "stripe-should-retry": "false"}
        try:
            document = self._handler(self._params, self._args, self._context)
            return json_answer(200, self._provider.render(document, self._params), headers), True
        except StripeError as error:
            return _error_answer(error, headers), error.remembered

    def _finish(self, answer: Answer, *, remembered: bool) -> None:
        key = self._context.idempotency_key
        if key is not None:
            self._provider.keys.finish(key, answer, remembered=remembered)


def _error_answer(error: StripeError, headers: dict[str, str]) -> Answer:
    return json_answer(error.status, {"error": error.error}, headers)


def _authenticate(request: Request) -> None:
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    key = credentials.strip()
    if scheme.lower() == "basic":
        try:
            key = base64.b64decode(key, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            key = ""
    elif scheme.lower() != "bearer":
        key = ""
    if not key:
        message = (
            "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer "
            "auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See https://stripe.com/docs/api#authentication for "
            "details, or we can help at https://support.stripe.com/."
        )
        raise StripeError(401, message, remembered=False)
    if not key.startswith("sk_test_") or key == "sk_test_":
        # A live key here is a mistake that must not pass unnoticed; it is not repeated in the answer.
        prefix = "_".join(key.split("_")[:2]) if key.startswith(("sk_", "pk_", "rk_")) else ""
        raise StripeError(401, f"Invalid API Key provided: {prefix}{'*' * 12}", remembered=False)


def _check_version(request: Request) -> None:
    version = request.headers.get("stripe-version", API_VERSION)
    if not _VERSION.fullmatch(version):
        raise StripeError(400, f"Invalid Stripe API version: {version}.", remembered=False)


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise StripeError(400, "Invalid request body: not UTF-8.", remembered=False) from None


def _json_object(request: Request) -> Json:
    try:
        document = parse_json(request.body or b"{}")
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise StripeError(400, "The body must be a JSON object.", remembered=False)
    return document


def _table(books: Books, storage: Storage, clock: Clock) -> list[_Entry]:
    methods = PaymentMethods(books)
    charges = Charges(books)
    customers = Customers(books)
    intents = PaymentIntents(books, methods, charges, Confirmation(books, charges))
    refunds = Refunds(books)
    lists = Lists(storage, clock)

    def entry(
        name: str,
        method: str,
        template: str,
        handler: Handler,
        *,
        lists: bool = False,
        precheck: Callable[[Json], None] | None = None,
    ) -> _Entry:
        return _Entry(Operation(name, method, template, lists), handler, precheck)

    intent = "/v1/payment_intents/{id}"
    return [
        entry("payment_intents.create", "POST", "/v1/payment_intents", intents.create, precheck=intents.check_create),
        entry("payment_intents.list", "GET", "/v1/payment_intents", lists.payment_intents, lists=True),
        entry("payment_intents.search", "GET", "/v1/payment_intents/search", lists.search_payment_intents, lists=True),
        entry("payment_intents.retrieve", "GET", intent, intents.retrieve),
        entry("payment_intents.update", "POST", intent, intents.update),
        entry("payment_intents.confirm", "POST", f"{intent}/confirm", intents.confirm),
        entry("payment_intents.capture", "POST", f"{intent}/capture", intents.capture),
        entry("payment_intents.cancel", "POST", f"{intent}/cancel", intents.cancel),
        entry("sandbox.authenticate", "POST", "/_sandbox/payment_intents/{id}/authenticate", intents.authenticate),
        entry("refunds.create", "POST", "/v1/refunds", refunds.create, precheck=refunds.check_create),
        entry("refunds.list", "GET", "/v1/refunds", lists.refunds, lists=True),
        entry("refunds.retrieve", "GET", "/v1/refunds/{id}", refunds.retrieve),
        entry("charges.retrieve", "GET", "/v1/charges/{id}", charges.retrieve),
        entry("events.list", "GET", "/v1/events", lists.events, lists=True),
        entry("events.retrieve", "GET", "/v1/events/{id}", Events(books).retrieve),
        entry("customers.create", "POST", "/v1/customers", customers.create),
        entry("customers.retrieve", "GET", "/v1/customers/{id}", customers.retrieve),
        entry("payment_methods.create", "POST", "/v1/payment_methods", methods.create),
        entry("payment_methods.retrieve", "GET", "/v1/payment_methods/{id}", methods.retrieve),
        entry("payment_methods.attach", "POST", "/v1/payment_methods/{id}/attach", methods.attach),
        entry("payment_methods.detach", "POST", "/v1/payment_methods/{id}/detach", methods.detach),
    ]
