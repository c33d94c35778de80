"""Writing a mail without sending or storing it."""

from dataclasses import replace

from kernel.clock import Clock
from notify_svc.app.ports import Writer
from notify_svc.domain.content import Details, Letter, OrderSummary
from notify_svc.domain.notification import Kind
from notify_svc.domain.sample import sample


class PreviewNotification:
    """Shows a mail as it would be sent.

    Args:
        writer: Writes it.
        clock: The time, from which the customer of the sample has a day to act.
    """

    def __init__(self, writer: Writer, clock: Clock) -> None:
        self._writer = writer
        self._clock = clock

    def __call__(self, kind: Kind, locale: str, order: OrderSummary | None, details: Details) -> tuple[Letter, str]:
        """Return the mail and the locale that it is written for; what is None is filled in from a sample."""
        written_for = self._writer.locale(locale)
        filled = sample(kind, written_for, self._clock.now(), order)
        given = Details(
            shipment=details.shipment or filled.details.shipment,
            refund=details.refund or filled.details.refund,
            payment=details.payment or filled.details.payment,
        )
        return self._writer.write(replace(filled, details=given)), written_for
