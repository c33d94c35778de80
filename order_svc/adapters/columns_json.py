"""What an order has any number of, as JSON in one column: written and read whole, never searched.

Each is an array of arrays, or null for none; money is minor units of the order's currency, times are milliseconds since
1970. New members go to the end, and reading tolerates their absence.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import orjson

from kernel.money import Money
from order_svc.domain.fulfilment import Quantity, Shipment
from order_svc.domain.order import Alert
from order_svc.domain.payment import Dispute, RefundState
from order_svc.domain.refund import Refund, RefundKind
from order_svc.domain.shares import Share
from order_svc.domain.tax import Jurisdiction, Tax, TaxLine

T = TypeVar("T")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def to_ms(moment: datetime) -> int:
    """Return a moment as milliseconds since 1970."""
    return (moment - _EPOCH) // _MILLISECOND


def from_ms(milliseconds: int) -> datetime:
    """Return milliseconds since 1970 as a moment."""
    return _EPOCH + milliseconds * _MILLISECOND


def maybe_to_ms(moment: datetime | None) -> int | None:
    """Return a moment as milliseconds since 1970; None for none."""
    return None if moment is None else to_ms(moment)


def maybe_from_ms(milliseconds: int | None) -> datetime | None:
    """Return milliseconds since 1970 as a moment; None for none."""
    return None if milliseconds is None else from_ms(milliseconds)


def tax_lines_to_json(tax: Tax) -> str:
    """Return the lines of a tax."""
    lines = [
        [
            line.line_id,
            line.tax.minor_units,
            [[each.name, each.kind, each.rate, each.tax.minor_units] for each in line.jurisdictions],
        ]
        for line in tax.lines
    ]
    return orjson.dumps(lines).decode()


def tax_lines_from_json(column: str, currency: str) -> tuple[TaxLine, ...]:
    """Return the lines of a tax."""
    return tuple(
        TaxLine(
            line_id,
            Money(currency, tax),
            tuple(Jurisdiction(name, kind, rate, Money(currency, share)) for name, kind, rate, share in jurisdictions),
        )
        for line_id, tax, jurisdictions in orjson.loads(column)
    )


def names_to_json(names: Iterable[str]) -> str | None:
    """Return names as an array."""
    return _array(names, str)


def names_from_json(column: str | None) -> tuple[str, ...]:
    """Return names of an array."""
    return tuple(orjson.loads(column)) if column else ()


def metadata_to_json(metadata: Iterable[tuple[str, str]]) -> str | None:
    """Return the shop's own facts, in their order."""
    return _array(metadata, list)


def metadata_from_json(column: str | None) -> tuple[tuple[str, str], ...]:
    """Return the shop's own facts, in their order."""
    return tuple((key, value) for key, value in orjson.loads(column)) if column else ()


def shipments_to_json(shipments: Iterable[Shipment]) -> str | None:
    """Return shipments."""
    return _array(
        shipments,
        lambda each: [
            each.number,
            _quantities(each.items),
            each.carrier,
            each.tracking_number,
            each.tracking_url,
            maybe_to_ms(each.shipped_at),
            maybe_to_ms(each.delivered_at),
            each.release_rest,
        ],
    )


def shipments_from_json(column: str | None) -> tuple[Shipment, ...]:
    """Return shipments."""
    return tuple(
        Shipment(
            number,
            _quantities_from(items),
            carrier,
            tracking_number,
            tracking_url,
            maybe_from_ms(shipped),
            maybe_from_ms(delivered),
            rest,
        )
        for number, items, carrier, tracking_number, tracking_url, shipped, delivered, rest in _rows(column)
    )


def refunds_to_json(refunds: Iterable[Refund]) -> str | None:
    """Return refunds."""
    return _array(
        refunds,
        lambda each: [
            each.number,
            each.kind.value,
            [[share.line_id, share.net.minor_units, share.tax.minor_units] for share in each.shares],
            each.amount.minor_units,
            to_ms(each.asked_at),
            _quantities(each.items),
            each.reason,
            each.state.value,
            each.send,
            each.refund_id,
            each.provider_refund_id,
            each.failure_reason,
            each.booked,
        ],
    )


def refunds_from_json(column: str | None, currency: str) -> tuple[Refund, ...]:
    """Return refunds."""
    return tuple(_refund(row, currency) for row in _rows(column))


def _refund(row: list[Any], currency: str) -> Refund:
    number, kind, parts, amount, asked_at, items, reason, state, send, *ids = row
    refund_id, provider_refund_id, failure_reason, booked = ids
    return Refund(
        number=number,
        kind=RefundKind(kind),
        shares=tuple(Share(line_id, Money(currency, net), Money(currency, tax)) for line_id, net, tax in parts),
        amount=Money(currency, amount),
        asked_at=from_ms(asked_at),
        items=_quantities_from(items),
        reason=reason,
        state=RefundState(state),
        send=send,
        refund_id=refund_id,
        provider_refund_id=provider_refund_id,
        failure_reason=failure_reason,
        booked=booked,
    )


def alerts_to_json(alerts: Iterable[Alert]) -> str | None:
    """Return alerts."""
    return _array(alerts, lambda each: [each.kind, each.subject, each.message, to_ms(each.noticed_at)])


def alerts_from_json(column: str | None) -> tuple[Alert, ...]:
    """Return alerts."""
    return tuple(Alert(kind, subject, message, from_ms(at)) for kind, subject, message, at in _rows(column))


def disputes_to_json(disputes: Iterable[Dispute]) -> str | None:
    """Return disputes."""
    return _array(
        disputes,
        lambda each: [
            each.provider_dispute_id,
            each.state,
            each.amount.minor_units,
            each.reason,
            maybe_to_ms(each.evidence_due_at),
            to_ms(each.opened_at),
        ],
    )


def disputes_from_json(column: str | None, currency: str) -> tuple[Dispute, ...]:
    """Return disputes."""
    return tuple(
        Dispute(dispute_id, state, Money(currency, amount), reason, maybe_from_ms(due), from_ms(opened))
        for dispute_id, state, amount, reason, due, opened in _rows(column)
    )


def documents_to_json(documents: Mapping[int, str]) -> str | None:
    """Return the codes of refunds' tax documents."""
    return _array(sorted(documents.items()), list)


def documents_from_json(column: str | None) -> dict[int, str]:
    """Return the codes of refunds' tax documents, by the number of the refund."""
    return dict(_rows(column))


def _array(things: Iterable[T], row: Callable[[T], Any]) -> str | None:
    rows = [row(each) for each in things]
    return orjson.dumps(rows).decode() if rows else None


def _rows(column: str | None) -> list[Any]:
    return list(orjson.loads(column)) if column else []


def _quantities(items: Iterable[Quantity]) -> list[list[object]]:
    return [[each.sku, each.quantity] for each in items]


def _quantities_from(items: list[list[Any]]) -> tuple[Quantity, ...]:
    return tuple(Quantity(sku, quantity) for sku, quantity in items)
