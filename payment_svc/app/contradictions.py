"""What a contradiction becomes: one line in the log for operators, and a refusal that every caller understands."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from kernel.errors import Reason, Refusal
from payment_svc.domain.errors import Contradiction

_logger = logging.getLogger(__name__)


@contextmanager
def telling_contradictions(order_id: str) -> Iterator[None]:
    """Turn a contradiction about an order's payment into its refusal, and log it: here, and nowhere else.

    Raises:
        Refusal: PROVIDER_CONTRADICTS.
    """
    try:
        yield
    except Contradiction as contradiction:
        _logger.error(  # noqa: TRY400  (expected to happen; a stack says nothing more)
            "payment.contradiction", extra={"order_id": order_id, "contradiction": str(contradiction)}
        )
        raise Refusal(
            Reason.PROVIDER_CONTRADICTS,
            "Stripe's record of this payment differs from ours. Nothing is done by itself; a person has to look.",
            metadata={"orderId": order_id},
        ) from contradiction
