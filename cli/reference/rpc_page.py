"""docs/rpc.md: every service, method, message and enumeration, as the protos and their comments have it."""

from collections.abc import Iterator

from google.protobuf import descriptor_pb2, text_format
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor, MethodDescriptor, ServiceDescriptor

from chassis.access.rules import rule_of
from cli.reference.table import table
from gateway.contract import Contract, field_rules, http_rule

_HEADING = """\
# RPC reference

<!-- Written by `ordermesh reference` from protos/. -->

Every method of the contract, with who may call it and whether it may be repeated, and every message. Rules of fields
are [protovalidate's](https://protovalidate.com): what breaks one is refused with `VALIDATION_FAILED`, which names the
field. Every port has reflection, so that `grpcurl` and `buf curl` know all of it. The same methods over REST are in
[rest.md](rest.md), errors in [errors.md](errors.md).
"""

_REPEATED = {
    descriptor_pb2.MethodOptions.NO_SIDE_EFFECTS: "changes nothing; repeat it as you like",
    descriptor_pb2.MethodOptions.IDEMPOTENT: "counts once; the same call again is answered and changes nothing more",
    descriptor_pb2.MethodOptions.IDEMPOTENCY_UNKNOWN: "is never repeated by itself",
}
_SCALARS: dict[int, str] = {
    number: name.removeprefix("TYPE_").lower() for name, number in descriptor_pb2.FieldDescriptorProto.Type.items()
}


def page(known: Contract) -> str:
    """Return the page."""
    parts = [_HEADING]
    for service in known.services:
        parts += _of_service(known, service)
    messages, enums = _reachable(known)
    parts += ["## Messages"]
    for message in messages:
        parts += [f"### {message.name}", known.comment(message), _fields(known, message)]
    parts += ["## Enumerations"]
    for enum in enums:
        rows = ((f"`{value.name}`", known.comment(value)) for value in enum.values)
        parts += [f"### {enum.name}", known.comment(enum), table(("Value", "What it means"), rows)]
    return "\n\n".join(part.rstrip("\n") for part in parts if part) + "\n"


def _of_service(known: Contract, service: ServiceDescriptor) -> Iterator[str]:
    yield f"## {service.name}"
    yield known.comment(service)
    yield f"`{service.full_name}`"
    for method in service.methods:
        yield f"### {service.name}.{method.name}"
        yield f"`{method.name}({_taken(method)}) returns ({_given(method)})`"
        yield known.comment(method)
        yield "\n".join(f"* {fact}" for fact in _facts(method))


def _facts(method: MethodDescriptor) -> Iterator[str]:
    rule, rest = rule_of(method), http_rule(method)
    if rule is not None:
        who = [f"scope `{rule.scope}`"] if rule.scope else []
        who += ["customers, for what is their own"] if rule.own else []
        who += [f"parts of the mesh: {', '.join(sorted(rule.services))}"] if rule.services else []
        yield f"For: {'; '.join(who)}"
    keyed = "request_id" in method.input_type.fields_by_name
    yield f"It {_REPEATED[method.GetOptions().idempotency_level]}{', by its `request_id`' if keyed else ''}"
    if rest is not None and (kind := rest.WhichOneof("pattern")):
        yield f"REST: `{kind.upper()} {getattr(rest, kind)}`"


def _taken(method: MethodDescriptor) -> str:
    return ("stream " if method.client_streaming else "") + method.input_type.name


def _given(method: MethodDescriptor) -> str:
    return ("stream " if method.server_streaming else "") + method.output_type.name


def _fields(known: Contract, message: Descriptor) -> str:
    rows = ((f"`{field.name}`", _type(field), _rules(field), known.comment(field)) for field in message.fields)
    return table(("Field", "Type", "Rules", "What it is"), rows)


def _type(field: FieldDescriptor) -> str:
    inner = field.message_type
    if inner is not None and inner.GetOptions().map_entry:
        return f"map<{_type(inner.fields_by_name['key'])}, {_type(inner.fields_by_name['value'])}>"
    name = inner.full_name if inner is not None else field.enum_type.name if field.enum_type else _SCALARS[field.type]
    name = name if name.startswith("google.") else name.rpartition(".")[2]
    return f"repeated {name}" if field.is_repeated else name


def _rules(field: FieldDescriptor) -> str:
    rules = field_rules(field)
    if rules is None:
        return ""
    return f"`{text_format.MessageToString(rules, as_one_line=True)}`"


def _reachable(known: Contract) -> tuple[list[Descriptor], list[EnumDescriptor]]:
    """Return our messages and enumerations that methods speak of, by name."""
    messages: dict[str, Descriptor] = {}
    enums: dict[str, EnumDescriptor] = {}
    waiting = [message for method in known.methods() for message in (method.input_type, method.output_type)]
    while waiting:
        message = waiting.pop()
        if message.full_name in messages or message.full_name.startswith("google."):
            continue
        messages[message.full_name] = message
        waiting += [field.message_type for field in message.fields if field.message_type is not None]
        enums |= {field.enum_type.full_name: field.enum_type for field in message.fields if field.enum_type is not None}
    shown = [each for each in messages.values() if not each.GetOptions().map_entry]
    return sorted(shown, key=lambda each: each.name), sorted(enums.values(), key=lambda each: each.name)
