"""Tax documents: created, committed, voided, refunded; identified by company, code and type."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from kernel.clock import Clock
from kernel.money import UnknownCurrency, exponent
from sandbox.avatax.addresses import AddressBook
from sandbox.avatax.calculation import Line, calculate
from sandbox.avatax.errors import AvataxError, document_status_error, not_found, value_required
from sandbox.avatax.rates import Rates, rates_at
from sandbox.avatax.rendering import Document, render
from sandbox.storage import Storage
from sandbox.tokens import Tokens

Json = dict[str, Any]

KIND = "document"
_NON_TAXABLE = "NT"
_DEFAULT_COMPANY = "DEFAULT"
_DEFAULT_TYPE = "SalesOrder"
_IDS_PER_MILLISECOND = 100  # 15 digits in all, and the lines of a document find room before the next
_TOO_LARGE = 10**13  # with two decimals that is as many digits as a double holds exactly
_REASONED = frozenset({"Exemption", "TaxDate", "AccruedTaxAmount"})  # overrides that must say why


class Documents:
    """The operations on transactions. Bodies have been read and checked."""

    def __init__(self, storage: Storage, clock: Clock, tokens: Tokens) -> None:
        self._storage = storage
        self._clock = clock
        self._tokens = tokens
        self._latest_id = 0

    def create(self, body: Json) -> Json:
        """Create a document, or replace one that is not committed; an estimate is calculated and forgotten.

        Raises:
            AvataxError: it cannot be taxed, or is committed already.
        """
        earlier = self._existing(body)
        if earlier is not None and earlier["status"] == "Committed":
            raise document_status_error()
        return self._write(body, earlier)

    def create_or_adjust(self, body: Json) -> tuple[Json, bool]:
        """Create a document or write a new version over it, committed or not; tell whether it was new.

        Raises:
            AvataxError: it cannot be taxed.
        """
        model = body["createTransactionModel"]
        earlier = self._existing(model)
        reason = body.get("adjustmentReason", "NotAdjusted")
        return self._write(model, earlier, reason if earlier else "NotAdjusted"), earlier is None

    def find(self, company: str, code: str, type_: str | None = None) -> Json:
        """Return a document; without a type, the sales invoice if there is one.

        Raises:
            AvataxError: there is none.
        """
        for candidate in (type_,) if type_ else ("SalesInvoice", "ReturnInvoice", "PurchaseInvoice"):
            found = self._storage.get(KIND, _key(company, _plain(code), candidate))
            if found is not None:
                return found
        raise not_found(company, _plain(code))

    def commit(self, document: Json) -> Json:
        """Commit a saved document.

        Raises:
            AvataxError: it is committed or cancelled.
        """
        if document["status"] not in {"Saved", "Posted"}:
            message = "The document status is incorrect for this operation."
            description = f"Expected Saved|Posted, but the document is {document['status']}."
            raise AvataxError(400, "InvalidDocumentStatusForCommit", message, description)
        document["status"] = "Committed"
        return self._save(document)

    def void(self, document: Json) -> Json:
        """Cancel a document.

        Raises:
            AvataxError: it is cancelled already, or was reported.
        """
        if document["locked"]:
            message = "Cannot modify a locked transaction."
            description = "The transaction is locked because it was reported to a tax authority."
            raise AvataxError(400, "CannotModifyLockedTransaction", message, description)
        if document["status"] == "Cancelled":
            raise AvataxError(400, "TransactionAlreadyCancelled", "The transaction has already been cancelled.")
        document["status"] = "Cancelled"
        return self._save(document)

    def lock(self, document: Json) -> Json:
        """Have a document reported to the authorities: from then on it stays as it is."""
        document["locked"] = True
        return self._save(document)

    def keep(self, document: Json, company: str) -> Json:
        """Keep a document that was made from another.

        Raises:
            AvataxError: one of that code and type is committed already.
        """
        earlier = self._storage.get(KIND, _key(company, document["code"], document["type"]))
        if earlier is not None and earlier["status"] == "Committed":
            raise document_status_error()
        return self._save({**document, "_company": company})

    def new_id(self) -> int:
        """Return a document id; later ones are larger, so that a list by id grows at its end."""
        now = int(self._clock.now().timestamp() * 1000) * _IDS_PER_MILLISECOND
        self._latest_id = max(now, self._latest_id + _IDS_PER_MILLISECOND)
        return self._latest_id

    def modified(self) -> str:
        """Return the time as documents write it."""
        return self._clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def _existing(self, body: Json) -> Json | None:
        type_ = body.get("type", _DEFAULT_TYPE)
        if not body.get("code") or not _kept(type_):
            return None
        company = body.get("companyCode") or _DEFAULT_COMPANY
        return self._storage.get(KIND, _key(company, body["code"], type_))

    def _write(self, body: Json, earlier: Json | None, reason: str = "NotAdjusted") -> Json:
        type_ = body.get("type", _DEFAULT_TYPE)
        kept = _kept(type_)
        status = ("Committed" if body.get("commit") else "Saved") if kept else "Temporary"
        book = AddressBook()
        sources = body["lines"]
        numbers = [source.get("number") or str(index) for index, source in enumerate(sources, 1)]
        positions = [book.locate(number, source, body) for number, source in zip(numbers, sources, strict=True)]
        book.raise_for_zip()
        lines = [
            _line(number, source, body, rates_at(book.places[destination - 1]))
            for number, source, (destination, _) in zip(numbers, sources, positions, strict=True)
        ]
        results = calculate(
            lines,
            digits=_digits(body.get("currencyCode", "USD")),
            discount=_decimal(body.get("discount", 0)),
            tax_override=_tax_override(body),
        )
        document = render(
            Document(
                id=self.new_id() if kept else 0,
                code=body.get("code") or self._tokens.uuid(),
                type=type_,
                status=status,
                version=earlier["version"] + 1 if earlier else 1,
                request=body,
                lines=results,
                sources=sources,
                positions=positions,
                places=book.places,
                modified=self.modified(),
                adjustment_reason=reason,
            )
        )
        if kept:
            self._save({**document, "_company": body.get("companyCode") or _DEFAULT_COMPANY})
        return document

    def _save(self, document: Json) -> Json:
        company, code = document["_company"], document["code"]
        document["modifiedDate"] = self.modified()
        self._storage.put(
            KIND,
            _key(company, code, document["type"]),
            document,
            created=int(self._clock.now().timestamp()),
            parent=f"{company}:{code}".lower(),
            order_id=_order_of(document),
        )
        return document


def _kept(type_: str) -> bool:
    """Tell whether documents of a type are kept; the others are estimates."""
    return type_.endswith("Invoice")


def _key(company: str, code: str, type_: str) -> str:
    # AvaTax finds test123 when asked for TEST123.
    return f"{company}:{code}:{type_}".lower()


def _plain(code: str) -> str:
    """Undo AvaTax's escapes for characters that a path cannot hold."""
    for escape, character in (("2f", "/"), ("2b", "+"), ("3f", "?"), ("25", "%"), ("23", "#")):
        code = code.replace(f"_-ava{escape}-_", character)
    return code


