"""The SDK's HTTP client on our connections: one line per operation, each with its time limit and its name in traces."""

import logging
from collections.abc import Mapping

import stripe

from chassis import deadline
from chassis.breaker import Breaker
from chassis.http import HttpError, HttpTransport, Lost, NotSent

_logger = logging.getLogger(__name__)

# Usage data about earlier requests, sent along with each: 15 % of what a call costs.
stripe.enable_telemetry = False

# Below this a request is not worth sending. It only matters to work without a caller, which starts with all its time.
_SHORTEST_SECONDS = 0.05

# While Stripe is away five calls find out, then one asks after half a second, later every five. A charge waits longer
# than that (app/patience.py), and what became of a lost one can still be read while its caller waits.
BREAKER_FAILURES = 5
BREAKER_FIRST_SECONDS = 0.5
BREAKER_LONGEST_SECONDS = 5.0

_SERVER_ERROR = 500


class Resting(NotSent):
    """Not sent, because Stripe was away a moment ago.

    Attributes:
        seconds: After which another call may be let through.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__("Stripe was away a moment ago")
        self.seconds = seconds


class StripeLine(stripe.HTTPClient):
    """One operation's way to Stripe.

    A request that gets no answer raises chassis.http.HttpError, which passes through the SDK as it is.

    Args:
        transport: The connections, shared by all operations.
        breaker: Leaves Stripe alone while it is away; shared likewise.
        operation: What spans and metrics call it.
        seconds: What a call may take at most.
        spare_seconds: What is kept back of the caller's time, so that the outcome of a lost call can still be read.
    """

    name = "ordermesh"

    def __init__(
        self,
        transport: HttpTransport,
        breaker: Breaker,
        operation: str,
        seconds: float,
        spare_seconds: float = 0.0,
    ) -> None:
        super().__init__()
        self._transport = transport
        self._breaker = breaker
        self._operation = operation
        self._seconds = seconds
        self._spare_seconds = spare_seconds

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: str | None = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """Send a request and return body, status and headers of the answer.

        Raises:
            HttpError: There was none.
        """
        if not self._breaker.admit():
            raise Resting(self._breaker.wait_seconds())
        seconds = deadline.remaining(self._seconds + self._spare_seconds) - self._spare_seconds
        try:
            answer = await self._transport.request(
                method.upper(),
                url,
                operation=self._operation,
                headers=headers,
                content=(post_data or "").encode(),
                timeout=max(seconds, _SHORTEST_SECONDS),
            )
        except HttpError as error:
            # A caller in a hurry says nothing about Stripe, and neither does an answer that is too large.
            if isinstance(error, NotSent) or (isinstance(error, Lost) and seconds >= self._seconds):
                self._note(is_there=False)
            raise
        # A plain dict: the SDK looks for names in lower case as well, and only writes its logs if it finds others.
        answered = {name.decode("latin-1"): value.decode("latin-1") for name, value in answer.headers}
        # An error that is kept under an idempotency key is repeated however well Stripe is.
        self._note(is_there=answer.status < _SERVER_ERROR or answered.get("idempotent-replayed") == "true")
        return answer.body, answer.status, answered

    def _note(self, *, is_there: bool) -> None:
        """Tell the breaker, and the log when that opens or closes it."""
        was_closed = self._breaker.is_closed
        if is_there:
            self._breaker.succeeded()
        else:
            self._breaker.failed()
        if self._breaker.is_closed is not was_closed:
            _logger.warning("stripe.back" if is_there else "stripe.away", extra={"operation": self._operation})
