"""The fault switches as a form: what a person chose, as the fault that it means."""

from collections.abc import Mapping
from typing import Any

from sandbox.faults import BadFault, Fault, FaultMode, fields_of, parse_fault

Json = dict[str, Any]

WHAT = {
    FaultMode.OUTAGE: "Cut off: connections break before anything happens",
    FaultMode.LATENCY: "Slow: the work starts late",
    FaultMode.ERROR: "Error: an error answer in the provider's own words",
    FaultMode.LOST_ANSWER: "Lost answer: the work is done, then the connection breaks",
    FaultMode.LATE_EXECUTION: "Late: the connection breaks at once, the work is done later",
}
"""What each fault does, for people."""

# An HTTP form says everything in text.
_WHOLE_NUMBERS = frozenset({"latency_ms", "delay_ms", "status", "times"})


def fault_of(form: Mapping[str, str], operations: frozenset[str]) -> Fault:
    """Return the fault that a form asks for; what belongs to other kinds of faults is not looked at.

    Raises:
        BadFault: Something that was filled in is wrong; it says which field.
    """
    mode = form.get("mode", "")
    document: Json = {"mode": mode}
    for name in ("operation", "times", "probability", *fields_of(mode)):
        text = form.get(name, "").strip()
        if text:
            document[name] = _value(name, text)
    return parse_fault(document, operations)


def described(shown: Json) -> str:
    """Return a fault that is set, in words: "outage, of mail.send only, in 50 of 100 calls, 3 more times"."""
    words = [str(shown["mode"]).replace("_", " ")]
    if "status" in shown:
        words.append(f"status {shown['status']}{', the work done' if shown['executed'] else ''}")
    words += [f"{shown[name]} ms" for name in ("latency_ms", "delay_ms") if name in shown]
    if "operation" in shown:
        words.append(f"of {shown['operation']} only")
    if shown["probability"] < 1:
        words.append(f"in {100 * shown['probability']:g} of 100 calls")
    if "times" in shown:
        words.append(f"{shown['times']} more times")
    return ", ".join(words)


def _value(name: str, text: str) -> object:
    try:
        if name in _WHOLE_NUMBERS:
            return int(text)
        if name == "probability":
            return float(text) / 100
    except ValueError:
        raise BadFault(f"{name}: must be a number") from None
    return text == "on" if name == "executed" else text
