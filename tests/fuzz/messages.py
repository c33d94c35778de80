"""Messages of any type of the contract, drawn at random: likely ones, by the names of their fields."""

import random
import uuid
from typing import Any

from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from tests.fakes.whole_mesh import EXAMPLE

Draw = random.Random

# What a field of this name usually holds. Others are empty, or short words.
_USUAL: dict[str, tuple[Any, ...]] = {
    "administrative_area": ("CA", "NY", ""),
    "applies_to_skus": ("mug",),
    "currency_code": ("USD", "EUR", "JPY", "KWD"),
    "customer_id": ("c-1", "c-2"),
    "email": ("ada@example.com",),
    "entity_use_code": ("", "A"),
    "event_types": ("order.refunded",),
    "line1": ("2000 Main Street",),
    "locale": ("", "de", "en-GB"),
    "locality": ("Irvine",),
    "minor_units": (0, 1, 999, 2500, 10_000),
    "page_size": (0, 1, 50, 1000),
    "page_token": ("",),
    "payment_method": ("pm_card_visa", "pm_card_chargeDeclined", "pm_card_threeDSecure2Required"),
    "postal_code": ("92614",),
    "provider_customer_id": ("",),
    "provider_payment_id": ("pi_1",),
    "quantity": (1, 2, 7),
    "recipient_email": ("ada@example.com",),
    "region_code": ("US", "DE"),
    "signature": ("t=1,v1=00",),
    "sku": ("mug", "tea"),
    "tax_code": ("", "P0000000"),
    "tracking_url": ("", "https://carrier.example/1"),
    # Nobody listens on that port, so that nothing goes anywhere.
    "url": ("http://127.0.0.1:9/hooks",),
    "version": (1, 2),
}
_WORDS = ("", "a", "blue mug", "Größe")
_IDS = frozenset({"order_id", "payment_id", "notification_id", "endpoint_id", "delivery_id"})
_EXAMPLES = frozenset({"PlaceOrderRequest", "QuoteOrderRequest"})
_MOST_ITEMS = 3


class Likely:
    """Draws messages that many rules allow.

    Args:
        draw: What all draws come from.

    Attributes:
        known: Ids that exist, to be asked for; they may be added to.
    """

    def __init__(self, draw: Draw) -> None:
        self._draw = draw
        self.known: list[str] = []

    def message(self, descriptor: Descriptor) -> Message:
        """Return a message of the type."""
        make = message_factory.GetMessageClass(descriptor)
        if descriptor.full_name.startswith("google.protobuf."):
            return make()
        message = make()
        for field in descriptor.fields:
            if field.has_presence and field.message_type is None and self._draw.random() < 0.5:
                continue
            self._fill(message, field)
        if descriptor.name in _EXAMPLES and self._draw.random() < 0.7:
            example = {name: value for name, value in EXAMPLE.items() if name in descriptor.fields_by_name}
            json_format.ParseDict(example, message)
        return message

    def _fill(self, message: Message, field: FieldDescriptor) -> None:
        inner = field.message_type
        if inner is not None and inner.GetOptions().map_entry:
            return
        if field.is_repeated:
            values = [self.value(field) for _ in range(self._draw.randint(0, _MOST_ITEMS))]
            getattr(message, field.name).extend(values)
        elif inner is not None:
            getattr(message, field.name).CopyFrom(self.message(inner))
        else:
            setattr(message, field.name, self.value(field))

    def value(self, field: FieldDescriptor) -> Any:  # noqa: ANN401  (any type of field)
        """Return a value of the field, or of one of its items."""
        if field.message_type is not None:
            return self.message(field.message_type)
        if field.enum_type is not None:
            return self._draw.choice(field.enum_type.values).number
        if field.type == FieldDescriptor.TYPE_STRING:
            return self._text(field.name)
        if field.type == FieldDescriptor.TYPE_BYTES:
            return self._draw.choice((b"{}", b"[]", b'{"id": "evt_1", "type": "x"}'))
        if field.type == FieldDescriptor.TYPE_BOOL:
            return self._draw.random() < 0.2
        return self._draw.choice(_USUAL.get(field.name, (0, 1)))

    def _text(self, name: str) -> Any:  # noqa: ANN401  (as _USUAL)
        if name in _IDS:
            if self.known and self._draw.random() < 0.7:
                return self._draw.choice(self.known)
            return str(uuid.UUID(int=self._draw.getrandbits(128), version=4))
        if name == "request_id":
            return f"{self._draw.getrandbits(40):x}"
        return self._draw.choice(_USUAL.get(name, _WORDS))
