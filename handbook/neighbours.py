"""Brings the pages that lie beside docs/ into the site, and leads links to where the pages are there.

In the repository pages link to one another and to source files by relative paths, so that they can be followed where
they are read. In the site a link to a page leads to the page, and one to a source file becomes the file's name alone.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

_ROOT = Path(__file__).resolve().parents[1]

# Where pages that are not in docs/ are in the site, by their path in the repository.
_BESIDE = {
    "README.md": "index.md",
    "ARCHITECTURE.md": "ARCHITECTURE.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "CHANGELOG.md": "CHANGELOG.md",
}
_IN_REPOSITORY = {there: here for here, there in _BESIDE.items()}

_LINK = re.compile(r"(?P<text>\[(?:`[^`]*`|[^\]`])*\])\((?P<path>(?!https?:|mailto:|#)[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")
# Nothing is a link within code.
_CODE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
# What tests are told beside a block's language: "sh exit=1".
_TOLD_TESTS = re.compile(r"^(```\w+) .+$", re.MULTILINE)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie beside docs/."""
    for here, there in _BESIDE.items():
        files.append(File.generated(config, there, content=(_ROOT / here).read_text()))
    return files


def on_page_markdown(markdown: str, page: Page, files: Files, **_: object) -> str:
    """Lead the page's links to where they lead in the site."""
    uri = str(page.file.src_uri)
    folder = posixpath.dirname(_IN_REPOSITORY.get(uri, f"docs/{uri}"))

    def led(link: "re.Match[str]") -> str:
        path = posixpath.normpath(posixpath.join(folder, link["path"]))
        there = _BESIDE.get(path, path.removeprefix("docs/"))
        if files.get_file_from_path(there) is not None and (path in _BESIDE or path.startswith("docs/")):
            led_to = posixpath.relpath(there, posixpath.dirname(uri) or ".")
            return f"{link['text']}({led_to}{link['anchor'] or ''})"
        # What does not exist stays a link, and is a complaint.
        return link["text"][1:-1] if (_ROOT / path).exists() else link[0]

    parts, last = [], 0
    for code in _CODE.finditer(markdown):
        parts += [_LINK.sub(led, markdown[last : code.start()]), _TOLD_TESTS.sub(r"\1", code[0])]
        last = code.end()
    return "".join([*parts, _LINK.sub(led, markdown[last:])])
