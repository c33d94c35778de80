"""The layer that validates refuses card numbers in every text of every request, and never repeats them."""

import importlib
import pkgutil
from collections.abc import Iterator

import grpc
import ordermesh
import pytest
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from ordermesh.order.v1 import order_pb2, order_service_pb2

from chassis.errors import CODES, to_status
from chassis.serving.card_guard import is_suspicious, refuse_card_numbers
from kernel.errors import Reason, Refusal

CARD = "4242424242424242"


def methods() -> Iterator[MethodDescriptor]:
    """Yield every method of the contract."""
    for module in pkgutil.walk_packages(ordermesh.__path__, "ordermesh."):
        if module.name.endswith("_service_pb2"):
            for service in importlib.import_module(module.name).DESCRIPTOR.services_by_name.values():
                yield from service.methods


def positions(descriptor: Descriptor, prefix: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the way to each text that a message may hold."""
    for field in descriptor.fields:
        here = (*prefix, field.name)
        if field.message_type is not None:
            yield from positions(field.message_type, here)
        elif field.type == FieldDescriptor.TYPE_STRING:
            yield here


def planted(descriptor: Descriptor, way: tuple[str, ...]) -> Message:
    """Return a message with the card number at the end of the way, and nothing else."""
    message = message_factory.GetMessageClass(descriptor)()
    name, *rest = way
    field = descriptor.fields_by_name[name]
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        getattr(message, name).update({CARD: "x"} if rest == ["key"] else {"x": CARD})
    elif field.message_type is not None:
        inner = planted(field.message_type, tuple(rest))
        getattr(message, name).MergeFrom([inner] if field.is_repeated else inner)
    elif field.is_repeated:
        getattr(message, name).append(CARD)
    else:
        setattr(message, name, CARD)
    return message


METHODS = list(methods())


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_every_text_of_every_request_is_looked_at(method: MethodDescriptor) -> None:
    for way in positions(method.input_type):
        message = planted(method.input_type, way)

        assert is_suspicious(message.SerializeToString())
        with pytest.raises(Refusal) as refused:
            refuse_card_numbers(message)

        assert refused.value.reason is Reason.CARD_NUMBER_REFUSED
        assert refused.value.fields[0].field.startswith(way[0])
        assert CARD.encode() not in to_status(refused.value).SerializeToString()


def test_there_are_as_many_texts_as_the_contract_has() -> None:
    assert len(METHODS) > 30
    assert sum(len(list(positions(method.input_type))) for method in METHODS) > 200


def test_the_field_is_named_as_a_caller_writes_it() -> None:
    items = [order_pb2.OrderItem(sku="a"), order_pb2.OrderItem(sku="b", applies_to_skus=["a", f"b {CARD}"])]
    request = order_service_pb2.PlaceOrderRequest(items=items, metadata={"a": "1", "b": CARD})

    with pytest.raises(Refusal) as refused:
        refuse_card_numbers(request)

    assert [each.field for each in refused.value.fields] == ["items[1].applies_to_skus[1]", "metadata.values[1]"]
    assert CODES[refused.value.reason] is grpc.StatusCode.INVALID_ARGUMENT


def test_a_request_without_long_numbers_is_not_walked() -> None:
    request = order_service_pb2.GetOrderRequest(order_id="0191abcd-1234-7abc-8424-4242a2424242")

    assert not is_suspicious(request.SerializeToString())


def test_a_request_full_of_card_numbers_names_some_of_them() -> None:
    request = order_service_pb2.RefundOrderRequest(skus=[CARD] * 200)

    with pytest.raises(Refusal) as refused:
        refuse_card_numbers(request)

    assert len(refused.value.fields) == 10
