"""Percent-encoding read strictly: half an escape or bytes that are not UTF-8 are refused, never guessed at."""

import re
from urllib.parse import unquote_to_bytes

_BROKEN = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SLASH = re.compile(r"%2[Ff]")


def decode(text: str) -> str:
    """Return the text without its percent-encoding.

    Raises:
        ValueError: An escape is broken, or the result is not UTF-8.
    """
    if "%" not in text:
        return text
    if _BROKEN.search(text):
        raise ValueError("has a % that two hexadecimal digits do not follow")
    try:
        return unquote_to_bytes(text).decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8") from None


def decode_but_slashes(text: str) -> str:
    """Return the text without its percent-encoding, escaped slashes apart: a variable of several segments keeps them.

    Raises:
        ValueError: An escape is broken, or the result is not UTF-8.
    """
    return "%2F".join(decode(part) for part in _SLASH.split(text))
