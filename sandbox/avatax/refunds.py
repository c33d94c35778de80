"""Refunds of tax documents: a ReturnInvoice with the sale's figures turned round."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from kernel.money import exponent
from sandbox.avatax.documents import Documents
from sandbox.avatax.errors import AvataxError
from sandbox.tokens import Tokens

Json = dict[str, Any]

_HUNDRED = Decimal(100)
_LINE_AMOUNTS = ("discountAmount", "exemptAmount", "lineAmount", "taxableAmount")
_LINE_TAXES = ("tax", "taxCalculated")
_DETAIL_AMOUNTS = (
    "exemptAmount", "nonTaxableAmount", "taxableAmount", "taxableUnits", "nonTaxableUnits", "exemptUnits",
    "reportingTaxableUnits", "reportingNonTaxableUnits", "reportingExemptUnits",
)  # fmt: skip
_DETAIL_TAXES = ("tax", "taxCalculated", "reportingTax", "reportingTaxCalculated")


class Refunds:
    """The operation `transactions.refund`."""

    def __init__(self, documents: Documents, tokens: Tokens) -> None:
        self._documents = documents
        self._tokens = tokens

    def refund(self, company: str, sale: Json, body: Json) -> Json:
        """Refund a committed sale: all of it, some lines, a percentage, or the tax alone.

        Raises:
            AvataxError: the sale cannot be refunded so.
        """
        if sale["type"] != "SalesInvoice":
            message = "The document you attempted to refund was not a SalesInvoice."
            raise AvataxError(400, "InvalidDocumentTypeForRefund", message)
        if sale["status"] != "Committed":
            description = f"Expected Committed, but the document is {sale['status']}."
            message = "The document status is incorrect for this operation."
            raise AvataxError(400, "InvalidDocumentStatus", message, description)
        kind = body.get("refundType", "Full")
        share = _share(kind, body)
        unit = Decimal(1).scaleb(-exponent(sale["currencyCode"]))
        chosen = _chosen_lines(kind, sale, body)
        tax_only = kind == "TaxOnly"
        lines = [_turned_line(line, share, unit, body["refundDate"], tax_only=tax_only) for line in chosen]
        summary = _summary(lines, sale["summary"])
        id_ = self._documents.new_id()
        document = {
            **sale,
            "id": id_,
            "code": body.get("refundTransactionCode") or self._tokens.uuid(),
            "date": body["refundDate"][:10],
            "taxDate": sale["taxDate"],
            "type": "ReturnInvoice",
            "status": "Committed",
            "version": 1,
            "referenceCode": body.get("referenceCode", sale["code"]),
            "totalAmount": _total(lines, "lineAmount"),
            "totalExempt": _total(lines, "exemptAmount"),
            "totalDiscount": _total(lines, "discountAmount"),
            "totalTax": _total(lines, "tax"),
            "totalTaxable": _total(lines, "taxableAmount"),
            "totalTaxCalculated": _total(lines, "taxCalculated"),
            "adjustmentReason": "NotAdjusted",
            "lines": lines,
            "summary": summary,
        }
        return self._documents.keep(document, company)


def _share(kind: str, body: Json) -> Decimal:
    percentage = body.get("refundPercentage")
    if kind == "Percentage" and percentage is None:
        raise AvataxError(400, "RefundPercentageMissing", "A percentage refund needs a percentage.")
    if kind == "Full" and percentage not in {None, 0.0}:
        raise AvataxError(400, "RefundTypeAndPercentageMismatch", "A full refund cannot have a percentage.")
    if percentage is None or kind not in {"Percentage", "Partial"}:
        return Decimal(1)
    if not 0 <= percentage <= _HUNDRED:
        message = "You submitted a refund percentage lower than 0% or higher than 100%."
        raise AvataxError(400, "RefundPercentageOutOfRange", message)
    return Decimal(repr(percentage)) / _HUNDRED


def _chosen_lines(kind: str, sale: Json, body: Json) -> list[Json]:
    lines: list[Json] = sale["lines"]
    wanted = body.get("refundLines", [])
    if kind == "Full" and wanted:
        raise AvataxError(400, "RefundTypeAndLineMismatch", "A full refund cannot name lines.")
    if kind != "Partial":
        return lines
    if not wanted:
        raise AvataxError(400, "RefundLinesRequired", "A partial refund needs the lines to refund.")
    known = {line["lineNumber"]: line for line in lines}
    for number in wanted:
        if number not in known:
            message = "You attempted to refund a line item that did not exist in the original transaction."
            raise AvataxError(400, "LineNoOutOfRange", message, f"There is no line '{number}'.")
    return [known[number] for number in wanted]


def _turned_line(line: Json, share: Decimal, unit: Decimal, date: str, *, tax_only: bool) -> Json:
    amounts = Decimal(0) if tax_only else share
    details = [
        {
            **detail,
            **{name: _turned(detail[name], amounts, unit) for name in _DETAIL_AMOUNTS},
            **{name: _turned(detail[name], share, unit) for name in _DETAIL_TAXES},
        }
        for detail in line["details"]
    ]
    taxes = {name: _total(details, name) for name in _LINE_TAXES} if details else {}
    return {
        **line,
        **{name: _turned(line[name], amounts, unit) for name in _LINE_AMOUNTS},
        **{name: _turned(line[name], share, unit) for name in _LINE_TAXES},
        **taxes,
        "taxOverrideType": "TaxAmount",
        "taxOverrideAmount": taxes.get("tax", 0.0),
        "taxOverrideReason": f"Refund request on {date[:10]}",
        "details": details,
    }


def _summary(lines: list[Json], sale_summary: list[Json]) -> list[Json]:
    """Return the sale's summary with its sums made anew from the refunded lines."""
    details = [detail for line in lines for detail in line["details"]]

    def of(part: Json, name: str) -> float:
        mine = [
            detail
            for detail in details
            if (detail["jurisCode"], detail["taxName"]) == (part["jurisCode"], part["taxName"])
        ]
        return _total(mine, name)

    return [
        {
            **part,
            "taxable": of(part, "taxableAmount"),
            "tax": of(part, "tax"),
            "taxCalculated": of(part, "taxCalculated"),
            "nonTaxable": of(part, "nonTaxableAmount"),
            "exemption": of(part, "exemptAmount"),
        }
        for part in sale_summary
    ]


def _turned(number: float, share: Decimal, unit: Decimal) -> float:
    return -float((Decimal(repr(number)) * share).quantize(unit, rounding=ROUND_HALF_UP)) or 0.0


def _total(parts: list[Json], name: str) -> float:
    return float(sum((Decimal(repr(part[name])) for part in parts), Decimal(0)))
