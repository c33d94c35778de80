"""Who makes the call being served. Idempotency keys and, later, rights hang on it."""

from contextvars import ContextVar

# As long as every port listens on loopback alone, whoever reaches it is the machine's own user.
LOCAL = "local"

_caller: ContextVar[str] = ContextVar("caller", default=LOCAL)


def current() -> str:
    """Return the name of the caller."""
    return _caller.get()


def set_current(name: str) -> None:
    """Name the caller of the call being served; the identity layer does this."""
    _caller.set(name)
