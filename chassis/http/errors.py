"""The three ways in which an HTTP request ends without an answer. They tell money that moved from money that did not.

    HttpError
    ├── NotSent    no byte of the request left this process: it had no effect
    ├── Lost       at least one byte was handed over and no whole answer came back: the effect is unknown
    └── TooLarge   the answer began and is bigger than we read: the effect is unknown too, and repeating will not help

There is no fourth: whoever catches these has met every failure of the network. A cancelled request raises
CancelledError, and its effect is as unknown as that of a lost one.
"""

from typing import ClassVar


class HttpError(Exception):
    """A request without an answer. The message is fixed words: no URL, no header, no body.

    Attributes:
        outcome: What became of it, as metrics and spans call it.
    """

    outcome: ClassVar[str]


class NotSent(HttpError):
    """Certainly not sent: refused connection, unknown host, failed TLS handshake, no free connection in time."""

    outcome = "not_sent"


class Lost(HttpError):
    """Sent, at least in part, and not wholly answered: time ran out, the connection broke, or it was not HTTP."""

    outcome = "lost"


class TooLarge(HttpError):
    """The answer is bigger than the client's bound."""

    outcome = "too_large"
