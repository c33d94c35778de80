"""Avalara AvaTax behind the TaxAuthority port: its REST API, version 2."""

import base64
import logging
from dataclasses import dataclass

import httpx

from chassis import deadline
from chassis.breaker import Breaker
from chassis.config import Secret
from chassis.http import HttpClient, HttpError, Lost
from kernel.address import Address
from kernel.clock import Clock
from kernel.money import Money
from kernel.outcome import Done, NotDone, Unknown
from tax_svc.adapters import avatax_json, avatax_list
from tax_svc.adapters.avatax_faults import RECORDED_CODES, Failing, Misconfigured, fault
from tax_svc.adapters.avatax_json import AnotherSale, Malformed
from tax_svc.app import AddressRejected, ListDenied, RecordedPage, Rejection, SaleRejected
from tax_svc.domain import Basis, Quote

_logger = logging.getLogger(__name__)

# A buyer waits for a quote. AvaTax's own times are 4 to 50 ms; what takes this long is not going to come.
QUOTE_SECONDS = 3.0

# Nobody waits for a record.
_RECORD_SECONDS = 8.0

# Kept back from the caller's deadline, so that the fallback's answer still reaches it.
_KEPT_BACK_SECONDS = 0.1

# An outage costs three orders their three seconds, then one order after a second, later one every ten seconds.
BREAKER_FAILURES = 3
BREAKER_FIRST_SECONDS = 1.0
BREAKER_LONGEST_SECONDS = 10.0

# What AvaTax may ask for when it has too much to do.
_LONGEST_HEEDED_SECONDS = 60.0

# Each order asks twice; at 20 ms an answer this carries 3,000 a second.
MOST_CONNECTIONS = 64

# Of a quote we need the authorities by line, of a document its totals; by default AvaTax sends more.
_QUOTE = "/api/v2/transactions/create?$include=Details"
_RECORD = "/api/v2/transactions/create?$include=SummaryOnly"
_READ = "/api/v2/companies/{}/transactions/{}?documentType=SalesInvoice&$include=SummaryOnly"
# Without a date AvaTax lists the last 30 days alone. By id, so that new documents come after those that were read.
_LIST = "/api/v2/companies/{}/transactions?$filter=date%20ge%20'1970-01-01'&$orderby=id%20asc&$top={}&$skip={}"

_SUCCESS = range(200, 300)


@dataclass(frozen=True, slots=True)
class Account:
    """Whose taxes these are.

    Attributes:
        account_id: Of AvaTax.
        license_key: Its password.
        company_code: One of the account's companies.
        ship_from: Where goods leave from; None counts every sale as made where the goods go.
    """

    account_id: str
    license_key: Secret
    company_code: str
    ship_from: Address | None = None

    def headers(self) -> dict[str, str]:
        """Return the headers that every request carries."""
        credentials = base64.b64encode(f"{self.account_id}:{self.license_key.reveal()}".encode()).decode()
        return {
            "authorization": f"Basic {credentials}",
            "accept": "application/json",
            "content-type": "application/json",
            # Application; its version; library; its version; machine. AvaTax certifies no client without it.
            "x-avalara-client": "ordermesh; 0.1.0; ordermesh; 0.1.0; ordermesh",
        }


