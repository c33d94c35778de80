"""Holds the site to what it promises: to show a page nothing is fetched from anywhere."""

import logging
import re

from mkdocs.structure.pages import Page

# Below mkdocs' own name, so that --strict counts what is said here.
_logger = logging.getLogger("mkdocs.plugins.offline_pages")

_FETCHED = re.compile(r"<(?:script|link|img|iframe)\b[^>]*?\b(?:src|href)=[\"']?(https?://[^\"'\s>]+)")


def on_post_page(output: str, page: Page, **_: object) -> str:
    """Complain of whatever a browser would fetch for the page."""
    for address in _FETCHED.findall(output):
        _logger.warning("%s would have browsers fetch %s", page.file.src_uri, address)
    return output
