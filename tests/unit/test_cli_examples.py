"""The orders in examples/ are ones that the contract takes."""

from pathlib import Path

import protovalidate
import pytest
from ordermesh.order.v1 import order_service_pb2 as pb

from gateway.json_text import parse_object
from gateway.read_json import MessageReaders

EXAMPLES = sorted(Path(__file__).parents[2].joinpath("examples").glob("order*.json"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_a_valid_order_without_a_key(path: Path) -> None:
    document = parse_object(path.read_bytes())

    assert "request_id" not in document
    assert document["payment_method"] == "pm_card_visa"
    request = MessageReaders().read(pb.PlaceOrderRequest.DESCRIPTOR, {**document, "request_id": "k1"})
    protovalidate.validate(request)


def test_there_is_one_from_the_united_states_and_one_from_europe() -> None:
    assert [path.name for path in EXAMPLES] == ["order-eu.json", "order.json"]
