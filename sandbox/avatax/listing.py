"""AvaTax's list of a company's documents: filtered, a page at a time, without their lines."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from kernel.clock import Clock
from sandbox.avatax.documents import KIND
from sandbox.avatax.errors import AvataxError
from sandbox.storage import Storage

Json = dict[str, Any]

_MAX_TOP = 1000
# What AvaTax looks at when a filter says nothing about dates.
_DEFAULT_SPAN = timedelta(days=30)

_FIELDS = ("id", "code", "status", "type", "date")
_SIGNS = {"eq": "=", "ne": "<>", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}
_VALUE = r"'[^']*'|-?\d+"
_CLAUSE = re.compile(
    rf"\s*(?P<field>\w+)\s+(?:(?P<sign>{'|'.join(_SIGNS)})\s+(?P<value>{_VALUE})"
    rf"|between\s+(?P<low>{_VALUE})\s+and\s+(?P<high>{_VALUE}))\s*(?:\band\b|$)",
    re.IGNORECASE,
)
_ORDER = re.compile(r"(?P<field>\w+)(?:\s+(?P<direction>asc|desc))?", re.IGNORECASE)
# Shown only to those who ask with $include.
_PARTS = frozenset({"lines", "addresses", "locationTypes", "summary"})


class Listing:
    """GET /api/v2/companies/{company}/transactions."""

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock

    def page(self, company: str, query: Json) -> Json:
        """Return one page, and the link to the next when there is one.

        Args:
            company: Its code.
            query: filter, orderby, top, skip and include, without their dollars.

        Raises:
            AvataxError: the filter, the order or a number cannot be read.
        """
        top, skip = _number(query, "top", _MAX_TOP) or _MAX_TOP, _number(query, "skip", 2**31)
        # ";" is the character after ":", so that the index over parents finds one company's documents.
        where, values = "kind = ? AND parent >= ? AND parent < ?", [KIND, f"{company}:".lower(), f"{company};".lower()]
        conditions = list(_conditions(query.get("filter", "")))
        if not any(field == "date" for field, _, _ in conditions):
            earliest = (self._clock.now() - _DEFAULT_SPAN).date().isoformat()
            conditions.append(("date", ">=", earliest))
        for field, sign, value in conditions:
            where += f" AND {_column(field)} {sign} ?"
            values.append(value)
        found = self._storage.select(f"{where} ORDER BY {_order(query)}", values, limit=top, skip=skip)
        total = self._storage.count(where, values)
        whole = bool(query.get("include"))
        page: Json = {"@recordsetCount": total, "value": [_shown(document, whole=whole) for document in found]}
        if skip + top < total:
            page["@nextLink"] = _link(company, {**query, "top": str(top), "skip": str(skip + top)})
        return page


def _conditions(text: str) -> Iterator[tuple[str, str, Any]]:
    place = 0
    while place < len(text.rstrip()):
        clause = _CLAUSE.match(text, place)
        if clause is None:
            message = f"The filter could not be understood at '{text[place:]}'."
            raise AvataxError(400, "ParserSyntaxError", message, target="IncorrectData")
        field = _field(clause["field"])
        if clause["sign"]:
            yield field, _SIGNS[clause["sign"].lower()], _value(clause["value"])
        else:
            yield field, ">=", _value(clause["low"])
            yield field, "<=", _value(clause["high"])
        place = clause.end()


def _order(query: Json) -> str:
    order = _ORDER.fullmatch(query.get("orderby", "id"))
    if order is None:
        message = "The sort order could not be understood."
        raise AvataxError(400, "ParserSyntaxError", message, target="IncorrectData")
    return f"{_column(_field(order['field']))} {order['direction'] or 'asc'}"


def _field(name: str) -> str:
    if name.lower() not in _FIELDS:
        message = f"The field '{name}' cannot be filtered or sorted by."
        raise AvataxError(400, "ParserFieldNameError", message, target="IncorrectData")
    return name.lower()


def _column(field: str) -> str:
    return f"json_extract(CAST(body AS TEXT), '$.{field}')"


def _value(text: str) -> str | int:
    return text[1:-1] if text.startswith("'") else int(text)


def _number(query: Json, name: str, largest: int) -> int:
    text = query.get(name, "0")
    if not text.isdecimal() or int(text) > largest:
        message = f"The value of '${name}' must be between 0 and {largest}."
        raise AvataxError(400, "RangeError", message, target="IncorrectData")
    return int(text)


def _shown(document: Json, *, whole: bool) -> Json:
    hidden = frozenset() if whole else _PARTS
    return {name: value for name, value in document.items() if name[0] != "_" and name not in hidden}


def _link(company: str, query: Json) -> str:
    return f"/api/v2/companies/{company}/transactions?{urlencode({f'${name}': query[name] for name in query})}"
