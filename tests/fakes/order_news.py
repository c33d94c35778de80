"""News as the order service is told it: in short pages, so that a few make many."""

from collections.abc import Mapping
from typing import TypeVar

from order_svc.app.ports import Page

T = TypeVar("T")

NEWS_ON_A_PAGE = 3


def page_after(news: Mapping[str, T], after: str) -> Page[T]:
    """Return the page that comes after an id, which may have been heard meanwhile."""
    ids = sorted(each for each in news if each > after)[:NEWS_ON_A_PAGE]
    return Page([news[each] for each in ids], ids[-1] if len(ids) == NEWS_ON_A_PAGE else "")
