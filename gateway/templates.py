"""Path templates of google.api.http: "/api/v1/orders/{order_id}:cancel", as google/api/http.proto defines them.

Template = "/" Segments [":" Verb]; a segment is a literal, "*" (one segment), "**" (all that are left) or
a variable {field.path=segments}, where "{name}" stands for "{name=*}".
"""

import re
from dataclasses import dataclass
from urllib.parse import quote

ONE, REST = "*", "**"
_TOKEN = re.compile(r"/|\{(?P<field>[A-Za-z_][A-Za-z0-9_.]*)(?:=(?P<segments>[^{}]+))?\}|(?P<segment>[^/{}]+)")
_VERB = re.compile(r":([^/:{}*]+)$")


class TemplateError(ValueError):
    """The template does not follow the grammar."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A part of the path that becomes a field of the request.

    Attributes:
        field: The path of the field: "order_id", "order.order_id".
        start: The first segment that it takes.
        stop: The segment after its last one; None when it takes all that are left.
    """

    field: str
    start: int
    stop: int | None


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template.

    Attributes:
        text: The template as the contract writes it.
        segments: Literals, ONE and REST, from the left.
        variables: What the segments are bound to.
        verb: What follows the last colon; empty when there is none.
    """

    text: str
    segments: tuple[str, ...]
    variables: tuple[Variable, ...]
    verb: str

    def fill(self, values: dict[str, str]) -> str:
        """Return the path for these values of its variables, percent-encoded.

        The template must bind each variable to one segment.
        """
        segments = list(self.segments)
        for variable in self.variables:
            segments[variable.start] = quote(values[variable.field], safe="")
        return "/" + "/".join(segments) + (f":{self.verb}" if self.verb else "")


def parse(text: str) -> Template:
    """Return the template that the text describes.

    Raises:
        TemplateError: It does not follow the grammar.
    """
    if not text.startswith("/"):
        raise TemplateError(f"{text!r} does not begin with a slash")
    body, verb = text, ""
    if (match := _VERB.search(text)) is not None:
        body, verb = text[: match.start()], match[1]
    segments: list[str] = []
    variables: list[Variable] = []
    position = 0
    while position < len(body):
        if body[position] != "/" or (token := _TOKEN.match(body, position + 1)) is None or token[0] == "/":
            raise TemplateError(f"{text!r} is not a path template at {body[position:]!r}")
        if token["field"]:
            inner = (token["segments"] or ONE).split("/")
            open_ended = inner[-1] == REST
            variables.append(
                Variable(token["field"], len(segments), None if open_ended else len(segments) + len(inner))
            )
            segments.extend(inner)
        else:
            segments.append(token["segment"])
        position = token.end()
    _check(text, segments)
    return Template(text, tuple(segments), tuple(variables), verb)


def _check(text: str, segments: list[str]) -> None:
    if not segments or any(not segment for segment in segments):
        raise TemplateError(f"{text!r} has an empty segment")
    if REST in segments[:-1]:
        raise TemplateError(f"{text!r} has segments after **")
