"""The innermost layer: request bytes become a message that keeps every rule of the protos, or the call is refused."""

from typing import Any

import protovalidate
from google.protobuf.message import DecodeError, Message

from chassis.layers import Context, Gate, Method
from chassis.serving.card_guard import is_suspicious, refuse_card_numbers
from kernel.errors import FieldViolation, Reason, Refusal


class ValidationLayer(Gate):
    """Parses and validates."""

    def __init__(self) -> None:
        self._validator = protovalidate.Validator()

    async def admit(self, method: Method, request: Any, context: Context) -> Any:  # noqa: ANN401  (see layers.Unary)
        """Return the parsed request.

        Raises:
            Refusal: The bytes are no such message, a text holds a card number, or a field breaks its rule; every such
                field is named.
        """
        try:
            message = method.parse(request)
        except DecodeError:
            raise Refusal(
                Reason.VALIDATION_FAILED,
                f"The request is not a valid message of {method.name}; check the client's stubs.",
            ) from None
        if is_suspicious(request):
            refuse_card_numbers(message)
        self.check(message)
        return message

    def check(self, message: Message) -> None:
        """Refuse a message that breaks a rule."""
        violations = self._validator.collect_violations(message)
        if not violations:
            return
        fields = tuple(
            FieldViolation(_path(violation), violation.proto.message or violation.proto.rule_id)
            for violation in violations
        )
        listing = "; ".join(f"{each.field}: {each.description}" for each in fields)
        raise Refusal(Reason.VALIDATION_FAILED, listing, fields=fields)


def _path(violation: protovalidate.Violation) -> str:
    """Return the field's path as a caller writes it: "items[0].unit_price.currency_code"."""
    parts: list[str] = []
    path = violation.proto.field
    for element in () if path is None else path.elements:
        subscript = element.subscript
        index = f"[{subscript.value}]" if subscript is not None else ""
        parts.append(f"{element.field_name}{index}")
    return ".".join(parts)
