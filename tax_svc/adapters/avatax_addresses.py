"""AvaTax's answers about an address → domain."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kernel.address import Address
from tax_svc.adapters.avatax_faults import ADDRESS_FIELDS
from tax_svc.adapters.avatax_json import read, refuse
from tax_svc.domain.resolution import Remark, Resolution, changes

# What messages refer to, besides the fields' own names. AvaTax counts the lines from 0 there.
_REFERRED = {
    **{name.casefold(): part for name, part in ADDRESS_FIELDS.items()},
    "line0": "line1",
    "line1": "line2",
    "zip": "postal_code",
}
_NOWHERE = Remark("", "cannot be placed; check street, city, state and postal code", is_error=True)

# A sentence for a person, not a page.
_LONGEST_MESSAGE = 200


def resolution(body: bytes, asked: Address) -> Resolution:
    """Return what an answer to resolve says.

    Raises:
        Malformed: It is none.
    """
    answer = read(body)
    said = tuple(_remark(message) for message in _list(answer, "messages"))
    if any(remark.is_error for remark in said):
        return Resolution(None, said)
    found = _list(answer, "validatedAddresses")
    if not found:
        return Resolution(None, (*said, _NOWHERE))
    resolved = _address(found[0], asked)
    return Resolution(resolved, (*said, *changes(asked, resolved)))


def _remark(message: Any) -> Remark:  # noqa: ANN401  (any JSON value)
    if not isinstance(message, dict):
        refuse("messages")
    refers_to = str(message.get("refersTo") or "").rpartition(".")[2].casefold()
    words = str(message.get("summary") or message.get("details") or "was remarked on")
    return Remark(_REFERRED.get(refers_to, ""), words[:_LONGEST_MESSAGE], message.get("severity") == "Error")


def _address(found: Any, asked: Address) -> Address:  # noqa: ANN401  (any JSON value)
    if not isinstance(found, dict):
        refuse("validatedAddresses")
    parts = {ours: _text(found, theirs) for theirs, ours in ADDRESS_FIELDS.items() if theirs != "line3"}
    parts["line2"] = ", ".join(filter(None, (parts["line2"], _text(found, "line3"))))
    return replace(asked, **parts)


def _text(found: Mapping[str, Any], name: str) -> str:
    value = found.get(name) or ""
    return value if isinstance(value, str) else refuse(name)


def _list(answer: Mapping[str, Any], name: str) -> list[Any]:
    value = answer.get(name) or []
    return value if isinstance(value, list) else refuse(name)
