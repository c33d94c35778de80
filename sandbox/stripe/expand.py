"""`expand[]`: ids replaced by the objects they name."""

from typing import Any

from sandbox.storage import Storage
from sandbox.stripe.books import public
from sandbox.stripe.errors import StripeError

Json = dict[str, Any]

_EXPANDABLE = {
    "payment_intent": {"customer": "customer", "latest_charge": "charge", "payment_method": "payment_method"},
    "charge": {"customer": "customer", "payment_intent": "payment_intent"},
    "dispute": {"charge": "charge", "payment_intent": "payment_intent"},
    "refund": {"charge": "charge", "payment_intent": "payment_intent"},
    "payment_method": {"customer": "customer"},
}
_MANY = ("list", "search")


def check_expand(operation: str, paths: list[str]) -> None:
    """Refuse paths that lead nowhere, before the operation begins.

    Raises:
        StripeError: naming the path.
    """
    resource, _, verb = operation.partition(".")
    for path in paths:
        kind, rest = resource.removesuffix("s"), path
        if verb in _MANY:
            if not path.startswith("data."):
                raise _not_expandable(path)
            rest = path.removeprefix("data.")
        for name in rest.split("."):
            if name not in _EXPANDABLE.get(kind, {}):
                raise _not_expandable(path)
            kind = _EXPANDABLE[kind][name]


def expand(storage: Storage, answer: Json, paths: list[str]) -> None:
    """Replace ids in an answer by objects, along paths that `check_expand` has let through."""
    for path in paths:
        if "data" in answer:
            for obj in answer["data"]:
                _expand(storage, obj, path.removeprefix("data."))
        else:
            _expand(storage, answer, path)


def _expand(storage: Storage, obj: Json, path: str) -> None:
    name, _, rest = path.partition(".")
    if isinstance(obj[name], str):
        found = storage.get(_EXPANDABLE[obj["object"]][name], obj[name])
        obj[name] = obj[name] if found is None else public(found)
    if rest and isinstance(obj[name], dict):
        _expand(storage, obj[name], rest)


def _not_expandable(path: str) -> StripeError:
    return StripeError(400, f"This property cannot be expanded ({path}).", param="expand", remembered=False)
