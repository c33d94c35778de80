"""docs/rest.md: every route, what it takes and what it answers, as /openapi.json has it."""

from collections.abc import Iterator, Mapping
from typing import Any

from cli.reference.table import table
from gateway import openapi, routes
from gateway.contract import Contract

_HEADING = """\
# REST reference

<!-- Written by `ordermesh reference` from the OpenAPI document, which is made from protos/. -->

Every route of the gateway. `/openapi.json` has the same for tools, with every schema, and `/docs` of a running gateway
shows it to read. Fields and their rules are those of the messages in [rpc.md](rpc.md), with enumeration values without
their prefix (`"PAID"`). Errors are problem+json ([errors.md](errors.md)).
"""


def page(known: Contract) -> str:
    """Return the page."""
    document = openapi.document(known, routes.routes(known))
    by_tag: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            by_tag.setdefault(operation["tags"][0], []).extend(_of_operation(f"{method.upper()} {path}", operation))
    parts = [_HEADING]
    for tag in document["tags"]:
        parts += [f"## {tag['name']}", tag["description"], *by_tag.get(tag["name"], [])]
    return "\n\n".join(part.rstrip("\n") for part in parts if part) + "\n"


def _of_operation(name: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f"### {operation['operationId']}"
    yield f"`{name}`"
    yield operation.get("description", f"{operation['summary']}.")
    parameters = operation.get("parameters", ())
    taken = [(f"`{each['name']}`", _place(each), each.get("description", "")) for each in parameters]
    if body := operation.get("requestBody"):
        taken.append(("body", "required" if body.get("required") else "", _schema(body["content"])))
    yield table(("Takes", "Where", "What it is"), taken)
    yield table(("Answers", "With", "When"), _answers(operation["responses"]))


def _place(parameter: Mapping[str, Any]) -> str:
    return f"{parameter['in']}{', required' if parameter.get('required') else ''}"


def _answers(responses: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str, str]]:
    refused = [status for status, answer in responses.items() if "$ref" in answer and status.isdigit()]
    for status, answer in responses.items():
        if "$ref" not in answer:
            yield status, _schema(answer.get("content", {})), answer["description"]
    if refused:
        yield ", ".join(refused), "a problem", "refused; see [errors.md](errors.md)"


def _schema(content: Mapping[str, Mapping[str, Any]]) -> str:
    """Return what a body is: the message's name, or its content type where it has none."""
    for kind, media in content.items():
        name = media.get("schema", {}).get("$ref", "").rpartition("/")[2]
        return f"`{name}`" if name else f"`{kind}`"
    return ""
