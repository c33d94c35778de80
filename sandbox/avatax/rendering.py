"""A tax document as AvaTax writes it: TransactionModel with lines, details, addresses and summary."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sandbox.avatax.calculation import Detail, LineTax
from sandbox.avatax.places import Place
from sandbox.avatax.rates import Tax

Json = dict[str, Any]

COMPANY_ID = 848_107
_USER_ID = 429_316
_TAX_CODE_ID = 8087
_NEVER = "1900-01-01"  # AvaTax's way of saying "no payment date yet"
_GENERAL = ("General", "G")
_STANDARD = ("Standard", "S")
_ZERO_RATE = ("Zero", "Z")


_ESTIMATED = {
    "summary": "Estimated rates",
    "details": "The rates of US states and Canadian provinces are estimates here: good for trying out, not for filing.",
    "refersTo": "Rates",
    "severity": "Warning",
    "source": "ordermesh.sandbox",
}


@dataclass(frozen=True, slots=True)
class Document:
    """A calculated document with what the caller said about it."""

    id: int
    """0 for an estimate that is not kept."""
    code: str
    type: str
    status: str
    version: int
    request: Json
    lines: Sequence[LineTax]
    sources: Sequence[Json]
    """The request's lines, in the same order."""
    positions: Sequence[tuple[int, int]]
    """For each line its destination and origin: positions in `places`, from 1."""
    places: Sequence[Place]
    modified: str
    adjustment_reason: str = "NotAdjusted"


def render(document: Document) -> Json:
    """Return the document as JSON; amounts are numbers of major units."""
    request = document.request
    date = request["date"][:10]
    override = request.get("taxOverride") or {}
    tax_date = override.get("taxDate", date)[:10] if override.get("type") == "TaxDate" else date
    destination = document.places[document.positions[0][0] - 1]
    entity_use = request.get("entityUseCode", "")
    shown: Json = {
        "id": document.id,
        "code": document.code,
        "companyId": COMPANY_ID,
        "date": date,
        "paymentDate": date if document.id == 0 else _NEVER,
        "status": document.status,
        "type": document.type,
        "batchCode": "",
        "currencyCode": request.get("currencyCode", "USD"),
        "exchangeRateCurrencyCode": request.get("currencyCode", "USD"),
        "customerUsageType": entity_use,
        "entityUseCode": entity_use,
        "customerVendorCode": request["customerCode"],
        "customerCode": request["customerCode"],
        "exemptNo": request.get("exemptionNo", ""),
        "reconciled": False,
        "locationCode": "",
        "reportingLocationCode": request.get("reportingLocationCode", ""),
        "purchaseOrderNo": request.get("purchaseOrderNo", ""),
        "referenceCode": request.get("referenceCode", ""),
        "salespersonCode": request.get("salespersonCode", ""),
        "taxOverrideType": override.get("type", "None"),
        "taxOverrideAmount": override.get("taxAmount", 0.0),
        "taxOverrideReason": override.get("reason", ""),
        "totalAmount": _sum(line.amount for line in document.lines),
        "totalExempt": _sum(line.exempt for line in document.lines),
        "totalDiscount": _sum(line.discount for line in document.lines),
        "totalTax": _sum(line.charged for line in document.lines),
        "totalTaxable": _sum(line.taxable for line in document.lines),
        "totalTaxCalculated": _sum(line.calculated for line in document.lines),
        "adjustmentReason": document.adjustment_reason,
        "adjustmentDescription": "",
        "locked": False,
        "region": destination.region,
        "country": destination.country,
        "version": document.version,
        "originAddressId": 0,
        "destinationAddressId": 0,
        "exchangeRateEffectiveDate": date,
        "exchangeRate": 1.0,
        "description": request.get("description", ""),
        "email": request.get("email", ""),
        "businessIdentificationNo": request.get("businessIdentificationNo", ""),
        "modifiedDate": document.modified,
        "modifiedUserId": _USER_ID,
        "taxDate": tax_date,
        "lines": [_line(document, number, tax_date) for number in range(len(document.lines))],
        "addresses": [_address(document.id, position, place) for position, place in enumerate(document.places, 1)],
        "locationTypes": [],
        "summary": _summary([detail for line in document.lines for detail in line.details]),
    }
    if any(line.line.rates.estimated for line in document.lines):
        shown["messages"] = [_ESTIMATED]
    return shown


