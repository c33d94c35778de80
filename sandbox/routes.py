"""From method and path to an operation."""

import re
from collections.abc import Iterable

from sandbox.exchange import Operation

_PLACEHOLDER = re.compile(r"\\\{(\w+)\\\}")


class Routes:
    """The operations of one provider. Paths without placeholders win over those with."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self._literal: dict[tuple[str, str], Operation] = {}
        self._patterns: list[tuple[re.Pattern[str], Operation]] = []
        for operation in operations:
            if "{" in operation.template:
                pattern = _PLACEHOLDER.sub(r"(?P<\1>[^/]+)", re.escape(operation.template))
                self._patterns.append((re.compile(pattern), operation))
            else:
                self._literal[(operation.method, operation.template)] = operation

    def find(self, method: str, path: str) -> tuple[Operation, dict[str, str]] | None:
        """Return the operation and what its placeholders matched, or None."""
        literal = self._literal.get((method, path))
        if literal is not None:
            return literal, {}
        for pattern, operation in self._patterns:
            if operation.method == method and (match := pattern.fullmatch(path)):
                return operation, match.groupdict()
        return None

    def knows(self, path: str) -> bool:
        """Tell whether the path exists for some method."""
        return any(template == path for _, template in self._literal) or any(
            pattern.fullmatch(path) for pattern, _ in self._patterns
        )
