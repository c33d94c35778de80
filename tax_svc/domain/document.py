"""What the tax authority's service keeps of sales and of what was given back, and how it is called."""

import base64
import hashlib
import re
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum

from kernel.money import Money

# order_svc numbers the refunds of an order: "<order id>:refund:<n>".
_NUMBERED = re.compile(r"(?P<order_id>[0-9a-f-]{36}):refund:(?P<number>0|[1-9][0-9]{0,8})")

# AvaTax takes 50 characters. An order id has 36, the dash one: 13 letters of base32 are left, 65 bits.
_LETTERS = 13


class DocumentState(Enum):
    """Where a tax document stands."""

    COMMITTED = "COMMITTED"
    VOIDED = "VOIDED"


class DocumentKind(Enum):
    """What a tax document records."""

    SALE = "SALE"
    RETURN = "RETURN"


@dataclass(frozen=True, slots=True)
class Recorded:
    """A document as it stands at the tax authority's service, committed.

    Attributes:
        tax: The tax that it records; negative for a return.
        booked_on: The date that it counts for.
    """

    tax: Money
    booked_on: date


@dataclass(frozen=True, slots=True)
class Document:
    """What we keep of a document at the tax authority's service.

    Attributes:
        code: What it is called there: for a sale the order's id, for a return what `return_code` says.
        order_id: The order that it is about.
        kind: Whether something was sold or given back.
        state: Where it stands.
        recorded_tax: The tax that it records; negative for a return.
        charged_tax: The tax that the buyer paid, or got back: negative for a return.
        booked_on: The date that it counts for; None when that was not kept, as it once was not.
        created_at: When we knew that it was recorded.
    """

    code: str
    order_id: str
    kind: DocumentKind
    state: DocumentState
    recorded_tax: Money
    charged_tax: Money
    booked_on: date | None
    created_at: datetime

    def difference(self) -> Money:
        """Return recorded less charged: other than zero when the charge was taken at the fallback rate."""
        return self.recorded_tax - self.charged_tax

    def sold_on(self) -> date:
        """Return the date whose rates a return of this sale is about."""
        return self.booked_on or self.created_at.date()


def return_code(order_id: str, caller: str, request_id: str) -> str:
    """Return the code of the document of a refund: the same for every repetition, another for every other refund.

    At most 50 characters, letters, digits and dashes: `<order id>-r<n>` for the numbered refunds of order_svc, and the
    order's id with a hash of the key and its owner for all others. The two never meet: they differ in length.
    """
    numbered = _NUMBERED.fullmatch(request_id)
    if numbered and numbered["order_id"] == order_id:
        return f"{order_id}-r{numbered['number']}"
    digest = hashlib.sha256(f"{caller}\n{request_id}".encode()).digest()
    return f"{order_id}-{base64.b32encode(digest).decode()[:_LETTERS].lower()}"


@dataclass(frozen=True, slots=True)
class RecordedDocument:
    """A document as the tax authority's service lists it: ours, or another system's of the same company.

    Attributes:
        code: The order's id when it is ours.
        kind: Its word for the kind: "SalesInvoice", "ReturnInvoice".
        status: Its word for where it stands: "Committed", "Saved", "Cancelled".
        amount: What was sold, before tax; negative for a return.
        tax: The tax that it records; negative for a return.
        booked_on: The date that it counts for.
    """

    code: str
    kind: str
    status: str
    amount: Money
    tax: Money
    booked_on: date
