"""Pages of the order service's lists: how long they are, and tokens that hold to the filters of their first page."""

import base64
import uuid

from kernel.errors import Refusal

# How much a page holds when the caller does not say, and at most.
_USUAL_PAGE = 50
_LARGEST_PAGE = 200


def page_size_from_wire(page_size: int) -> int:
    """Return how many a page holds; a larger wish is cut, not refused."""
    return min(page_size or _USUAL_PAGE, _LARGEST_PAGE)


def place_from_token(token: str, filters: str) -> str:
    """Return the id that the page begins below; empty for the first page.

    Args:
        token: As the caller passed it.
        filters: What tells the caller's filters from others.

    Raises:
        Refusal: The token is not one of ours, or belongs to other filters.
    """
    if not token:
        return ""
    try:
        first_filters, after = base64.urlsafe_b64decode(token).decode("ascii").rsplit("|", 1)
        uuid.UUID(after)
    except ValueError:
        raise Refusal.of_field("page_token", "is not a token of ours; pass next_page_token as it was given") from None
    if first_filters != filters:
        raise Refusal.of_field("page_token", "belongs to a list with other filters; begin at the first page")
    return after


def token_of_place(filters: str, last_id: str) -> str:
    """Return the token of the page that begins below an id."""
    return base64.urlsafe_b64encode(f"{filters}|{last_id}".encode("ascii", "replace")).decode()
