"""Which RPC answers which request: the routes that google.api.http annotations ask for, and the search for one."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from google.api import http_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor

from gateway import templates, wellknown
from gateway.contract import Contract, ContractError, has_side_effects, http_rule
from gateway.templates import ONE, REST, Template

REQUEST_ID = "request_id"
_WHOLE = "*"
# Areas of the contract that the service of another area serves as well.
_HOSTED_BY = {"webhook": "order"}


@dataclass(frozen=True, slots=True)
class Route:
    """One way for HTTP to reach an RPC.

    Attributes:
        http_method: "GET", "POST" …
        template: The path.
        method: The RPC.
        body: The request's field that the body becomes; "*" for the whole request, empty when no body is taken.
        response_body: The answer's field that becomes the body; empty for the whole answer.
        needs_key: Whether the Idempotency-Key header is required; it becomes `request_id`.
        location: Where an object that the call creates can be read; None unless the call creates one.
    """

    http_method: str
    template: Template
    method: MethodDescriptor
    body: str
    response_body: str
    needs_key: bool
    location: Template | None = None

    @property
    def name(self) -> str:
        """Return what spans and logs call the route: "GET /api/v1/orders/{order_id}"."""
        return f"{self.http_method} {self.template.text}"

    @property
    def answered(self) -> Descriptor | None:
        """Return the type of the answer's body; None when that is not a message."""
        output = self.method.output_type
        if not self.response_body:
            return output
        return output.fields_by_name[self.response_body].message_type

    def bound_by_path(self) -> frozenset[str]:
        """Return the field paths that the URL's path gives."""
        return frozenset(variable.field for variable in self.template.variables)


