"""Taking in SendGrid's events."""

from notify_svc.app.ports import EventDesk, Notifications


class IngestEvents:
    """Checks a batch of events, stores it and applies it.

    Stored and applied are one change, answered once it is durable: a batch that is not answered is delivered again by
    SendGrid, for a day.
    """

    def __init__(self, desk: EventDesk, notifications: Notifications) -> None:
        self._desk = desk
        self._notifications = notifications

    async def __call__(self, payload: bytes, signature: str, timestamp: str) -> tuple[int, int]:
        """Return how many events were new and how many had been taken in before.

        Raises:
            Refusal: SIGNATURE_INVALID, VALIDATION_FAILED, or UNAVAILABLE while the database is away.
        """
        events = self._desk.open(payload, signature, timestamp)
        accepted = await self._notifications.ingest(events)
        return accepted, len(events) - accepted
