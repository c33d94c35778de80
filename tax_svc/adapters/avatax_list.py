"""AvaTax's list of documents → domain. What other systems recorded for the company stands in it too."""

from datetime import date
from typing import Any

from kernel.money import Money, UnknownCurrency
from tax_svc.adapters.avatax_json import read, refuse, signed_amount
from tax_svc.app import RecordedPage
from tax_svc.domain import RecordedDocument


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
    currency_code = _text(document, "currencyCode")
    try:
        return RecordedDocument(
            code=_text(document, "code"),
            kind=_text(document, "type"),
            status=_text(document, "status"),
            amount=Money.from_decimal(signed_amount(document, "totalAmount"), currency_code),
            tax=Money.from_decimal(signed_amount(document, "totalTax"), currency_code),
            # Some versions write midnight behind it.
            booked_on=date.fromisoformat(_text(document, "date")[:10]),
        )
    except UnknownCurrency:
        refuse("currencyCode")
    except ValueError:
        refuse("date")


def _text(document: dict[str, Any], name: str) -> str:
    value = document.get(name)
    return value if isinstance(value, str) else refuse(name)
