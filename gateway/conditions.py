"""Conditional requests (RFC 9110, section 13) on whatever has an `etag`: If-Match, ETag, If-None-Match.

A request message with a text field `etag` takes If-Match; an answered object with one is sent with an ETag.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from gateway.contract import has_side_effects
from gateway.routes import Route

ETAG = "etag"
IF_MATCH = "If-Match"
IF_NONE_MATCH = "If-None-Match"

ANY = "*"
# What RFC 9110 lets a tag consist of, of ASCII.
_TAG = re.compile(r'"([\x21\x23-\x7e]+)"')
_NAMED = re.compile(r'(?:W/)?"([\x21\x23-\x7e]*)"')
_WRITABLE = re.compile(r"[\x21\x23-\x7e]+")


def takes_if_match(route: Route) -> bool:
    """Return whether the route's request can be bound to one version of what it changes."""
    return has_side_effects(route.method) and _has_etag(route.method.input_type)


def answers_etag(route: Route) -> bool:
    """Return whether what the route answers has a version that an ETag can name."""
    return not route.method.server_streaming and route.answered is not None and _has_etag(route.answered)


def takes_if_none_match(route: Route) -> bool:
    """Return whether the route reads something that a client may have already."""
    return route.http_method == "GET" and answers_etag(route)


def wanted_tag(values: Sequence[str]) -> str:
    """Return the etag that If-Match asks for; empty for "*", which is whatever there is.

    Args:
        values: Every If-Match header that came; at least one.

    Raises:
        ValueError: There is more than one tag, or none that can be compared; the message says what to send.
    """
    if len(values) > 1:
        raise ValueError("is given more than once")
    value = values[0].strip()
    if value == ANY:
        return ""
    found = _TAG.fullmatch(value)
    if found is not None:
        return found[1]
    if value.startswith("W/"):
        raise ValueError("is a weak tag, which never matches; send the ETag as it was answered")
    if "," in value and '"' in value:
        raise ValueError("lists several tags; send the one that was read last")
    raise ValueError('must be one tag in quotes, as an ETag header has it, or "*"')


def etag_of(route: Route) -> Callable[[Message], str]:
    """Return what names the version of a route's answer, as an ETag header has it; empty where nothing does."""
    if not answers_etag(route):
        return lambda _: ""
    inner = route.response_body

    def read(answer: Any) -> str:  # noqa: ANN401  (a message of the route's own type)
        tag = getattr(getattr(answer, inner) if inner else answer, ETAG)
        return f'"{tag}"' if _WRITABLE.fullmatch(tag) else ""

    return read


def is_known(etag: str, values: Sequence[str]) -> bool:
    """Return whether If-None-Match names the ETag: weakly, as RFC 9110 compares here."""
    tag = etag.strip('"')
    return any(value.strip() == ANY or tag in _NAMED.findall(value) for value in values)


def _has_etag(message: Descriptor) -> bool:
    field = message.fields_by_name.get(ETAG)
    return field is not None and field.type == FieldDescriptor.TYPE_STRING and not field.is_repeated
