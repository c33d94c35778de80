"""Endpoints and messages, with values that a test may change one by one."""

import itertools
from dataclasses import replace
from typing import Any

from order_svc.domain.order import Stage, State
from order_svc.domain.webhook import Message, messages_of
from order_svc.domain.webhook_endpoint import Endpoint, SigningSecret
from tests.fakes.order_moves import IDS
from tests.fakes.order_samples import NOW, an_event, an_order

_VERSIONS = itertools.count(1)

# A minute, so that nothing happens by itself, and a lease that is over as soon as it is taken.
MINUTE = 60.0
OVER = -1.0


def a_secret(seed: int = 1) -> SigningSecret:
    return SigningSecret.of(IDS.new(), bytes([seed]) * 32)


def an_endpoint(*event_types: str, **changes: Any) -> Endpoint:  # noqa: ANN401  (fields of Endpoint)
    endpoint = Endpoint(
        endpoint_id=IDS.new(),
        url="http://127.0.0.1:1/hooks",
        event_types=event_types,
        description="the shop's books",
        secrets=(a_secret(),),
        disabled=False,
        created_at=NOW,
    )
    return replace(endpoint, **changes)


def a_message(kind: str = "payment.charged", **changes: Any) -> Message:  # noqa: ANN401  (fields of Message)
    """Return what is told of a journal entry of the kind, each time of another version of the order."""
    order = an_order(Stage.SETTLED, state=State.PAID, version=next(_VERSIONS))
    (message,) = messages_of(order, an_event(order, kind))
    return replace(message, **changes)
