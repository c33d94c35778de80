"""What may be asked of an object that an answer brings, as OpenAPI's links: its id goes into other paths."""

from collections.abc import Iterator, Sequence
from typing import Any

from google.protobuf.descriptor import Descriptor

from gateway.routes import Route


class Links:
    """Finds the links of answers.

    Args:
        routes: All that there are. An RPC with more than one is linked to by its first, which is the one that bears its
            name.
    """

    def __init__(self, routes: Sequence[Route]) -> None:
        first: dict[str, Route] = {}
        for route in routes:
            first.setdefault(route.method.full_name, route)
        self._targets = [route for route in first.values() if len(route.template.variables) == 1]

    def of(self, route: Route) -> dict[str, Any]:
        """Return the links of a route's answer, by operation.

        They are on the answers by which a client comes to know of an object: where one is created, and where many are
        listed. All others are given the id that they would link by. Empty for those.
        """
        found: dict[str, Any] = {}
        for pointer, brought in _brought(route):
            for target in self._targets:
                variable = target.template.variables[0].field
                same_service = target.method.containing_service == route.method.containing_service
                if same_service and variable in brought.fields_by_name:
                    found[target.method.name] = {
                        "operationId": target.method.name,
                        "parameters": {variable: f"$response.body#{pointer}/{variable}"},
                    }
        return found


def _brought(route: Route) -> Iterator[tuple[str, Descriptor]]:
    """Yield where in the answer an object is that its reader may not know yet, and its type."""
    answered = route.answered
    if answered is None:
        return
    if route.location is not None:
        yield "", answered
    elif not route.template.variables and not route.template.verb and route.http_method == "GET":
        for field in answered.fields:
            if field.is_repeated and field.message_type is not None and not field.message_type.GetOptions().map_entry:
                yield f"/{field.name}/0", field.message_type
