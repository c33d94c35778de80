"""What `make docs` would complain of, seen without building the site: pages left out, and links to nowhere."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
NAV = (ROOT / "handbook" / "mkdocs.yml").read_text().partition("\nnav:\n")[2]
BESIDE = {"README.md": "index.md", **{name: name for name in ("ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")}}
PAGES = [*DOCS.rglob("*.md"), *(ROOT / name for name in BESIDE)]


def anchors(page: Path) -> set[str]:
    """Return what a page's headings are called in links: as on GitHub, and as the site's slugs have it."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def test_every_page_has_its_place_and_every_place_its_page() -> None:
    placed = re.findall(r": (\S+\.md)$", NAV, re.MULTILINE)
    decisions = {f"adr/{page.name}" for page in (DOCS / "adr").glob("*.md")} - {"adr/README.md"}

    assert len(placed) == len(set(placed))
    assert set(placed) == {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")} - decisions | {*BESIDE.values()}


def test_a_link_to_a_heading_finds_it() -> None:
    followed = 0
    for page in PAGES:
        for path, anchor in re.findall(r"\]\(((?!http)[^)#\s]*)#([^)\s]+)\)", page.read_text()):
            target = (page.parent / path).resolve() if path else page
            if target.suffix == ".md":
                assert anchor in anchors(target), f"{page.relative_to(ROOT)}: {path}#{anchor}"
                followed += 1

    assert followed


def test_every_decision_is_in_the_list_of_them() -> None:
    listed = (DOCS / "adr" / "README.md").read_text()

    assert [page.name for page in (DOCS / "adr").glob("0*.md") if f"({page.name})" not in listed] == []