class AvaTax:
    """Quotes and records on AvaTax.

    Args:
        client: Of AvaTax's base address, with the account's headers.
        account: Whose taxes these are.
        breaker: Keeps an outage from costing every order its timeout.
        clock: For the date of a sale, which is the day in UTC.
        quote_seconds: How long a quote may take.
    """

    def __init__(
        self,
        client: HttpClient,
        account: Account,
        breaker: Breaker,
        clock: Clock,
        *,
        quote_seconds: float = QUOTE_SECONDS,
    ) -> None:
        self._client = client
        self._account = account
        self._breaker = breaker
        self._clock = clock
        self._quote_seconds = quote_seconds

    async def quote(self, basis: Basis) -> Done[Quote] | NotDone[Rejection] | Unknown:
        """Work out the tax with a SalesOrder, which AvaTax does not keep."""
        body = avatax_json.sales_order(basis, self._account.company_code, self._today(), self._account.ship_from)
        answer = await self._ask("POST", _QUOTE, "create_sales_order", self._quote_seconds, body)
        if not isinstance(answer, httpx.Response):
            return answer
        try:
            return Done(avatax_json.quote(answer.content, basis))
        except Malformed as error:
            return _senseless(answer, error)

    async def record(self, order_id: str, basis: Basis) -> Done[Money] | NotDone[Rejection] | Unknown:
        """Record the sale as a committed SalesInvoice.

        `create`, and not `createoradjust`: it refuses to touch a document that is committed, so that repeating it can
        neither make a second document nor change what was filed. What is there then is read.
        """
        account = self._account
        body = avatax_json.sales_invoice(order_id, basis, account.company_code, self._today(), account.ship_from)
        answer = await self._ask("POST", _RECORD, "create_sales_invoice", _RECORD_SECONDS, body)
        match answer:
            case NotDone(SaleRejected(code)) if code in RECORDED_CODES:
                return await self._read(order_id, basis)
            case NotDone() | Unknown():
                return answer
            case httpx.Response():
                return _recorded(answer, order_id, basis)

    async def _read(self, order_id: str, basis: Basis) -> Done[Money] | NotDone[Rejection] | Unknown:
        """Return the tax of the document that is there; it has to be the record of this sale."""
        path = _READ.format(self._account.company_code, order_id)
        answer = await self._ask("GET", path, "get_transaction", _RECORD_SECONDS)
        if not isinstance(answer, httpx.Response):
            return answer
        try:
            return Done(avatax_json.recorded_tax(answer.content, order_id, basis))
        except AnotherSale as error:
            _logger.warning("avatax.document_differs", extra={"order_id": order_id, "what": str(error)})
            return NotDone(SaleRejected("DocumentDiffers"))
        except Malformed as error:
            return _senseless(answer, error)

    async def list_recorded(self, skip: int, limit: int) -> Done[RecordedPage] | NotDone[ListDenied] | Unknown:
        """List what the company has at AvaTax, whoever recorded it, oldest first."""
        path = _LIST.format(self._account.company_code, limit, skip)
        answer = await self._send("GET", path, "list_transactions", _RECORD_SECONDS)
        if isinstance(answer, Unknown):
            return answer
        match None if answer.status_code in _SUCCESS else fault(answer.status_code, answer.content):
            case None:
                self._breaker.succeeded()
            case Failing():
                return self._failing(answer)
            case Misconfigured(code) | SaleRejected(code):
                # Reading may be forbidden where selling is not: the breaker, which guards the sales, is told nothing.
                return NotDone(ListDenied(code))
            case AddressRejected():
                return NotDone(ListDenied("AddressError"))
        try:
            return Done(avatax_list.page(answer.content))
        except Malformed as error:
            return _senseless(answer, error)

    async def _ask(
        self, method: str, path: str, operation: str, at_most: float, body: bytes = b""
    ) -> httpx.Response | NotDone[Rejection] | Unknown:
        """Return a successful answer, or what came of the call instead."""
        answer = await self._send(method, path, operation, at_most, body)
        return answer if isinstance(answer, Unknown) else self._judge(answer)

    async def _send(
        self, method: str, path: str, operation: str, at_most: float, body: bytes = b""
    ) -> httpx.Response | Unknown:
        """Return any answer; nothing is sent while AvaTax is away or when the caller has no time left."""
        if not self._breaker.admit():
            return Unknown("AvaTax was away a moment ago", self._breaker.wait_seconds())
        seconds = deadline.remaining(at_most + _KEPT_BACK_SECONDS) - _KEPT_BACK_SECONDS
        if seconds <= 0:
            return Unknown("no time was left to ask AvaTax")
        try:
            return await self._client.request(
                method, path, content=body, timeout=seconds, extensions={"operation": operation}
            )
        except HttpError as error:
            # A caller in a hurry says nothing about AvaTax.
            if not isinstance(error, Lost) or seconds >= self._quote_seconds:
                self._breaker.failed()
            return Unknown(str(error))

    def _judge(self, answer: httpx.Response) -> httpx.Response | NotDone[Rejection] | Unknown:
        """Tell the breaker how it went, and say what the answer means unless it is a success."""
        meaning = None if answer.status_code in _SUCCESS else fault(answer.status_code, answer.content)
        match meaning:
            case None:
                self._breaker.succeeded()
                return answer
            case AddressRejected() | SaleRejected():
                self._breaker.succeeded()
                return NotDone(meaning)
            case Misconfigured(code):
                _logger.error("avatax.misconfigured", extra={"code": code, **_context(answer)})
            case Failing():
                pass
        return self._failing(answer)

    def _failing(self, answer: httpx.Response) -> Unknown:
        """Tell the breaker that AvaTax is in trouble, or not to be used."""
        wait = _retry_after(answer)
        self._breaker.failed(wait)
        return Unknown(f"http {answer.status_code}", wait)

    def _today(self) -> str:
        return self._clock.now().date().isoformat()


def _recorded(answer: httpx.Response, order_id: str, basis: Basis) -> Done[Money] | Unknown:
    try:
        return Done(avatax_json.recorded_tax(answer.content, order_id, basis))
    except Malformed as error:
        return _senseless(answer, error)


def _senseless(answer: httpx.Response, error: Malformed) -> Unknown:
    _logger.error("avatax.malformed", extra={"what": str(error), **_context(answer)})
    return Unknown("an answer that makes no sense")


def _context(answer: httpx.Response) -> dict[str, object]:
    """Return what Avalara's support asks for."""
    return {"status": answer.status_code, "correlation_id": answer.headers.get("x-correlation-id", "")}


def _retry_after(answer: httpx.Response) -> float | None:
    value = answer.headers.get("retry-after", "")
    return min(float(value), _LONGEST_HEEDED_SECONDS) if value.isdecimal() else None
