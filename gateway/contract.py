"""The contract as data: services, messages, comments and options, read from a descriptor set with source comments.

Everything that the gateway serves and documents comes from here. It knows descriptors, and no service by name.
"""

import importlib
import importlib.resources
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from buf.validate import validate_pb2
from google.api import annotations_pb2, http_pb2
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import (
    Descriptor,
    EnumDescriptor,
    EnumValueDescriptor,
    FieldDescriptor,
    MethodDescriptor,
    ServiceDescriptor,
)

_OWN_PREFIX = "ordermesh/"

# The field numbers of descriptor.proto by which a source location names its element.
_MESSAGE, _ENUM, _SERVICE = 4, 5, 6
_NESTED_MESSAGE, _NESTED_ENUM = 3, 4
_FIELD, _VALUE, _METHOD = 2, 2, 2

Documented = Descriptor | EnumDescriptor | EnumValueDescriptor | FieldDescriptor | MethodDescriptor | ServiceDescriptor


class ContractError(Exception):
    """The contract asks for something that the gateway cannot serve; it refuses to start."""


@dataclass(frozen=True, slots=True)
class Contract:
    """What the services promise.

    Attributes:
        services: Every service, in the order of its file.
        pool: Where messages and enums are looked up by their full name.
        comments: The comment above each element, by its full name; elements without one are missing.
    """

    services: tuple[ServiceDescriptor, ...]
    pool: descriptor_pool.DescriptorPool
    comments: Mapping[str, str]

    def comment(self, element: Documented) -> str:
        """Return what the contract says about an element; empty when it says nothing."""
        return self.comments.get(_documented_name(element), "")

    def methods(self) -> Iterator[MethodDescriptor]:
        """Yield every RPC of every service."""
        for service in self.services:
            yield from service.methods

    def method(self, full_name: str) -> MethodDescriptor:
        """Return the RPC of that name ("ordermesh.order.v1.OrderService.GetOrder").

        Raises:
            ContractError: There is none.
        """
        for method in self.methods():
            if method.full_name == full_name:
                return method
        raise ContractError(f"the contract has no method {full_name}")


def load() -> Contract:
    """Return the contract that the installed stubs were generated from, on their own message classes."""
    file_set = descriptor_pb2.FileDescriptorSet.FromString(
        importlib.resources.files("ordermesh").joinpath("contract.binpb").read_bytes()
    )
    for file in file_set.file:
        if file.name.startswith(_OWN_PREFIX):
            importlib.import_module(file.name.removesuffix(".proto").replace("/", ".") + "_pb2")
    return describe(file_set, descriptor_pool.Default())


def describe(file_set: descriptor_pb2.FileDescriptorSet, pool: descriptor_pool.DescriptorPool) -> Contract:
    """Return the contract of a set of files whose descriptors are in the pool already."""
    services = tuple(
        pool.FindServiceByName(f"{file.package}.{service.name}") for file in file_set.file for service in file.service
    )
    comments = {name: text for file in file_set.file for name, text in _comments(file)}
    return Contract(services=services, pool=pool, comments=comments)


def http_rule(method: MethodDescriptor) -> http_pb2.HttpRule | None:
    """Return how REST reaches the method; None when it does not."""
    options = method.GetOptions()
    if not options.HasExtension(annotations_pb2.http):
        return None
    return options.Extensions[annotations_pb2.http]


def has_side_effects(method: MethodDescriptor) -> bool:
    """Return whether calling the method may change anything."""
    level: int = method.GetOptions().idempotency_level
    return level != descriptor_pb2.MethodOptions.NO_SIDE_EFFECTS


def field_rules(field: FieldDescriptor) -> validate_pb2.FieldRules | None:
    """Return the validation rules of a field; None when it has none."""
    options = field.GetOptions()
    if not options.HasExtension(validate_pb2.field):
        return None
    return options.Extensions[validate_pb2.field]


def _documented_name(element: Documented) -> str:
    # For protobuf enum values live beside their enum (package.VALUE), for readers beneath it.
    if isinstance(element, EnumValueDescriptor):
        return f"{element.type.full_name}.{element.name}"
    return str(element.full_name)


def _comments(file: descriptor_pb2.FileDescriptorProto) -> Iterator[tuple[str, str]]:
    names = dict(_names(file))
    for location in file.source_code_info.location:
        name = names.get(tuple(location.path))
        text = location.leading_comments
        if name is not None and text:
            yield name, "\n".join(line.removeprefix(" ") for line in text.rstrip().split("\n"))


def _names(file: descriptor_pb2.FileDescriptorProto) -> Iterator[tuple[tuple[int, ...], str]]:
    for index, message in enumerate(file.message_type):
        yield from _message_names(message, (_MESSAGE, index), file.package)
    for index, enum in enumerate(file.enum_type):
        yield from _enum_names(enum, (_ENUM, index), file.package)
    for index, service in enumerate(file.service):
        path, name = (_SERVICE, index), f"{file.package}.{service.name}"
        yield path, name
        for number, method in enumerate(service.method):
            yield (*path, _METHOD, number), f"{name}.{method.name}"


def _message_names(
    message: descriptor_pb2.DescriptorProto, path: tuple[int, ...], scope: str
) -> Iterator[tuple[tuple[int, ...], str]]:
    name = f"{scope}.{message.name}"
    yield path, name
    for index, field in enumerate(message.field):
        yield (*path, _FIELD, index), f"{name}.{field.name}"
    for index, nested in enumerate(message.nested_type):
        yield from _message_names(nested, (*path, _NESTED_MESSAGE, index), name)
    for index, enum in enumerate(message.enum_type):
        yield from _enum_names(enum, (*path, _NESTED_ENUM, index), name)


def _enum_names(
    enum: descriptor_pb2.EnumDescriptorProto, path: tuple[int, ...], scope: str
) -> Iterator[tuple[tuple[int, ...], str]]:
    name = f"{scope}.{enum.name}"
    yield path, name
    for index, value in enumerate(enum.value):
        yield (*path, _VALUE, index), f"{name}.{value.name}"
