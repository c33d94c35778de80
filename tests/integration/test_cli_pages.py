"""Lists over many pages, and calls that wait: what is shown meanwhile."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping

import pytest
from click.testing import CliRunner
from ordermesh.notify.v1 import notify_service_pb2
from ordermesh.order.v1 import order_service_pb2
from ordermesh.tax.v1 import tax_pb2, tax_service_pb2
from ordermesh.webhook.v1 import webhook_pb2, webhook_service_pb2

from cli.__main__ import cli
from tests.fakes.backend import ORDER_ID, Backend, an_order, running_backend
from tests.fakes.progress_heard import Heard

PAGE = 200


@pytest.fixture(scope="module")
async def backend() -> AsyncIterator[Backend]:
    async with running_backend() as backend:
        order = an_order(customer={"customer_id": "c-1"}, update_time={"seconds": 1_800_000_000}, needs_review=True)
        backend.answers |= {
            "GetOrder": order_service_pb2.GetOrderResponse(order=order),
            "ListOrders": order_service_pb2.ListOrdersResponse(orders=[order] * PAGE, next_page_token="more"),
            "ExplainOrder": order_service_pb2.ExplainOrderResponse(order=order),
            "ListTaxDocuments": tax_service_pb2.ListTaxDocumentsResponse(
                documents=[tax_pb2.TaxDocument(code="1")] * PAGE, next_page_token="more"
            ),
            "ListWebhookDeliveries": webhook_service_pb2.ListWebhookDeliveriesResponse(
                deliveries=[webhook_pb2.WebhookDelivery(delivery_id="1")] * PAGE, next_page_token="more"
            ),
            "GetNotificationMail": notify_service_pb2.GetNotificationMailResponse(),
        }
        yield backend


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Heard:
    watching = Heard()
    for module in ("progress", "order_reading", "tax", "webhook"):
        monkeypatch.setattr(f"cli.{module}.progress", watching.progress)
    return watching


async def documents(backend: Backend, words: str) -> list[object]:
    values: Mapping[str, str] = dict.fromkeys(("ORDER_ADDR", "TAX_ADDR", "NOTIFY_ADDR"), backend.address)
    done = await asyncio.to_thread(CliRunner().invoke, cli, [*words.split(), "-o", "json"], env=values)
    assert done.exit_code == 0, done.output
    found: list[object] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ("order list", "reading orders"),
        ("tax documents", "reading tax documents"),
        ("webhook log", "reading deliveries"),
    ],
)
async def test_a_list_tells_after_each_page_how_much_it_has(
    backend: Backend, heard: Heard, words: str, what: str
) -> None:
    found = await documents(backend, f"{words} --limit {PAGE + 1}")

    assert len(found) >= PAGE + 1
    assert heard.told == [(what, 0, None), (what, PAGE, None)]
    assert not heard.open


async def test_orders_that_need_a_person_are_told_one_by_one(backend: Backend, heard: Heard) -> None:
    done = await asyncio.to_thread(
        CliRunner().invoke,
        cli,
        ["order", "list", "--needs-review", "--limit", "3"],
        env={"ORDER_ADDR": backend.address},
    )

    assert done.exit_code == 0, done.output
    stories = [each for each in heard.told if each[0] == "reading their stories"]
    assert [(done, of) for _, done, of in stories[:3]] == [(0, PAGE), (1, PAGE), (2, PAGE)]


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (f"order get {ORDER_ID}", "asking the order service"),
        (f"order explain {ORDER_ID}", "asking the order service"),
        ("webhook list", "asking the order service"),
        (f"mail show {ORDER_ID}", "asking the notification service"),
    ],
)
async def test_a_call_says_whom_it_waits_for(backend: Backend, heard: Heard, words: str, what: str) -> None:
    await documents(backend, words)

    assert (what, 0, None) in heard.told
    assert not heard.open