def _line(document: Document, number: int, tax_date: str) -> Json:
    result, source = document.lines[number], document.sources[number]
    destination, origin = document.positions[number]
    line_id = document.id and document.id + 1 + number
    entity_use = source.get("entityUseCode", document.request.get("entityUseCode", ""))
    override = result.line.tax_override
    shown: Json = {
        "id": line_id,
        "transactionId": document.id,
        "lineNumber": result.line.number,
        "customerUsageType": entity_use,
        "entityUseCode": entity_use,
        "description": source.get("description", ""),
        "destinationAddressId": destination,
        "originAddressId": origin,
        "discountAmount": float(result.discount),
        "exemptAmount": float(result.exempt),
        "exemptCertId": 0,
        "exemptNo": document.request.get("exemptionNo", ""),
        "isItemTaxable": bool(result.taxable),
        "itemCode": source.get("itemCode", ""),
        "lineAmount": float(result.amount),
        "quantity": float(source.get("quantity") or 1),
        "ref1": source.get("ref1", ""),
        "ref2": source.get("ref2", ""),
        "reportingDate": document.request["date"][:10],
        "revAccount": source.get("revenueAccount", ""),
        "sourcing": "Destination",
        "tax": float(result.charged),
        "taxableAmount": float(result.taxable),
        "taxCalculated": float(result.calculated),
        "taxCode": source.get("taxCode", "P0000000"),
        "taxCodeId": _TAX_CODE_ID,
        "taxDate": tax_date,
        "taxOverrideType": "None" if override is None else "TaxAmount",
        "taxOverrideAmount": 0.0 if override is None else float(override),
        "taxOverrideReason": (source.get("taxOverride") or {}).get("reason", ""),
        "taxIncluded": result.line.tax_included,
        "details": [_detail(document.id, line_id, detail) for detail in result.details],
        "nonPassthroughDetails": [],
        "lineLocationTypes": [
            _location(document.id, line_id, origin, "ShipFrom"),
            _location(document.id, line_id, destination, "ShipTo"),
        ],
        "hsCode": source.get("hsCode", ""),
        "costInsuranceFreight": 0.0,
        "vatCode": "",
        "vatNumberTypeId": 0,
    }
    return shown


def _location(document_id: int, line_id: int, position: int, kind: str) -> Json:
    return {
        "documentLineLocationTypeId": 0 if document_id == 0 else line_id * 10 + position,
        "documentLineId": line_id,
        "documentAddressId": position,
        "locationTypeCode": kind,
    }


def _rate_type(tax: Tax) -> tuple[str, str]:
    if not tax.rate:
        return _ZERO_RATE
    return _GENERAL if tax.kind == "Sales" else _STANDARD


def _detail(document_id: int, line_id: int, detail: Detail) -> Json:
    tax = detail.tax
    taxable, exempt, non_taxable = float(detail.taxable), float(detail.exempt), float(detail.non_taxable)
    charged, calculated = float(detail.charged), float(detail.calculated)
    rate_type, rate_code = _rate_type(tax)
    return {
        "id": 0 if document_id == 0 else line_id * 10,
        "transactionLineId": line_id,
        "transactionId": document_id,
        "country": tax.country,
        "region": tax.region,
        "stateFIPS": tax.fips,
        "exemptAmount": exempt,
        "jurisCode": tax.code,
        "jurisName": tax.name,
        "jurisdictionId": 0,
        "stateAssignedNo": "",
        "jurisType": tax.type_code,
        "jurisdictionType": tax.level,
        "nonTaxableAmount": non_taxable,
        "rate": float(tax.rate),
        "sourcing": "Destination",
        "tax": charged,
        "taxableAmount": taxable,
        "taxType": tax.kind,
        "taxSubTypeId": tax.kind[0],
        "taxName": tax.tax_name,
        "taxAuthorityTypeId": 45,
        "taxCalculated": calculated,
        "rateType": rate_type,
        "rateTypeCode": rate_code,
        "taxableUnits": taxable,
        "nonTaxableUnits": non_taxable,
        "exemptUnits": exempt,
        "unitOfBasis": "PerCurrencyUnit",
        "isNonPassThru": False,
        "isFee": False,
        "reportingTaxableUnits": taxable,
        "reportingNonTaxableUnits": non_taxable,
        "reportingExemptUnits": exempt,
        "reportingTax": charged,
        "reportingTaxCalculated": calculated,
        "liabilityType": "Seller",
        "chargedTo": "Buyer",
    }


def _summary(details: Sequence[Detail]) -> list[Json]:
    by_tax: dict[Tax, list[Detail]] = {}
    for detail in details:
        by_tax.setdefault(detail.tax, []).append(detail)
    return [
        {
            "country": tax.country,
            "region": tax.region,
            "jurisType": tax.level,
            "jurisCode": tax.code,
            "jurisName": tax.name,
            "taxAuthorityType": 45,
            "stateAssignedNo": "",
            "taxType": tax.kind,
            "taxSubType": tax.kind[0],
            "taxName": tax.tax_name,
            "rateType": _rate_type(tax)[0],
            "taxable": _sum(detail.taxable for detail in parts),
            "rate": float(tax.rate),
            "tax": _sum(detail.charged for detail in parts),
            "taxCalculated": _sum(detail.calculated for detail in parts),
            "nonTaxable": _sum(detail.non_taxable for detail in parts),
            "exemption": _sum(detail.exempt for detail in parts),
        }
        for tax, parts in by_tax.items()
    ]


def _address(document_id: int, position: int, place: Place) -> Json:
    return {
        "id": position,
        "transactionId": document_id,
        "boundaryLevel": "Zip5",
        "line1": place.line1,
        "line2": place.line2,
        "line3": place.line3,
        "city": place.city,
        "region": place.region,
        "postalCode": place.postal_code,
        "country": place.country,
        "taxRegionId": 0,
        "taxRegionIdAv": 0,
        "latitude": "",
        "longitude": "",
    }


def _sum(amounts: Iterable[Decimal]) -> float:
    """Add exactly; only then does it become a JSON number."""
    return float(sum(amounts, Decimal(0)))
