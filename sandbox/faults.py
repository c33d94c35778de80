"""Faults on demand: what should go wrong, where, how often."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from sandbox.tokens import Tokens

PROVIDERS = ("stripe", "avatax", "sendgrid")

_MAX_DELAY_MS = 600_000  # ten minutes: longer than any deadline worth testing
_DEFAULT_LATENCY_MS = 1_000
_DEFAULT_EXECUTION_DELAY_MS = 1_000


class FaultMode(StrEnum):
    """What goes wrong."""

    OUTAGE = "outage"
    """The connection is cut before anything happens."""
    LATENCY = "latency"
    """The work starts `latency_ms` late; the answer is right."""
    ERROR = "error"
    """An error answer, the work done (`executed`) or not."""
    LOST_ANSWER = "lost_answer"
    """The work is done, then the connection is cut."""
    LATE_EXECUTION = "late_execution"
    """The connection is cut at once, the work is done `delay_ms` later."""


class BadFault(ValueError):
    """The description of a fault makes no sense; the message says why."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault, set for one provider."""

    mode: FaultMode
    operation: str | None = None
    """Only this operation, such as `payment_intents.confirm`; None means every one."""
    probability: float = 1.0
    times: int | None = None
    """How many more hits before it disappears; None means until it is deleted."""
    latency_ms: int = _DEFAULT_LATENCY_MS
    delay_ms: int = _DEFAULT_EXECUTION_DELAY_MS
    status: int = 500
    executed: bool = False

    def describe(self) -> dict[str, Any]:
        """Return it as it would be set over HTTP."""
        shown: dict[str, Any] = {"mode": self.mode.value, "probability": self.probability}
        if self.operation is not None:
            shown["operation"] = self.operation
        if self.times is not None:
            shown["times"] = self.times
        for field in _FIELDS_OF_MODE[self.mode]:
            shown[field] = getattr(self, field)
        return shown


_FIELDS_OF_MODE: Mapping[FaultMode, tuple[str, ...]] = {
    FaultMode.OUTAGE: (),
    FaultMode.LATENCY: ("latency_ms",),
    FaultMode.ERROR: ("status", "executed"),
    FaultMode.LOST_ANSWER: (),
    FaultMode.LATE_EXECUTION: ("delay_ms",),
}
_COMMON_FIELDS = ("mode", "operation", "probability", "times")


def fields_of(mode: str) -> tuple[str, ...]:
    """Return the fields that only this kind of fault has; none for a mode that there is not."""
    return _FIELDS_OF_MODE[FaultMode(mode)] if mode in set(FaultMode) else ()


class FaultBoard:
    """The faults that are set: at most one per provider and operation, and one for the whole provider."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._faults: dict[str, dict[str | None, Fault]] = {name: {} for name in PROVIDERS}

    def set(self, provider: str, fault: Fault) -> None:
        """Set a fault; it replaces the one with the same aim."""
        self._faults[provider][fault.operation] = fault

    def clear(self, provider: str | None = None) -> None:
        """Remove a provider's faults, or all."""
        for name in PROVIDERS if provider is None else (provider,):
            self._faults[name].clear()

    def describe(self) -> dict[str, list[dict[str, Any]]]:
        """Return the faults that are set, by provider."""
        return {name: [fault.describe() for fault in faults.values()] for name, faults in self._faults.items()}

    def strike(self, provider: str, operation: str) -> Fault | None:
        """Return the fault that hits this call, counting it, or None. A fault aimed at the operation goes first."""
        faults = self._faults[provider]
        if not faults:
            return None
        for aim in (operation, None):
            fault = faults.get(aim)
            if fault is not None and self._tokens.chance() < fault.probability:
                self._count(provider, fault)
                return fault
        return None

    def _count(self, provider: str, fault: Fault) -> None:
        if fault.times is None:
            return
        if fault.times > 1:
            self._faults[provider][fault.operation] = replace(fault, times=fault.times - 1)
        else:
            del self._faults[provider][fault.operation]


def parse_fault(document: object, operations: frozenset[str]) -> Fault:
    """Return the fault that a request body describes.

    Raises:
        BadFault: naming every field that is wrong.
    """
    if not isinstance(document, dict):
        raise BadFault('a fault is a JSON object such as {"mode": "outage"}')
    try:
        mode = FaultMode(str(document.get("mode")))
    except ValueError:
        modes = ", ".join(FaultMode)
        raise BadFault(f"mode: must be one of {modes}") from None
    complaints = [
        f"{name}: not a field of {mode} faults"
        for name in document
        if name not in (*_COMMON_FIELDS, *_FIELDS_OF_MODE[mode])
    ]
    for name, value in document.items():
        complaint = _complaint(name, value, operations)
        if complaint:
            complaints.append(f"{name}: {complaint}")
    if complaints:
        raise BadFault("; ".join(complaints))
    return Fault(**{**document, "mode": mode})


def _complaint(name: str, value: object, operations: frozenset[str]) -> str | None:
    match name:
        case "operation":
            return _operation_complaint(value, operations)
        case "probability":
            number = isinstance(value, int | float) and not isinstance(value, bool)
            return None if number and 0 < value <= 1 else "must be a number over 0 and at most 1"  # type: ignore[operator]  # `number` says it compares
        case "times":
            return _range_complaint(value, 1, 1_000_000)
        case "latency_ms" | "delay_ms":
            return _range_complaint(value, 0, _MAX_DELAY_MS)
        case "status":
            return _range_complaint(value, 400, 599)
        case "executed":
            return None if isinstance(value, bool) else "must be true or false"
        case _:
            return None


def _operation_complaint(value: object, operations: frozenset[str]) -> str | None:
    if value is None or value in operations:
        return None
    return f"must be one of {', '.join(sorted(operations))}"


def _range_complaint(value: object, lowest: int, highest: int) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool) and lowest <= value <= highest:
        return None
    return f"must be a whole number from {lowest} to {highest}"
