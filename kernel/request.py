"""The idempotency key of a command: the same words in every service that keeps keys."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Request:
    """The idempotency key of a command, and what was asked under it.

    Attributes:
        caller: Who asks; keys of two callers never meet.
        request_id: The key.
        fingerprint: SHA-256 of the request.
        customer_id: The customer who asks, for whom only what is their own exists; empty for everybody else.
    """

    caller: str
    request_id: str
    fingerprint: str
    customer_id: str = ""
