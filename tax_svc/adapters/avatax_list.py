"""AvaTax's list of documents → domain. What other systems recorded for the company stands in it too."""

from typing import Any

from tax_svc.adapters.avatax_json import day, money, read, refuse, text
from tax_svc.app.ports import RecordedPage
from tax_svc.domain.document import RecordedDocument


def page(body: bytes) -> RecordedPage:
    """Return one page of the list.

    Raises:
        Malformed: It is none, or a document of it cannot be read: better no list than one with holes.
    """
    answer = read(body)
    documents = answer.get("value")
    if not isinstance(documents, list):
        refuse("value")
    return RecordedPage(tuple(_document(each) for each in documents), bool(answer.get("@nextLink")))


def _document(document: Any) -> RecordedDocument:  # noqa: ANN401  (any JSON value)
    if not isinstance(document, dict):
        refuse("value")
    return RecordedDocument(
        code=text(document, "code"),
        kind=text(document, "type"),
        status=text(document, "status"),
        amount=money(document, "totalAmount"),
        tax=money(document, "totalTax"),
        booked_on=day(document, "date"),
    )
