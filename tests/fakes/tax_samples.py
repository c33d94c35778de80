"""A basis to be taxed, as the domain and as the wire have it."""

from datetime import UTC, date, datetime, timedelta
from itertools import count
from uuid import UUID

from ordermesh.tax.v1 import tax_pb2, tax_service_pb2
from ordermesh.type.v1 import address_pb2, money_pb2

from kernel.address import Address
from kernel.money import Money
from kernel.request import Request
from tax_svc.app.ports import Command, Use
from tax_svc.domain.basis import Basis, BasisLine
from tax_svc.domain.document import Document, DocumentKind, DocumentState
from tax_svc.domain.giveback import Giveback, ReturnedLine

BERLIN = Address("Unter den Linden 1", "", "Berlin", "", "10117", "DE")
SAN_FRANCISCO = Address("1 Market St", "Suite 2", "San Francisco", "CA", "94105", "US")
NOWHERE = Address("Invalid street", "", "Invalid city", "PA", "00000", "US")


def basis(
    *amounts: int, currency_code: str = "USD", ship_to: Address = SAN_FRANCISCO, prices_include_tax: bool = False
) -> Basis:
    """Return a basis with a line for each amount."""
    lines = tuple(
        BasisLine(f"line-{place}", f"SKU-{place}", "A thing", place, Money(currency_code, amount), "")
        for place, amount in enumerate(amounts or (1999,), start=1)
    )
    return Basis("customer-1", currency_code, lines, ship_to, prices_include_tax)


def giveback(code: str, order: str, sold: Basis, *shares: tuple[int, int]) -> Giveback:
    """Return what is given back: the amount and the tax of each of the first lines of what was sold."""
    lines = tuple(
        ReturnedLine(line, Money(sold.currency_code, amount), Money(sold.currency_code, tax))
        for line, (amount, tax) in zip(sold.lines, shares, strict=False)
    )
    return Giveback(code, order, sold, lines)


def request(request_id: str = "key-1", fingerprint: str = "f" * 64) -> Request:
    """Return a use of an idempotency key."""
    return Request("local", request_id, fingerprint)


def use(request_id: str = "key-1", fingerprint: str = "f" * 64, command: Command = Command.COMMIT) -> Use:
    """Return a use of a key by one command."""
    return Use(command, request(request_id, fingerprint))


NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def document(
    code: str, recorded: int = 172, charged: int = 160, *, order: str = "", minutes: int = 0, currency_code: str = "USD"
) -> Document:
    """Return a sale's document, or a return's where `order` says another order than the code."""
    return Document(
        code=code,
        order_id=order or code,
        kind=DocumentKind.RETURN if order else DocumentKind.SALE,
        state=DocumentState.COMMITTED,
        recorded_tax=Money(currency_code, recorded),
        charged_tax=Money(currency_code, charged),
        booked_on=date(2026, 11, 23),
        created_at=NOON + timedelta(minutes=minutes),
    )


_numbers = count(1)


def order_id() -> str:
    """Return a new order's id."""
    return str(UUID(int=next(_numbers), version=4))


def money_message(minor_units: int, currency_code: str = "USD") -> money_pb2.Money:
    return money_pb2.Money(currency_code=currency_code, minor_units=minor_units)


def basis_message(*amounts: int, currency_code: str = "USD", **ship_to: str) -> tax_pb2.TaxBasis:
    """Return the same basis as a message; keywords replace fields of its address."""
    address = {
        "line1": "1 Market St",
        "locality": "San Francisco",
        "administrative_area": "CA",
        "postal_code": "94105",
        "region_code": "US",
    }
    return tax_pb2.TaxBasis(
        customer_id="customer-1",
        currency_code=currency_code,
        lines=[
            tax_pb2.TaxBasisLine(
                line_id=f"line-{place}",
                sku=f"SKU-{place}",
                description="A thing",
                quantity=place,
                amount=money_message(amount, currency_code),
            )
            for place, amount in enumerate(amounts or (1999,), start=1)
        ],
        ship_to=address_pb2.Address(**{**address, **ship_to}),
    )


def commit_message(request_id: str, order: str, charged: int = 172, *amounts: int) -> tax_service_pb2.CommitTaxRequest:
    return tax_service_pb2.CommitTaxRequest(
        request_id=request_id, order_id=order, basis=basis_message(*amounts), charged_tax=money_message(charged)
    )


def refund_message(request_id: str, order: str, *shares: tuple[int, int]) -> tax_service_pb2.RefundTaxRequest:
    """Return the request that gives the first lines of the sale back, each by an amount and a tax."""
    return tax_service_pb2.RefundTaxRequest(
        request_id=request_id,
        order_id=order,
        basis=basis_message(*(1999 for _ in shares)),
        lines=[
            tax_pb2.TaxRefundLine(line_id=f"line-{place}", amount=money_message(amount), tax=money_message(tax))
            for place, (amount, tax) in enumerate(shares, start=1)
        ],
    )
