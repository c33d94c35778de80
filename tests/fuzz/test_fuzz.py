"""The quick part of `python -m tests.fuzz`: cases are what they are meant to be, and no parser breaks on some of them.

A slice of the calls is made by tests/integration/test_hostile_mesh.py, on the mesh that it has anyway.
"""

import random
import tomllib
from collections.abc import Iterator

import pytest
from google.protobuf import message_factory
from google.protobuf.message import DecodeError, Message

from chassis.serving.validation import ValidationLayer
from gateway import contract, routes
from gateway.webhooks import WEBHOOKS
from kernel.errors import Refusal
from tests.fuzz.answers import stripe_seeds
from tests.fuzz.cases import EVERY_KIND, Cases
from tests.fuzz.raw import Found, defects, methods, report
from tests.fuzz.rest_refused import REFUSED, configuration
from tests.fuzz.targets import TARGETS, seeds


def mutations(seed: bytes, count: int) -> Iterator[bytes]:
    draw = random.Random(seed)
    yield from (b"", seed)
    for _ in range(count):
        mutated = bytearray(seed)
        for _ in range(draw.randint(1, 4)):
            mutated[draw.randrange(len(mutated))] = draw.randrange(256)
        yield bytes(mutated)


@pytest.mark.parametrize("name", TARGETS)
def test_no_parser_breaks_on_a_few_mutations(name: str) -> None:
    for seed in seeds(name):
        for data in mutations(seed, 100):
            TARGETS[name](data)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        # A time after all time, from Stripe; a token with several algorithms, which no set can hold; an amount
        # beyond all arithmetic.
        ("stripe_answer", stripe_seeds()[2].replace(b"1764000000", b"1e300")),
        ("credentials", b'{"alg": ["EdDSA"], "kid": "k", "typ": "JWT"}'),
        ("money", b"9E+10811081"),
    ],
)
def test_what_a_search_has_found_is_mended(name: str, data: bytes) -> None:
    TARGETS[name](data)


@pytest.mark.parametrize("data", [b"[" * 100_000, b'{"id":' * 50_000, b"\xff" * 1_000])
@pytest.mark.parametrize("name", ["stripe_webhook", "sendgrid_webhook", "rest_json"])
def test_no_json_is_nested_too_deeply_for_a_parser(name: str, data: bytes) -> None:
    TARGETS[name](data)


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_every_kind_makes_cases_for_every_method(kind: str) -> None:
    cases = Cases(3)

    assert {cases.case(method, kind).kind for method in methods()} == {kind}


def test_equal_seeds_make_equal_cases() -> None:
    one, other = Cases(7), Cases(7)

    assert [one.case(each) for each in methods()] == [other.case(each) for each in methods()]


def test_many_likely_messages_keep_every_rule() -> None:
    cases, validation = Cases(5), ValidationLayer()

    def is_valid(message: Message) -> bool:
        try:
            validation.check(message)
        except Refusal:
            return False
        return True

    valid = {
        method.name for method in methods() for _ in range(30) if is_valid(cases.likely.message(method.input_type))
    }

    # Only such messages come past the first layer, to what is behind.
    assert len(valid) > 0.8 * len(methods())


@pytest.mark.parametrize("kind", ["lengths", "truncated", "utf8"])
def test_what_is_meant_to_be_malformed_mostly_is(kind: str) -> None:
    cases, broken = Cases(9), 0
    for method in methods():
        try:
            message_factory.GetMessageClass(method.input_type).FromString(cases.case(method, kind).payload)
        except DecodeError:
            broken += 1

    assert broken > len(methods()) // 3


def test_what_is_wrong_is_told() -> None:
    found = Found(cases=2, seconds=1.0)
    found.statuses["random", "INTERNAL"] = 2
    found.wrong.append("GetOrder random INTERNAL")

    assert "GetOrder random INTERNAL" in report(found)
    assert defects('{"event": "rpc.defect"}\n{"event": "fine"}') == ['{"event": "rpc.defect"}']


def test_operations_that_may_refuse_what_fits_the_document_are_in_it_and_each_stands_once() -> None:
    named = [operation for each in REFUSED for operation in each.operations]
    served = {route.name for route in routes.routes(contract.load())} | {f"POST {hook.path}" for hook in WEBHOOKS}

    assert len(named) == len(set(named))
    assert set(named) <= served
    assert set(tomllib.loads(configuration())) == {"checks", "operations"}