@dataclass(slots=True)
class _Node:
    """What may follow the same beginning of a path."""

    children: dict[str, "_Node"] = field(default_factory=dict)
    routes: dict[str, dict[str, Route]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Match:
    """What a path leads to.

    Attributes:
        routes: The routes by HTTP method; empty when the path leads nowhere.
        segments: The path's segments, still percent-encoded, without the verb.
    """

    routes: Mapping[str, Route]
    segments: Sequence[str]

    def route(self, http_method: str) -> Route | None:
        """Return the route for a method; HEAD is GET without the body, where there is an end to wait for."""
        route = self.routes.get(http_method)
        if route is None and http_method == "HEAD":
            read = self.routes.get("GET")
            return None if read is None or read.method.server_streaming else read
        return route

    def allowed(self) -> list[str]:
        """Return the HTTP methods that the path answers to."""
        head = ("HEAD",) if self.route("HEAD") is not None else ()
        return sorted({*self.routes, *head, "OPTIONS"})


class RouteTable:
    """All routes, as a tree over the segments of their paths: literals win over "*", "*" over "**"."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._root = _Node()
        self._verbs = {""}
        self.routes = tuple(routes)
        for route in self.routes:
            self._add(route)
        # Where orders are placed, among others: no need to walk the tree for those.
        fixed = {route.template.fill({}) for route in self.routes if not route.template.variables}
        self._fixed = {path: self._search(path) for path in fixed}

    def match(self, raw_path: str) -> Match:
        """Return what the path, still percent-encoded, leads to."""
        return self._fixed.get(raw_path) or self._search(raw_path)

    def _search(self, raw_path: str) -> Match:
        path, colon, verb = raw_path.rpartition(":")
        if not colon or verb not in self._verbs or "/" in verb:
            # A colon that no verb follows belongs to the value.
            path, verb = raw_path, ""
        segments = path.split("/")[1:]
        routes: dict[str, Route] = {}
        for node in _walk(self._root, segments, 0):
            for http_method, route in node.routes.get(verb, {}).items():
                routes.setdefault(http_method, route)
        return Match(routes, segments)

    def _add(self, route: Route) -> None:
        node = self._root
        for segment in route.template.segments:
            node = node.children.setdefault(segment, _Node())
        taken = node.routes.setdefault(route.template.verb, {}).setdefault(route.http_method, route)
        if taken is not route:
            raise ContractError(f"{route.name} is bound to both {taken.method.full_name} and {route.method.full_name}")
        self._verbs.add(route.template.verb)


def _walk(node: _Node, segments: Sequence[str], depth: int) -> Iterator[_Node]:
    if depth == len(segments):
        yield node
        if (child := node.children.get(REST)) is not None:
            yield child
    else:
        segment = segments[depth]
        if segment not in {ONE, REST} and (child := node.children.get(segment)) is not None:
            yield from _walk(child, segments, depth + 1)
        if segment and (child := node.children.get(ONE)) is not None:
            yield from _walk(child, segments, depth + 1)
        if (child := node.children.get(REST)) is not None:
            yield child


def routes(contract: Contract) -> tuple[Route, ...]:
    """Return every route that the contract asks for.

    Raises:
        ContractError: An annotation cannot be served; the message says which and why.
    """
    found: list[Route] = []
    for method in contract.methods():
        rule = http_rule(method)
        if rule is not None:
            found.extend(_route(method, binding) for binding in (rule, *rule.additional_bindings))
    return tuple(_with_location(route, found) for route in found)


def _route(method: MethodDescriptor, rule: http_pb2.HttpRule) -> Route:
    http_method, text = _pattern(method, rule)
    try:
        template = templates.parse(text)
    except templates.TemplateError as error:
        raise ContractError(f"{method.full_name}: {error}") from None
    route = Route(http_method, template, method, rule.body, rule.response_body, _needs_key(method, http_method))
    _check(route)
    return route


def _needs_key(method: MethodDescriptor, http_method: str) -> bool:
    if http_method == "DELETE":
        # Taking away what is gone changes nothing: HTTP itself says that this may be repeated.
        return REQUEST_ID in method.input_type.fields_by_name
    return has_side_effects(method) and http_method != "GET"


def _pattern(method: MethodDescriptor, rule: http_pb2.HttpRule) -> tuple[str, str]:
    kind = rule.WhichOneof("pattern")
    if kind is None:
        raise ContractError(f"{method.full_name}: its google.api.http names no path")
    if kind == "custom":
        return rule.custom.kind.upper(), rule.custom.path
    return kind.upper(), getattr(rule, kind)


def _check(route: Route) -> None:
    method, request = route.method, route.method.input_type
    if method.client_streaming:
        raise ContractError(f"{method.full_name}: REST cannot stream requests")
    for variable in route.template.variables:
        leaf = find_field(request, variable.field)
        if leaf is None or leaf.is_repeated or leaf.message_type is not None:
            raise ContractError(
                f"{method.full_name}: {variable.field} in its path is not a single value of the request"
            )
    if route.body not in {"", _WHOLE} and route.body not in request.fields_by_name:
        raise ContractError(f"{method.full_name}: its body {route.body} is not a field of the request")
    if route.response_body and route.response_body not in method.output_type.fields_by_name:
        raise ContractError(f"{method.full_name}: its response_body {route.response_body} is not a field of the answer")
    if route.needs_key and REQUEST_ID not in request.fields_by_name:
        raise ContractError(f"{method.full_name}: changes something and has no {REQUEST_ID} for the Idempotency-Key")


def find_field(message: Descriptor, path: str) -> FieldDescriptor | None:
    """Return the field at the end of a dotted path; None when the path leads nowhere."""
    found: FieldDescriptor | None = None
    scope: Descriptor | None = message
    for name in path.split("."):
        if scope is None or (found is not None and found.is_repeated) or name not in scope.fields_by_name:
            return None
        found = scope.fields_by_name[name]
        scope = found.message_type
        if scope is not None and wellknown.is_leaf(scope):
            scope = None
    return found


def _with_location(route: Route, every: Iterable[Route]) -> Route:
    """Return the route, knowing where what it creates can be read.

    A POST to a collection creates when it answers with an object that a GET reads at the collection's path plus one of
    the object's own fields: POST /orders answering an Order, GET /orders/{order_id} answering an Order.
    """
    template = route.template
    if route.http_method != "POST" or template.verb or template.variables or not route.needs_key:
        return route
    for other in every:
        if (
            other.http_method == "GET"
            and not other.method.server_streaming
            and not other.template.verb
            and other.template.segments == (*template.segments, ONE)
            and len(other.template.variables) == 1
            and _same_object(route, other)
        ):
            return replace(route, location=other.template)
    return route


def _same_object(created: Route, read: Route) -> bool:
    answered = created.answered
    return (
        answered is not None
        and read.answered is not None
        and answered.full_name == read.answered.full_name
        and read.template.variables[0].field in answered.fields_by_name
    )


def host_of(service: str) -> str:
    """Return the area whose address the service is reached at: "order" for "ordermesh.order.v1.OrderService"."""
    area = service.split(".")[1]
    return _HOSTED_BY.get(area, area)