def _order_of(document: Mapping[str, Any]) -> str:
    """Return the order a document belongs to: its own code, or for a return the code of the sale it refers to."""
    reference: str = document["referenceCode"] if document["type"].startswith("Return") else ""
    return reference or str(document["code"])


def _line(number: str, source: Json, body: Json, rates: Rates) -> Line:
    exempt = any(
        (body.get("exemptionNo"), source.get("exemptionCode"), source.get("entityUseCode", body.get("entityUseCode")))
    )
    return Line(
        number=number,
        amount=_decimal(source["amount"]),
        rates=rates,
        tax_included=source.get("taxIncluded", False),
        exempt=bool(exempt),
        taxable=source.get("taxCode", "").upper() != _NON_TAXABLE,
        discounted=source.get("discounted", False),
        tax_override=_tax_override(source),
    )


def _tax_override(holder: Json) -> Decimal | None:
    """Return the tax that the caller sets for a document or a line, or None.

    Raises:
        AvataxError: the override is incomplete.
    """
    override = holder.get("taxOverride")
    if override is None:
        return None
    kind = override.get("type")
    if kind in _REASONED and not override.get("reason"):
        raise value_required("reason")
    if kind != "TaxAmount":
        return None
    if "taxAmount" not in override:
        raise value_required("taxAmount")
    return _decimal(override["taxAmount"])


def _decimal(number: float) -> Decimal:
    """Return a JSON number exactly as it was written.

    Raises:
        AvataxError: it has more digits than AvaTax takes.
    """
    if abs(number) >= _TOO_LARGE:
        message = "A field in your request has too many decimal places or too many digits over all."
        raise AvataxError(400, "InvalidDecimalValue", message, target="IncorrectData")
    return Decimal(repr(number))


def _digits(currency: str) -> int:
    try:
        return exponent(currency.upper())
    except UnknownCurrency:
        message = f"The currency code '{currency}' is not recognized."
        raise AvataxError(400, "InvalidEnumValue", message, target="IncorrectData") from None
