"""AvaTax's front desk: credentials and the table of operations."""

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from kernel.clock import Clock
from sandbox.avatax.documents import Documents
from sandbox.avatax.errors import AvataxError, injected, unauthenticated
from sandbox.avatax.listing import Listing
from sandbox.avatax.reading import Reader
from sandbox.avatax.refunds import Refunds
from sandbox.avatax.rendering import COMPANY_ID
from sandbox.avatax.resolving import resolve_address
from sandbox.exchange import Answer, Call, Operation, Request, json_answer, parse_json
from sandbox.schema import SchemaBook
from sandbox.storage import Storage
from sandbox.tokens import Tokens

Json = dict[str, Any]

_JSON = "application/json; charset=utf-8"
_LOCK = "/_sandbox/companies/{company}/transactions/{code}/lock"


@dataclass(frozen=True, slots=True)
class _Asked:
    body: Json
    company: str
    code: str
    query: Json


Handler = Callable[[_Asked], tuple[int, Json]]


class AvataxProvider:
    """A stand-in for rest.avatax.com."""

    name = "avatax"
    body_limit = 5_000_000  # a document of some ten thousand lines

    def __init__(self, storage: Storage, clock: Clock, tokens: Tokens) -> None:
        self._tokens = tokens
        self._documents = Documents(storage, clock, tokens)
        self._refunds = Refunds(self._documents, tokens)
        self._listing = Listing(storage, clock)
        self._reader = Reader(SchemaBook("avatax"))
        transactions = "/api/v2/companies/{company}/transactions"
        transaction = f"{transactions}/{{code}}"
        table: list[tuple[Operation, Handler]] = [
            (Operation("transactions.create", "POST", "/api/v2/transactions/create"), self._create),
            (
                Operation("transactions.createoradjust", "POST", "/api/v2/transactions/createoradjust"),
                self._create_or_adjust,
            ),
            (Operation("transactions.list", "GET", transactions, lists=True), self._list),
            (Operation("transactions.get", "GET", transaction), self._get),
            (Operation("transactions.commit", "POST", f"{transaction}/commit"), self._commit),
            (Operation("transactions.void", "POST", f"{transaction}/void"), self._void),
            (Operation("transactions.refund", "POST", f"{transaction}/refund"), self._refund),
            (Operation("addresses.resolve", "POST", "/api/v2/addresses/resolve"), self._resolve),
            (Operation("addresses.resolve", "GET", "/api/v2/addresses/resolve"), self._resolve),
            (
                Operation("sandbox.lock", "POST", f"/_sandbox{transaction[len('/api/v2') :]}/lock", lever=True),
                self._lock,
            ),
            (Operation("utilities.ping", "GET", "/api/v2/utilities/ping"), self._ping),
        ]
        self.operations = tuple(operation for operation, _ in table)
        self._handlers = {operation.name: handler for operation, handler in table}

    def admit(self, operation: Operation, request: Request) -> Answer | Call:
        """Check credentials and body."""
        known = _account(request)
        try:
            if operation.lever:
                asked = _Asked({}, request.args["company"], request.args["code"], {})
            elif operation.name == "utilities.ping":
                asked = _Asked({"account": known}, "", "", {})
            else:
                if known is None:
                    raise unauthenticated()
                asked = self._read(operation, request)
        except AvataxError as error:
            return self.refuse(error)
        return _AvataxCall(self, self._handlers[operation.name], asked)

    def unknown_route(self, request: Request, *, path_known: bool) -> Answer:
        """Answer an address that AvaTax does not have."""
        status = 405 if path_known else 404
        message = f"No HTTP resource was found that matches the request URI '{request.path}'."
        return json_answer(status, {"message": message}, self.headers())

    def too_large(self, request: Request) -> Answer:
        """Refuse a huge body."""
        return self.refuse(AvataxError(413, "RequestTooLarge", "The request you submitted was too large to process."))

    def refuse(self, error: AvataxError) -> Answer:
        """Return the answer that says no."""
        return json_answer(error.status, error.document, self.headers())

    def headers(self) -> dict[str, str]:
        """Return what every answer carries."""
        return {
            "content-type": _JSON,
            "x-correlation-id": self._tokens.uuid(),
            "serverduration": "00:00:00.0010000",
        }

    def _read(self, operation: Operation, request: Request) -> _Asked:
        query = {name.lstrip("$").lower(): value for name, value in parse_qsl(request.query)}
        body: Json = {}
        if request.method == "POST":
            body = self._reader.read(operation.name, _document(request.body))
        elif operation.name == "addresses.resolve":
            body = self._reader.read(operation.name, query)
        return _Asked(body, request.args.get("company", ""), request.args.get("code", ""), query)

    def _find(self, asked: _Asked) -> Json:
        return self._documents.find(asked.company, asked.code, asked.query.get("documenttype", "SalesInvoice"))

    def _create(self, asked: _Asked) -> tuple[int, Json]:
        return 201, self._documents.create(asked.body)

    def _create_or_adjust(self, asked: _Asked) -> tuple[int, Json]:
        document, new = self._documents.create_or_adjust(asked.body)
        return 201 if new else 200, document

    def _get(self, asked: _Asked) -> tuple[int, Json]:
        return 200, self._documents.find(asked.company, asked.code, asked.query.get("documenttype"))

    def _list(self, asked: _Asked) -> tuple[int, Json]:
        return 200, self._listing.page(asked.company, asked.query)

    def _commit(self, asked: _Asked) -> tuple[int, Json]:
        return 200, self._documents.commit(self._find(asked))

    def _void(self, asked: _Asked) -> tuple[int, Json]:
        return 200, self._documents.void(self._find(asked))

    def _lock(self, asked: _Asked) -> tuple[int, Json]:
        return 200, self._documents.lock(self._find(asked))

    def _refund(self, asked: _Asked) -> tuple[int, Json]:
        return 201, self._refunds.refund(asked.company, self._find(asked), asked.body)

    def _resolve(self, asked: _Asked) -> tuple[int, Json]:
        return 200, resolve_address(asked.body)

    def _ping(self, asked: _Asked) -> tuple[int, Json]:
        account = asked.body["account"]
        if account is None:
            return 200, {"version": "26.10.0", "authenticated": False, "authenticationType": "None"}
        return 200, {
            "version": "26.10.0",
            "authenticated": True,
            "authenticationType": "AccountIdLicenseKey",
            "authenticatedUserName": account,
            "authenticatedUserId": 0,
            "authenticatedAccountId": 0,
        }


class _AvataxCall:
    """A call that was let in."""

    def __init__(self, provider: AvataxProvider, handler: Handler, asked: _Asked) -> None:
        self._provider = provider
        self._handler = handler
        self._asked = asked

    def execute(self) -> Answer:
        """Do it; a refusal is an answer too."""
        try:
            status, document = self._handler(self._asked)
        except AvataxError as error:
            return self._provider.refuse(error)
        shown = {name: value for name, value in document.items() if name[0] != "_"}
        headers = self._provider.headers()
        if "companyId" in document:
            headers["location"] = f"/api/v2/companies/{COMPANY_ID}/transactions/{document['id']}"
        return json_answer(status, shown, headers)

    def fail(self, status: int, *, executed: bool) -> Answer:
        """Return an error of that status."""
        if executed:
            self.execute()
        return self._provider.refuse(injected(status))


def _account(request: Request) -> str | None:
    """Return the account id of the caller, or None. Any id and key will do, as long as there are both."""
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        account, colon, key = base64.b64decode(credentials, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return account if account and colon and key else None


def _document(body: bytes) -> object:
    try:
        return parse_json(body)
    except ValueError:
        message = "The JSON you sent with your request was invalid."
        raise AvataxError(400, "JsonFormatError", message) from None
