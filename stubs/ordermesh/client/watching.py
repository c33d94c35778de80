"""Where a watch stands: what was seen, and whether to connect again."""

import time

from ordermesh.client.errors import OrdermeshError, Unavailable
from ordermesh.client.policy import Policy
from ordermesh.order.v1 import order_pb2, order_service_pb2


class Watch:
    """One watch over all of its connections."""

    def __init__(
        self, order_id: str, after_version: int, policy: Policy, *, until_final: bool, timeout: float | None
    ) -> None:
        self._request = order_service_pb2.WatchOrderRequest(
            order_id=order_id, after_version=after_version, until_final=until_final
        )
        self._policy = policy
        self._end = None if timeout is None else time.monotonic() + timeout
        self._failures = 0
        self._connected_at = self._lost_at = time.monotonic()

    def connect(self) -> tuple[order_service_pb2.WatchOrderRequest, float | None]:
        """Return what to ask for now, and the seconds that are left."""
        self._connected_at = time.monotonic()
        request = order_service_pb2.WatchOrderRequest()
        request.CopyFrom(self._request)
        return request, None if self._end is None else max(0.0, self._end - self._connected_at)

    def is_news(self, order: order_pb2.Order) -> bool:
        """Tell whether the caller has not seen this version yet, and take it for seen."""
        if order.version <= self._request.after_version:
            return False
        self._request.after_version = order.version
        self._failures = 0
        return True

    def pause_after(self, error: OrdermeshError) -> float | None:
        """Return the seconds to wait before connecting again, or None when the watch has failed."""
        if not isinstance(error, Unavailable):
            return None
        now = time.monotonic()
        # A connection that held longer than any pause was a good one, also when it had nothing to tell.
        if self._failures == 0 or now - self._connected_at > self._policy.longest_pause:
            self._failures, self._lost_at = 0, now
        self._failures += 1
        pause = self._policy.pause(self._failures, error.retry_after)
        if now + pause - self._lost_at > self._policy.watch_patience:
            return None
        return None if self._end is not None and now + pause >= self._end else pause
