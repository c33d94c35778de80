"""The SDK's HTTP client on our connections: one line per operation, each with its time limit and its name in traces."""

from collections.abc import Mapping

import httpx
import stripe

from chassis import deadline
from chassis.http import HttpTransport

# Usage data about earlier requests, sent along with each: 15 % of what a call costs.
stripe.enable_telemetry = False

# Below this a request is not worth sending. It only matters to work without a caller, which starts with all its time.
_SHORTEST_SECONDS = 0.05


class StripeLine(stripe.HTTPClient):
    """One operation's way to Stripe.

    A request that gets no answer raises chassis.http.HttpError, which passes through the SDK as it is.

    Args:
        transport: The connections, shared by all operations.
        operation: What spans and metrics call it.
        seconds: What a call may take at most.
        spare_seconds: What is kept back of the caller's time, so that the outcome of a lost call can still be read.
    """

    name = "ordermesh"

    def __init__(self, transport: HttpTransport, operation: str, seconds: float, spare_seconds: float = 0.0) -> None:
        super().__init__()
        self._transport = transport
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
        seconds = deadline.remaining(self._seconds + self._spare_seconds) - self._spare_seconds
        answer = await self._transport.request(
            method.upper(),
            url,
            operation=self._operation,
            headers=headers,
            content=(post_data or "").encode(),
            timeout=max(seconds, _SHORTEST_SECONDS),
        )
        return answer.body, answer.status, httpx.Headers(list(answer.headers))
