"""Avalara AvaTax behind the TaxAuthority port: its REST API, version 2."""

import logging
from collections.abc import Callable
from datetime import date
from typing import TypeVar

from chassis.breaker import Breaker
from chassis.http import Answer, HttpClient
from kernel.address import Address
from kernel.clock import Clock
from kernel.outcome import Done, NotDone, Unknown
from tax_svc.adapters import avatax_addresses, avatax_json, avatax_list, avatax_requests
from tax_svc.adapters.avatax_calls import QUOTE_SECONDS, Account, Calls, context, meaning_of
from tax_svc.adapters.avatax_faults import (
    LOCKED_CODES,
    MISSING_CODE,
    RECORDED_CODES,
    VOIDED_CODE,
    Failing,
    Misconfigured,
)
from tax_svc.adapters.avatax_json import AnotherDocument, Malformed
from tax_svc.app.ports import AddressRejected, DocumentLocked, ListDenied, RecordedPage, Rejection, SaleRejected
from tax_svc.domain.basis import Basis
from tax_svc.domain.document import Recorded
from tax_svc.domain.giveback import Giveback
from tax_svc.domain.quote import Quote
from tax_svc.domain.resolution import Remark, Resolution

T = TypeVar("T")

_logger = logging.getLogger(__name__)

# Nobody waits for a record.
_RECORD_SECONDS = 8.0

# Somebody is filling in a form.
_RESOLVE_SECONDS = 3.0

# Of a quote we need the authorities by line, of a document its totals; by default AvaTax sends more.
_QUOTE = "/api/v2/transactions/create?$include=Details"
_RECORD = "/api/v2/transactions/create?$include=SummaryOnly"
_READ = "/api/v2/companies/{}/transactions/{}?documentType={}&$include=SummaryOnly"
_VOID = "/api/v2/companies/{}/transactions/{}/void?documentType=SalesInvoice&$include=SummaryOnly"
# By POST, because what stands in an address line of HTTP ends up in logs.
_RESOLVE = "/api/v2/addresses/resolve"
# Without a date AvaTax lists the last 30 days alone. By id, so that new documents come after those that were read.
_LIST = "/api/v2/companies/{}/transactions?$filter=date%20ge%20'1970-01-01'&$orderby=id%20asc&$top={}&$skip={}"

