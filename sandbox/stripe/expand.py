"""`expand[]`: ids replaced by the objects they name."""

from typing import Any

from sandbox.storage import Storage
from sandbox.stripe.books import public
from sandbox.stripe.errors import StripeError

Json = dict[str, Any]

_EXPANDABLE = {
    "payment_intent": {"customer": "customer", "latest_charge": "charge", "payment_method": "payment_method"},
    "charge": {"customer": "customer", "payment_intent": "payment_intent"},
    "refund": {"charge": "charge", "payment_intent": "payment_intent"},
    "payment_method": {"customer": "customer"},
}


def expand(storage: Storage, answer: Json, paths: list[str]) -> None:
    """Replace ids in an answer; in lists the paths begin with `data.`.

    Raises:
        StripeError: a path leads nowhere.
    """
    for path in paths:
        if answer["object"] in {"list", "search_result"}:
            if not path.startswith("data."):
                raise _not_expandable(path)
            for obj in answer["data"]:
                _expand(storage, obj, path.removeprefix("data."), path)
        else:
            _expand(storage, answer, path, path)


def _expand(storage: Storage, obj: Json, path: str, whole: str) -> None:
    name, _, rest = path.partition(".")
    kind = _EXPANDABLE.get(obj["object"], {}).get(name)
    if kind is None:
        raise _not_expandable(whole)
    if isinstance(obj[name], str):
        found = storage.get(kind, obj[name])
        obj[name] = obj[name] if found is None else public(found)
    if rest and isinstance(obj[name], dict):
        _expand(storage, obj[name], rest, whole)


def _not_expandable(path: str) -> StripeError:
    return StripeError(400, f"This property cannot be expanded ({path}).", param="expand", remembered=False)
