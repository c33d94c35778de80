"""The port `Poster` on HTTP, by the Standard Webhooks scheme."""

from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx
import orjson
from standardwebhooks import Webhook

from chassis.http import HttpError, NotSent
from chassis.http.client import HttpTransport
from kernel.clock import Clock
from kernel.outcome import Done, NotDone, Unknown
from order_svc.app.webhook_ports import Parcel
from order_svc.domain.webhook_delivery import Answer
from order_svc.domain.webhook_endpoint import Endpoint

# What the scheme recommends: receivers are told to store a message and answer, and some do their work first.
POST_SECONDS = 15.0

# Nothing of an answer but its status and headers is read; a body up to this leaves a connection that is used again.
MOST_ANSWER_BYTES = 16 * 1024

# Transports that are kept: all endpoints that there may be, and some whose address was changed a moment ago.
_MOST_TRANSPORTS = 128

# No longer wait is heeded anyway; and what is no finite number of seconds is no wait.
_LONGEST_SECONDS = 7 * 86_400
_MOST_DIGITS = 7

_HEADERS = {"content-type": "application/json", "accept-encoding": "identity", "user-agent": "ordermesh-webhooks"}

MakeTransport = Callable[[str], HttpTransport]
"""Returns what speaks to the origin of a URL."""


class HttpPoster:
    """Signs and posts messages. Redirects are never followed, and answers are read up to a bound.

    Args:
        make_transport: Makes what speaks to an endpoint; each endpoint has one of its own, so that one whose
            connections all hang holds up nobody else.
        clock: The time that is signed.
    """

    def __init__(self, make_transport: MakeTransport, clock: Clock) -> None:
        self._make_transport = make_transport
        self._clock = clock
        self._transports: OrderedDict[tuple[str, str], HttpTransport] = OrderedDict()

    async def post(self, parcel: Parcel) -> Done[Answer] | NotDone[str] | Unknown:
        """Post one message, signed with every secret that is valid now."""
        body = orjson.dumps(parcel.message.payload)
        headers = {**_HEADERS, **self._signed(parcel, body.decode())}
        target = httpx.URL(parcel.endpoint.url).raw_path.decode()
        transport = await self._transport(parcel.endpoint)
        try:
            answer = await transport.request("POST", target, operation="deliver", headers=headers, content=body)
        except NotSent as error:
            return NotDone(str(error))
        except HttpError as error:
            return Unknown(str(error))
        return Done(Answer(answer.status, self._asked_wait(answer.header(b"retry-after"))))

    async def aclose(self) -> None:
        """Drop all connections."""
        for transport in self._transports.values():
            await transport.aclose()

    def _signed(self, parcel: Parcel, body: str) -> dict[str, str]:
        now, message_id = self._clock.now(), parcel.message.message_id
        secrets = parcel.endpoint.signing(now)
        signatures = (Webhook(each.text).sign(message_id, now, body) for each in secrets)
        return {
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(signatures),
        }

    async def _transport(self, endpoint: Endpoint) -> HttpTransport:
        key = endpoint.endpoint_id, endpoint.url
        transport = self._transports.get(key)
        if transport is None:
            transport = self._transports[key] = self._make_transport(endpoint.url)
        self._transports.move_to_end(key)
        if len(self._transports) > _MOST_TRANSPORTS:
            _, unused = self._transports.popitem(last=False)
            await unused.aclose()
        return transport

    def _asked_wait(self, text: str) -> float | None:
        """Return the seconds that a Retry-After header asks for: it holds seconds or a moment."""
        if text.isdecimal() and text.isascii():
            return float(text) if len(text) <= _MOST_DIGITS else float(_LONGEST_SECONDS)
        try:
            moment: datetime = parsedate_to_datetime(text)
            aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
            return max(0.0, (aware - self._clock.now()).total_seconds())
        except (ValueError, OverflowError):  # no date, or one that no calendar has
            return None