_SALE, _RETURN = "SalesInvoice", "ReturnInvoice"


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
        self._calls = Calls(client, breaker, quote_seconds)
        self._company_code = account.company_code
        self._ship_from = account.ship_from
        self._clock = clock
        self._quote_seconds = quote_seconds

    async def quote(self, basis: Basis) -> Done[Quote] | NotDone[Rejection] | Unknown:
        """Work out the tax with a SalesOrder, which AvaTax does not keep."""
        body = avatax_requests.sales_order(basis, self._company_code, self._today(), self._ship_from)
        answer = await self._calls.ask("POST", _QUOTE, "create_sales_order", self._quote_seconds, body)
        if not isinstance(answer, Answer):
            return answer
        quoted = _read(answer, lambda content: avatax_json.quote(content, basis))
        if isinstance(quoted, Done) and quoted.value.total_tax.minor_units < 0:
            # A discount that is taxed, on goods that are not: nobody is paid for buying.
            return NotDone(SaleRejected("NegativeTax"))
        return quoted

    async def record(self, order_id: str, basis: Basis) -> Done[Recorded] | NotDone[Rejection] | Unknown:
        """Record the sale as a committed SalesInvoice."""
        body = avatax_requests.sales_invoice(order_id, basis, self._company_code, self._today(), self._ship_from)
        return await self._create(
            body, "create_sales_invoice", order_id, _SALE, lambda content: avatax_json.sale(content, order_id, basis)
        )

    async def give_back(self, giveback: Giveback, sold_on: date) -> Done[Recorded] | NotDone[Rejection] | Unknown:
        """Record what is given back as a committed ReturnInvoice.

        Not by AvaTax's own refund of a document: that takes whole lines or a percentage of all, and what is given back
        here is exact to the minor unit.
        """
        today = self._today()
        body = avatax_requests.return_invoice(giveback, self._company_code, today, sold_on, self._ship_from)
        return await self._create(
            body,
            "create_return_invoice",
            giveback.code,
            _RETURN,
            lambda content: avatax_json.given_back(content, giveback),
        )

    async def void(self, order_id: str) -> Done[Recorded | None] | NotDone[DocumentLocked | Rejection] | Unknown:
        """Void the order's SalesInvoice; one that is void already, or is not there, is left as it is."""

        def read(content: bytes) -> Recorded:
            return avatax_json.voided(content, order_id)

        path = _VOID.format(self._company_code, order_id)
        answer = await self._calls.ask("POST", path, "void_transaction", _RECORD_SECONDS, avatax_requests.VOID)
        if isinstance(answer, Answer):
            return _read(answer, read)
        match answer:
            case NotDone(SaleRejected(code)) if code == VOIDED_CODE:
                return await self._find(order_id, _SALE, read)
            case NotDone(SaleRejected(code)) if code == MISSING_CODE:
                return Done(None)
            case NotDone(SaleRejected(code)) if code in LOCKED_CODES:
                return NotDone(DocumentLocked())
            case _:
                return answer

    async def resolve(self, address: Address) -> Done[Resolution] | NotDone[Rejection] | Unknown:
        """Have an address looked at; one that AvaTax refuses to look at cannot be placed."""
        body = avatax_requests.address(address)
        answer = await self._calls.ask("POST", _RESOLVE, "resolve_address", _RESOLVE_SECONDS, body)
        match answer:
            case Answer():
                return _read(answer, lambda content: avatax_addresses.resolution(content, address))
            case NotDone(AddressRejected(part, description)):
                return Done(Resolution(None, (Remark(part, description, is_error=True),)))
            case _:
                return answer

    async def list_recorded(self, skip: int, limit: int) -> Done[RecordedPage] | NotDone[ListDenied] | Unknown:
        """List what the company has at AvaTax, whoever recorded it, oldest first."""
        path = _LIST.format(self._company_code, limit, skip)
        answer = await self._calls.send("GET", path, "list_transactions", _RECORD_SECONDS)
        if isinstance(answer, Unknown):
            return answer
        match meaning_of(answer):
            case None:
                self._calls.succeeded()
            case Failing():
                return self._calls.failing(answer)
            case Misconfigured(code) | SaleRejected(code):
                # Reading may be forbidden where selling is not: the breaker, which guards the sales, is told nothing.
                return NotDone(ListDenied(code))
            case AddressRejected():
                return NotDone(ListDenied("AddressError"))
        return _read(answer, avatax_list.page)

    async def _create(
        self, body: bytes, operation: str, code: str, kind: str, read: Callable[[bytes], Recorded]
    ) -> Done[Recorded] | NotDone[Rejection] | Unknown:
        """Record a document for good.

        `create`, and not `createoradjust`: it refuses to touch a document that is committed, so that repeating it can
        neither make a second document nor change what was filed. What is there then is read.
        """
        answer = await self._calls.ask("POST", _RECORD, operation, _RECORD_SECONDS, body)
        match answer:
            case NotDone(SaleRejected(refusal)) if refusal in RECORDED_CODES:
                return await self._find(code, kind, read)
            case NotDone() | Unknown():
                return answer
            case Answer():
                return _read(answer, read)

    async def _find(
        self, code: str, kind: str, read: Callable[[bytes], Recorded]
    ) -> Done[Recorded] | NotDone[Rejection] | Unknown:
        """Return what the document that is there records; it has to be about the same."""
        path = _READ.format(self._company_code, code, kind)
        answer = await self._calls.ask("GET", path, "get_transaction", _RECORD_SECONDS)
        if not isinstance(answer, Answer):
            missing = answer == NotDone(SaleRejected(MISSING_CODE))
            return Unknown("the document was there a moment ago") if missing else answer
        try:
            return Done(read(answer.body))
        except AnotherDocument as error:
            _logger.warning("avatax.document_differs", extra={"document": code, "what": str(error)})
            return NotDone(SaleRejected("DocumentDiffers"))
        except Malformed as error:
            return _senseless(answer, error)

    def _today(self) -> date:
        return self._clock.now().date()


def _read(answer: Answer, read: Callable[[bytes], T]) -> Done[T] | Unknown:
    """Return what a successful answer says."""
    try:
        return Done(read(answer.body))
    except Malformed as error:
        return _senseless(answer, error)


def _senseless(answer: Answer, error: Malformed) -> Unknown:
    _logger.error("avatax.malformed", extra={"what": str(error), **context(answer)})
    return Unknown("an answer that makes no sense")
