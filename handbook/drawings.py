"""Draws the pages' Mermaid diagrams when the site is built, so that no browser needs a script for them."""

import re
from html import escape

import mmdr
from mkdocs.structure.pages import Page

_BLOCK = re.compile(r"^```mermaid\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_TITLE = re.compile(r"^\s*accTitle: (.+)$", re.MULTILINE)
_PLACE = "<!-- drawing {} -->"

# Boxes are measured for larger letters than they hold (handbook.css): which font readers have is not known.
_SETTINGS = '%%{init: {"theme": "neutral", "fontFamily": "arial, sans-serif", "fontSize": "16px"}}%%\n'

_drawn: dict[str, list[str]] = {}


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Put a mark where each drawing belongs; Markdown would not leave the drawing itself as it is."""
    drawings = _drawn.setdefault(str(page.file.src_uri), [])

    def marked(block: "re.Match[str]") -> str:
        drawings.append(_draw(block[1], len(drawings)))
        return _PLACE.format(len(drawings) - 1)

    return _BLOCK.sub(marked, markdown)


def on_page_content(html: str, page: Page, **_: object) -> str:
    """Put the drawings where their marks are."""
    for number, drawing in enumerate(_drawn.get(str(page.file.src_uri), [])):
        html = html.replace(_PLACE.format(number), drawing)
    return html


def _draw(source: str, number: int) -> str:
    """Return a figure of one diagram, as SVG whose style touches no other one of the page."""
    title = _TITLE.search(source)
    told = escape(title[1]) if title else "Diagram"
    svg = mmdr.render(_SETTINGS + source).svg().replace("merman", f"drawing-{number}")
    return f'<figure class="drawing" role="img" aria-label="{told}">{svg}</figure>'
