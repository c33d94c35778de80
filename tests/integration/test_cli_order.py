"""`ordermesh order …` against a recording server: each option reaches the field that it is for, each answer is told."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import grpc
import pytest
from click.testing import CliRunner, Result
from google.protobuf import json_format
from ordermesh.order.v1 import order_pb2, order_service_pb2
from ordermesh.type.v1 import money_pb2

from cli.__main__ import cli
from kernel.errors import Reason, Refusal
from tests.fakes.backend import ORDER_ID, Backend, an_order, running_backend

ORDER = an_order(
    customer={"customer_id": "c-1"},
    subtotal={"currency_code": "KWD", "minor_units": 2198},
    refunded={"currency_code": "KWD"},
    update_time={"seconds": 1_800_000_000},
    version=3,
    etag="e3",
)


@pytest.fixture(scope="module")
async def shared() -> AsyncIterator[Backend]:
    async with running_backend() as backend:
        yield backend


@pytest.fixture
def backend(shared: Backend) -> Backend:
    shared.calls.clear()
    shared.answers.clear()
    for method in order_service_pb2.DESCRIPTOR.services_by_name["OrderService"].methods:
        answer: Any = getattr(order_service_pb2, method.output_type.name)
        if "order" in method.output_type.fields_by_name:
            shared.answers[method.name] = answer(order=ORDER)
    return shared


@pytest.fixture
def values(backend: Backend) -> Mapping[str, str]:
    return {"ORDER_ADDR": backend.address}


async def told(values: Mapping[str, str], *arguments: str) -> Result:
    """Run a command beside the server, on an event loop of its own."""
    return await asyncio.to_thread(CliRunner().invoke, cli, ["order", *arguments], env=values)


def sent(backend: Backend) -> dict[str, Any]:
    """Return the latest request, as JSON, without what every command has."""
    request = json_format.MessageToDict(backend.last.request, preserving_proto_field_name=True)
    assert request.pop("order_id", ORDER_ID) == ORDER_ID
    return {name: value for name, value in request.items() if name != "request_id"}


@pytest.mark.parametrize(
    ("arguments", "rpc", "request_"),
    [
        ("cancel --reason typo --if-version e3", "CancelOrder", {"reason": "typo", "etag": "e3"}),
        ("refund", "RefundOrder", {}),
        (
            "refund --sku MUG --sku A=B=2 --reason broken",
            "RefundOrder",
            {"skus": ["MUG"], "items": [{"sku": "A=B", "quantity": 2}], "reason": "broken"},
        ),
        (
            "refund --amount 1.234",
            "RefundOrder",
            {"amount": {"currency_code": "KWD", "minor_units": "1234"}},
        ),
        ("process --if-version e3", "StartProcessing", {"etag": "e3"}),
        (
            "ship --item MUG=2 --item TEE=1 --carrier DHL --tracking 42 --tracking-url https://d.test/4 --release-rest",
            "ShipOrder",
            {
                "items": [{"sku": "MUG", "quantity": 2}, {"sku": "TEE", "quantity": 1}],
                "carrier": "DHL",
                "tracking_number": "42",
                "tracking_url": "https://d.test/4",
                "release_rest": True,
            },
        ),
        ("deliver --shipment 2", "DeliverOrder", {"shipment_id": "2"}),
        ("confirm --payment-method pm_card_visa", "ConfirmOrderPayment", {"payment_method": "pm_card_visa"}),
        ("annotate gift", "AnnotateOrder", {"note": "gift"}),
        ("review fine", "MarkOrderReviewed", {"finding": "fine"}),
        ("retry", "RetryOrder", {}),
    ],
)
async def test_a_command_says_what_its_options_say_and_shows_the_order(
    backend: Backend, values: Mapping[str, str], arguments: str, rpc: str, request_: dict[str, Any]
) -> None:
    name, *rest = arguments.split()

    # The id stands first, where a note would follow it.
    done = await told(values, name, ORDER_ID, *rest, "--key", "k-1")

    assert done.exit_code == 0, done.stderr
    assert (backend.last.method, backend.last.request.request_id) == (rpc, "k-1")
    assert sent(backend) == request_
    assert ORDER_ID in done.stdout
    assert "(version 3, etag e3)" in done.stdout


async def test_a_quote_asks_about_what_an_order_document_says_and_shows_its_lines_and_sums(
    backend: Backend, values: Mapping[str, str]
) -> None:
    price = money_pb2.Money(currency_code="USD", minor_units=5324)
    backend.answers["QuoteOrder"] = order_service_pb2.QuoteOrderResponse(
        subtotal=price, tax=order_pb2.OrderTax(amount=price), total=price
    )

    done = await told(values, "quote", "-f", "examples/order.json")

    assert done.exit_code == 0, done.output
    assert backend.last.method == "QuoteOrder"
    assert [item["sku"] for item in sent(backend)["items"]] == ["MUG-BLUE", "TEE-M"]
    assert "Mug, blue" in done.stdout
    assert "53.24 USD" in done.stdout


async def test_a_key_is_made_for_each_command_and_told_where_it_is_needed_again(
    backend: Backend, values: Mapping[str, str]
) -> None:
    await told(values, "process", ORDER_ID)
    first = backend.last.request.request_id
    backend.answers["StartProcessing"] = Refusal(Reason.INTERNAL, "Oops.", metadata={"errorId": "e-1"})
    failed = await told(values, "process", ORDER_ID)
    second = backend.last.request.request_id
    repeated = await told(values, "process", ORDER_ID, "--key", "k-1")

    assert first
    assert second not in {"", first}
    assert failed.exit_code == 3
    assert f"`--key {second}` does it once" in failed.stderr
    assert "`--key" not in repeated.stderr, "whoever gave the key has it"


async def test_a_refusal_names_what_is_legal_and_needs_no_key(backend: Backend, values: Mapping[str, str]) -> None:
    metadata = {"state": "PAID", "allowed": "RefundOrder,StartProcessing,ShipOrder"}
    backend.answers["CancelOrder"] = Refusal(Reason.ILLEGAL_STATE, "It is paid.", metadata=metadata)

    done = await told(values, "cancel", ORDER_ID)

    assert done.exit_code == 1
    assert "ILLEGAL_STATE: It is paid." in done.stderr
    assert "`ordermesh order refund`, `ordermesh order process`, `ordermesh order ship`" in done.stderr
    assert "--key" not in done.stderr


async def test_a_shipment_whose_money_cannot_be_taken_is_not_to_be_shipped(
    backend: Backend, values: Mapping[str, str]
) -> None:
    backend.answers["ShipOrder"] = Refusal(Reason.PAYMENT_DECLINED, "The hold has lapsed.")

    done = await told(values, "ship", ORDER_ID)

    assert (done.exit_code, "Do not ship" in done.stderr) == (1, True)


async def test_a_cancellation_that_is_not_sure_yet_says_so(backend: Backend, values: Mapping[str, str]) -> None:
    pending = order_pb2.Order()
    pending.CopyFrom(ORDER)
    pending.state = order_pb2.ORDER_STATE_PENDING
    backend.answers["CancelOrder"] = order_service_pb2.CancelOrderResponse(order=pending)

    done = await told(values, "cancel", ORDER_ID)

    assert "not known yet" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("refund", "--amount", "-1"), "is no amount"),
        (("refund", "--amount", "0"), "is no amount"),
        (("refund", "--amount", "1,50"), "is no amount"),
        (("refund", "--amount", "1", "--sku", "MUG"), "exclude each other"),
        (("ship", "--item", "MUG"), "is not SKU=N"),
        (("ship", "--item", "MUG=0"), "is not SKU=N"),
        (("refund", "--sku", ""), "is not SKU[=N]"),
    ],
)
async def test_what_cannot_be_meant_is_wrong_usage_and_nothing_is_asked(
    backend: Backend, values: Mapping[str, str], arguments: tuple[str, ...], complaint: str
) -> None:
    name, *rest = arguments

    done = await told(values, name, ORDER_ID, *rest)

    assert (done.exit_code, backend.calls) == (2, [])
    assert complaint in done.stderr


async def test_an_amount_finer_than_the_orders_currency_is_wrong_usage(
    backend: Backend, values: Mapping[str, str]
) -> None:
    yen = an_order(subtotal={"currency_code": "JPY", "minor_units": 100})
    backend.answers["GetOrder"] = order_service_pb2.GetOrderResponse(order=yen)

    done = await told(values, "refund", ORDER_ID, "--amount", "10.5")

    assert done.exit_code == 2
    assert "whose smallest amount is 1 JPY" in done.stderr
    assert [call.method for call in backend.calls] == ["GetOrder"]


async def test_every_filter_of_the_list_reaches_its_field(backend: Backend, values: Mapping[str, str]) -> None:
    backend.answers["ListOrders"] = order_service_pb2.ListOrdersResponse(orders=[ORDER])
    times = ("--from", "2026-03-01", "--before", "2026-03-02T09:30:00+01:00")
    texts = ("--state", "authorized", "--customer", "c-1", "--reference", "web-")

    done = await told(values, "list", *times, *texts, "--tax-differs", "--alerted", "--limit", "7", "-o", "json")

    assert sent(backend) == {
        "create_time_from": "2026-03-01T00:00:00Z",
        "create_time_before": "2026-03-02T08:30:00Z",
        "state": "ORDER_STATE_AUTHORIZED",
        "customer_id": "c-1",
        "reference_prefix": "web-",
        "tax_differs": True,
        "alerted": True,
        "page_size": 7,
    }
    assert [order["order_id"] for order in json.loads(done.stdout)] == [ORDER_ID]


async def test_a_time_that_is_none_is_wrong_usage(backend: Backend, values: Mapping[str, str]) -> None:
    done = await told(values, "list", "--from", "yesterday")

    assert (done.exit_code, backend.calls) == (2, [])
    assert "'yesterday' is no time" in done.stderr


async def test_a_command_that_the_services_do_not_know_says_so(backend: Backend, values: Mapping[str, str]) -> None:
    backend.answers["AnnotateOrder"] = grpc.StatusCode.UNIMPLEMENTED

    done = await told(values, "annotate", ORDER_ID, "")

    assert done.exit_code != 0
    assert "UNIMPLEMENTED" in done.stderr
