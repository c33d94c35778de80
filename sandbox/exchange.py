"""What passes between the front door and a provider: one request in, one answer out, no ASGI in sight."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import orjson

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, read to its end."""

    method: str
    path: str
    """Path below the provider's prefix, such as `/v1/payment_intents`."""
    query: str
    headers: Mapping[str, str]
    """Header names in lower case."""
    body: bytes
    args: Mapping[str, str]
    """What the path template captured."""
    received: datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing a provider can do; the name is what faults are aimed at, such as `payment_intents.confirm`."""

    name: str
    method: str
    template: str
    """Path below the provider's prefix, with `{placeholders}`."""
    lists: bool = False
    """Whether it reads through an index, so that everything written before must be on disk first."""
    lever: bool = False
    """Whether it is the sandbox's own, not the provider's: it needs no key, and faults leave it alone."""


class Call(Protocol):
    """A request that the provider let in: known key, sound parameters. Nothing has happened yet."""

    def execute(self) -> Answer:
        """Do it and return the answer."""
        ...

    def fail(self, status: int, *, executed: bool) -> Answer:
        """Return the provider's own error for `status`, after doing it (`executed`) or instead."""
        ...


class Provider(Protocol):
    """A stand-in for one provider's API."""

    @property
    def name(self) -> str:
        """The prefix it lives under."""
        ...

    @property
    def operations(self) -> tuple[Operation, ...]:
        """What it can do."""
        ...

    @property
    def body_limit(self) -> int:
        """The largest request body in bytes; a longer one is refused with `too_large`."""
        ...

    def admit(self, operation: Operation, request: Request) -> Answer | Call:
        """Check key and parameters: a refusal in the provider's own words, or a call ready to run."""
        ...

    def unknown_route(self, request: Request, *, path_known: bool) -> Answer:
        """Answer a path or method that the provider does not have."""
        ...

    def too_large(self, request: Request) -> Answer:
        """Refuse a body over `body_limit`."""
        ...


def json_answer(status: int, document: object, headers: Mapping[str, str] | None = None) -> Answer:
    """Return an answer with a JSON body."""
    return Answer(status, orjson.dumps(document), {"content-type": JSON, **(headers or {})})


def parse_json(body: bytes) -> Any:  # noqa: ANN401  (JSON is any value until a schema has seen it)
    """Return the JSON value in `body`.

    Raises:
        ValueError: the body is not JSON, or not UTF-8.
    """
    return orjson.loads(body)
