"""The way to AvaTax: its address and account, the time that a call may take, and the breaker in front of it."""

import base64
import logging
from dataclasses import dataclass

from chassis import deadline
from chassis.breaker import Breaker
from chassis.config import Secret
from chassis.http import Answer, HttpClient, HttpError, Lost
from kernel.address import Address
from kernel.outcome import NotDone, Unknown
from tax_svc.adapters.avatax_faults import Failing, Fault, Misconfigured, fault
from tax_svc.app.ports import AddressRejected, Rejection, SaleRejected

_logger = logging.getLogger(__name__)

# A buyer waits for a quote. AvaTax's own times are 4 to 50 ms; what takes this long is not going to come.
QUOTE_SECONDS = 3.0

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


class Calls:
    """Asks AvaTax, and says what came of it.

    Args:
        client: Of AvaTax's base address, with the account's headers.
        breaker: Keeps an outage from costing every order its timeout.
        quote_seconds: How long a quote may take: what is quicker to be given up says nothing about AvaTax.
    """

    def __init__(self, client: HttpClient, breaker: Breaker, quote_seconds: float) -> None:
        self._client = client
        self._breaker = breaker
        self._quote_seconds = quote_seconds

    async def ask(
        self, method: str, path: str, operation: str, at_most: float, body: bytes = b""
    ) -> Answer | NotDone[Rejection] | Unknown:
        """Return a successful answer, or what came of the call instead."""
        answer = await self.send(method, path, operation, at_most, body)
        return answer if isinstance(answer, Unknown) else self._judge(answer)

    async def send(self, method: str, path: str, operation: str, at_most: float, body: bytes = b"") -> Answer | Unknown:
        """Return any answer; nothing is sent while AvaTax is away or when the caller has no time left."""
        if not self._breaker.admit():
            return Unknown("AvaTax was away a moment ago", self._breaker.wait_seconds())
        seconds = deadline.remaining(at_most + _KEPT_BACK_SECONDS) - _KEPT_BACK_SECONDS
        if seconds <= 0:
            return Unknown("no time was left to ask AvaTax")
        try:
            return await self._client.request(method, path, operation=operation, content=body, timeout=seconds)
        except HttpError as error:
            # A caller in a hurry says nothing about AvaTax.
            if not isinstance(error, Lost) or seconds >= self._quote_seconds:
                self._breaker.failed()
            return Unknown(str(error))

    def _judge(self, answer: Answer) -> Answer | NotDone[Rejection] | Unknown:
        """Tell the breaker how it went, and say what the answer means unless it is a success."""
        meaning = meaning_of(answer)
        match meaning:
            case None:
                self.succeeded()
                return answer
            case AddressRejected() | SaleRejected():
                self.succeeded()
                return NotDone(meaning)
            case Misconfigured(code):
                _logger.error("avatax.misconfigured", extra={"code": code, **context(answer)})
            case Failing():
                pass
        return self.failing(answer)

    def failing(self, answer: Answer) -> Unknown:
        """Tell the breaker that AvaTax is in trouble, or not to be used."""
        wait = _retry_after(answer)
        self._breaker.failed(wait)
        return Unknown(f"http {answer.status}", wait)

    def succeeded(self) -> None:
        """Tell the breaker that AvaTax is there."""
        self._breaker.succeeded()


def meaning_of(answer: Answer) -> Fault | None:
    """Return what an answer means; None for a success."""
    return None if answer.status in _SUCCESS else fault(answer.status, answer.body)


def context(answer: Answer) -> dict[str, object]:
    """Return what Avalara's support asks for."""
    return {"status": answer.status, "correlation_id": answer.header(b"x-correlation-id")}


def _retry_after(answer: Answer) -> float | None:
    value = answer.header(b"retry-after")
    return min(float(value), _LONGEST_HEEDED_SECONDS) if value.isdecimal() else None
