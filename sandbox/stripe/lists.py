"""Stripe's lists: newest first, a page at a time, and the little query language of search."""

import re
from collections.abc import Callable
from typing import Any

from kernel.clock import Clock
from sandbox.storage import OF_ORDER, Storage
from sandbox.stripe.books import Context, public
from sandbox.stripe.errors import StripeError, bad_parameter, missing_object

Json = dict[str, Any]

_MAX_LIMIT = 100
_DEFAULT_LIMIT = 10
SEARCH_LAG_SECONDS = 2
"""Search at Stripe lags behind writes, as a rule under a minute; this much catches whoever reads his own writes."""

_CLAUSE = re.compile(
    r"""\s*(-?)(metadata\[["'](?P<key>[^"']+)["']\]|(?P<field>\w+))\s*(?P<op>:|~|>=|<=|>|<)\s*"""
    r"""("(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<bare>null|\d+))\s*"""
)
_SEARCH_FIELDS = {"amount", "created", "currency", "customer", "status"}
_COMPARE: dict[str, Callable[[int, int], bool]] = {
    ">": lambda have, want: have > want,
    ">=": lambda have, want: have >= want,
    "<": lambda have, want: have < want,
    "<=": lambda have, want: have <= want,
    ":": lambda have, want: have == want,
}


class Lists:
    """The operations that answer with many objects."""

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock

    def payment_intents(self, params: Json, args: Json, context: Context) -> Json:
        """GET /v1/payment_intents."""
        return self._page("payment_intent", params, params.get("customer"), "/v1/payment_intents")

    def refunds(self, params: Json, args: Json, context: Context) -> Json:
        """GET /v1/refunds."""
        return self._page("refund", params, self._intent(params), "/v1/refunds")

    def disputes(self, params: Json, args: Json, context: Context) -> Json:
        """GET /v1/disputes."""
        return self._page("dispute", params, self._intent(params), "/v1/disputes")

    def _intent(self, params: Json) -> str | None:
        """Return the intent whose objects are wanted, named by itself or by its charge; None for all."""
        intent_id: str | None = params.get("payment_intent")
        if params.get("charge") is not None:
            charge = self._storage.get("charge", params["charge"])
            if charge is None:
                raise missing_object("charge", params["charge"], "charge", status=404)
            intent_id = charge["payment_intent"]
        return intent_id

    def events(self, params: Json, args: Json, context: Context) -> Json:
        """GET /v1/events."""
        return self._page("event", params, params.get("type"), "/v1/events", parents=params.get("types"))

    def search_payment_intents(self, params: Json, args: Json, context: Context) -> Json:
        """GET /v1/payment_intents/search."""
        limit = _limit(params)
        wanted = _matcher(params["query"])
        horizon = int(self._clock.now().timestamp()) - SEARCH_LAG_SECONDS
        where, values = "kind = 'payment_intent' AND created <= ?", [str(horizon)]
        order = re.search(r"""metadata\[["']order_id["']\]\s*:\s*["']([^"']*)["']""", params["query"])
        if order and " OR " not in params["query"].upper():
            where, values = f"{where} AND {OF_ORDER}", [*values, order[1]]
        if params.get("page"):
            where, values = f"{where} AND seq < ?", [*values, params["page"]]
        found = [obj for obj in self._storage.select(f"{where} ORDER BY seq DESC", values) if wanted(obj)]
        page = found[:limit]
        more = len(found) > limit
        next_page = str(self._storage.seq_of("payment_intent", page[-1]["id"])) if more else None
        return {
            "object": "search_result",
            "data": [public(obj) for obj in page],
            "has_more": more,
            "next_page": next_page,
            "url": "/v1/payment_intents/search",
        }

    def _page(self, kind: str, params: Json, parent: str | None, url: str, *, parents: list[str] | None = None) -> Json:
        limit = _limit(params)
        where, values = "kind = ?", [kind]
        wanted = [parent] if parent is not None else parents or []
        if wanted:
            where += f" AND parent IN ({', '.join('?' * len(wanted))})"
            values.extend(wanted)
        for sign, moment in _created(params.get("created")):
            where += f" AND created {sign} ?"
            values.append(moment)
        backward = "ending_before" in params
        cursor = params.get("ending_before", params.get("starting_after"))
        if cursor is not None:
            seq = self._storage.seq_of(kind, cursor)
            if seq is None:
                raise missing_object(kind, cursor, "ending_before" if backward else "starting_after", status=400)
            where += f" AND seq {'>' if backward else '<'} ?"
            values.append(str(seq))
        direction = "ASC" if backward else "DESC"
        found = self._storage.select(f"{where} ORDER BY seq {direction}", values, limit=limit + 1)
        page = found[:limit]
        if backward:
            page.reverse()
        return {
            "object": "list",
            "data": [public(obj) for obj in page],
            "has_more": len(found) > limit,
            "url": url,
        }


def _limit(params: Json) -> int:
    limit: int = params.get("limit", _DEFAULT_LIMIT)
    if limit < 1:
        raise bad_parameter("This value must be greater than or equal to 1.", "limit", "parameter_invalid_integer")
    if limit > _MAX_LIMIT:
        raise bad_parameter("This value must be less than or equal to 100.", "limit", "parameter_invalid_integer")
    return limit


def _created(given: Json | int | None) -> list[tuple[str, str]]:
    if given is None:
        return []
    if isinstance(given, int):
        return [("=", str(given))]
    signs = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
    return [(signs[name], str(moment)) for name, moment in given.items()]


def _matcher(query: str) -> Callable[[Json], bool]:
    """Return a test for objects.

    Raises:
        StripeError: the query is not one that search understands.
    """
    either = bool(re.search(r"\sOR\s", query, re.IGNORECASE))
    if either and re.search(r"\sAND\s", query, re.IGNORECASE):
        raise StripeError(400, "You cannot combine AND and OR in a search query.", param="query", remembered=False)
    parts = re.split(r"\s+(?:AND|OR)\s+", query.strip(), flags=re.IGNORECASE)
    clauses = [_clause(part) for part in parts]
    return lambda obj: any(one(obj) for one in clauses) if either else all(one(obj) for one in clauses)


def _clause(text: str) -> Callable[[Json], bool]:
    match = _CLAUSE.fullmatch(text)
    if match is None or (match["field"] and match["field"] not in _SEARCH_FIELDS):
        message = f"We were unable to parse your search query: {text.strip()}"
        raise StripeError(400, message, param="query", remembered=False)
    negated = match[1] == "-"
    want = match["double"] if match["double"] is not None else match["single"]
    want = match["bare"] if want is None else want

    def holds(obj: Json) -> bool:
        have = obj["metadata"].get(match["key"]) if match["key"] else obj[match["field"]]
        if match["bare"] == "null":
            return (have is None) != negated
        if isinstance(have, int):
            return want.isdecimal() and _COMPARE.get(match["op"], _COMPARE[":"])(have, int(want)) != negated
        same = have is not None and (want in have if match["op"] == "~" else have.lower() == want.lower())
        return same != negated

    return holds
