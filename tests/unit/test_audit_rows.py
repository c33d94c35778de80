"""From messages to rows: what is not known has its own word."""

from ordermesh.order.v1 import order_pb2
from ordermesh.payment.v1 import payment_pb2
from ordermesh.type.v1 import money_pb2

from cli.audit import rows_grpc


def dollars(minor_units: int) -> money_pb2.Money:
    return money_pb2.Money(currency_code="USD", minor_units=minor_units)


def test_an_order_without_tax_and_total_has_none() -> None:
    row = rows_grpc.order_row(order_pb2.Order(order_id="o", state=order_pb2.ORDER_STATE_PENDING, subtotal=dollars(100)))

    assert (row.state, row.currency, row.subtotal, row.tax, row.total) == ("PENDING", "USD", 100, None, None)
    assert (row.tax_source, row.document_code, row.provider_payment_id) == ("UNSPECIFIED", "", "")


def test_an_order_whose_tax_is_nothing_has_a_tax() -> None:
    message = order_pb2.Order(order_id="o", subtotal=dollars(100), total=dollars(100))
    message.tax.amount.CopyFrom(dollars(0))

    row = rows_grpc.order_row(message)

    assert (row.tax, row.total) == (0, 100)


def test_a_state_of_a_newer_service_is_told_by_its_number() -> None:
    message = payment_pb2.ProviderPayment(provider_payment_id="pi_1", amount=dollars(1))
    message.state = 77  # type: ignore[assignment]  # no value of this command's contract

    assert rows_grpc.charge_row(message).state == "77"
