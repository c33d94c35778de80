"""Reading the environment: every complaint at once, every secret in a type that cannot be printed."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from urllib.parse import urlsplit

from chassis.limits import Limits
from chassis.redaction import redact

_HIGHEST_PORT = 65_535


class ConfigError(Exception):
    """The environment does not make sense; the message lists every complaint."""


class Secret:
    """A value that no log, traceback or repr shows."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value itself; the only way to it."""
        return self._value

    def __bool__(self) -> bool:
        """Say whether there is a value at all."""
        return bool(self._value)

    def __repr__(self) -> str:
        """Return stars."""
        return "Secret('***')"

    __str__ = __repr__


class Environment:
    """Reads typed values out of environment variables and collects what is wrong with them.

    Call `check` once everything was read: it raises with all complaints together, so that an operator mends them in one
    go.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self._complaints: list[str] = []

    def text(self, name: str, default: str) -> str:
        """Return the variable, or the default where it is unset or empty."""
        # The default is handed over as well: `ordermesh settings` reads it there.
        return self._values.get(name, default) or default

    def secret(self, name: str, default: str = "") -> Secret:
        """Return the variable as a secret."""
        return Secret(self.text(name, default))

    def path(self, name: str, default: str) -> Path:
        """Return the variable as an absolute path."""
        return Path(self.text(name, default)).expanduser().absolute()

    def address(self, name: str, default: str) -> str:
        """Return a "host:port" to listen on or to call; a gRPC name such as "dns:///order:50051" passes as it is.

        So does an empty default, which means nowhere.
        """
        value = self.text(name, default)
        if not value or "://" in value or value.startswith("unix:"):
            return value
        host, _, port = value.rpartition(":")
        if not host or not port.isdigit() or int(port) > _HIGHEST_PORT:
            self.complain(name, f"{value!r} is not host:port")
        return value

    def url(self, name: str, default: str) -> str:
        """Return an http or https URL without a trailing slash."""
        value = self.text(name, default).rstrip("/")
        parts = urlsplit(value)
        if value and (parts.scheme not in {"http", "https"} or not parts.netloc):
            self.complain(name, f"{value!r} is not an http(s) URL")
        return value

    def decimal(self, name: str, default: str, *, low: str, high: str) -> Decimal:
        """Return a decimal number within the bounds, both included."""
        value = self.text(name, default)
        try:
            number = Decimal(value)
        except InvalidOperation:
            self.complain(name, f"{value!r} is not a number")
            return Decimal(default)
        if not number.is_finite() or not Decimal(low) <= number <= Decimal(high):
            self.complain(name, f"{value} is not between {low} and {high}")
        return number

    def seconds(self, name: str, default: str, *, low: str = "0.001", high: str = "31536000") -> float:
        """Return a duration in seconds."""
        return float(self.decimal(name, default, low=low, high=high))

    def limits(self) -> Limits:
        """Return what the process takes on at most."""
        return Limits(
            in_flight=int(self.decimal("ORDERMESH_MAX_IN_FLIGHT", "256", low="4", high="100000")),
            # 0 leaves it open.
            calls_per_second=float(self.decimal("ORDERMESH_CALLS_PER_SECOND", "0", low="0", high="1000000")),
        )

    def worker(self) -> int:
        """Return which of the processes this is that share one address; 0 for one that has it for itself."""
        return int(self.decimal("ORDERMESH_WORKER", "0", low="0", high="1000"))

    def complain(self, name: str, what: str) -> None:
        """Note that a variable is wrong; a secret in it, in a URL for instance, is not shown."""
        self._complaints.append(f"{name}: {redact(what)}")

    def is_wrong(self, name: str) -> bool:
        """Return whether there is a complaint about the variable already; one mistake is told once."""
        return any(complaint.startswith(f"{name}: ") for complaint in self._complaints)

    def check(self) -> None:
        """Raise when anything was wrong.

        Raises:
            ConfigError: Lists every complaint, one a line.
        """
        if self._complaints:
            raise ConfigError("The environment is not usable:\n  " + "\n  ".join(self._complaints))
