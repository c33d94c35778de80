"""The authorisation matrix: every method of the contract for every kind of caller, through real servers.

The request is no message at all: whoever gets through is told so (INVALID_ARGUMENT), and whoever does not is refused
before anybody looked at it.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from google.protobuf.descriptor import MethodDescriptor
from ordermesh.access.v1 import access_pb2

from chassis.access.contexts import METADATA_KEY, Signer
from chassis.access.keys import key_id, make_signing_key
from chassis.access.rules import scopes_of
from chassis.caller import Caller
from gateway.contract import load
from kernel.clock import SystemClock
from tests.fakes.open_services import PEER, OpenServices, host_of, open_services

CONTRACT = load()
METHODS = list(CONTRACT.methods())
SCOPES = sorted(scopes_of(CONTRACT.services))
PARTS = ("order", "tax", "payment", "notify", "gateway")
OTHER_PART = {"order": "tax", "tax": "order", "payment": "order", "notify": "order"}
UNREADABLE = b"\xff"

GRANTS = {f"team-{scope}": frozenset({scope}) for scope in SCOPES} | {"team-operators": frozenset(SCOPES)}


@dataclass(frozen=True)
class Kind:
    """One kind of caller.

    Attributes:
        name: For people.
        peer: Whose certificate the connection has; empty for none.
        context: The context for a part of the mesh, by its name; None for none.
        service: The part that calls for itself; empty for others.
        scopes: What they have.
        customer: Whether they are a customer.
        known: Whether anybody may be let in at all.
    """

    name: str
    peer: str = ""
    context: "dict[str, str] | None" = None
    service: str = ""
    scopes: frozenset[str] = frozenset()
    customer: bool = False
    known: bool = True

    @property
    def local(self) -> bool:
        return self.service == "local"


def expected(method: "access_pb2.AccessRule", kind: Kind) -> grpc.StatusCode:
    """Return what a call has to end with, from the contract's own words."""
    if not kind.known:
        return grpc.StatusCode.UNAUTHENTICATED
    own = method.customers == access_pb2.CUSTOMER_ACCESS_OWN
    allowed = own if kind.customer else kind.local or kind.service in method.services or method.scope in kind.scopes
    return grpc.StatusCode.INVALID_ARGUMENT if allowed else grpc.StatusCode.PERMISSION_DENIED


class Forge:
    """Makes contexts that count, and contexts that do not."""

    def __init__(self, folder: Path) -> None:
        self.trusted = folder / "trusted.pem"
        self.key = make_signing_key(folder / "signing.pem", self.trusted)
        self._signer = Signer(self.key, SystemClock())

    def good(self, who: Caller) -> dict[str, str]:
        return {part: self._signer.context_of(who, part) for part in OTHER_PART}

    def bad(
        self, key: object = None, algorithm: str = "EdDSA", typ: str = "ordermesh-caller+jwt", **claims: object
    ) -> dict[str, str]:
        now = int(SystemClock().now().timestamp())
        made = {}
        for part in OTHER_PART:
            said = {"iss": "ordermesh:gateway", "aud": part, "sub": "key:all", "iat": now, "exp": now + 60}
            said |= {"scope": " ".join(SCOPES)} | claims
            said = {name: value for name, value in said.items() if value is not None}
            headers = {"typ": typ, "kid": key_id(self.key.public_key())}
            made[part] = jwt.encode(said, key if key is not None else self.key, algorithm, headers)  # type: ignore[arg-type]  # any kind of key
        return made


def kinds(forge: Forge) -> Iterator[Kind]:
    """Yield every kind of caller."""
    now = int(SystemClock().now().timestamp())
    every = frozenset(SCOPES)
    speaks = "gateway"
    yield Kind("nobody", known=False)
    yield Kind("the machine's own user", "local", service="local")
    for part in PARTS:
        yield Kind(f"{part} itself", part, service=part)
    yield Kind("a stranger with a certificate of ours", "stranger", service="stranger")
    for scope in SCOPES:
        yield Kind(f"a team with {scope}", f"team-{scope}", scopes=frozenset({scope}))
        context = forge.good(Caller(f"key:{scope}", speaks, frozenset({scope}), vouched=True))
        yield Kind(f"a key with {scope}", speaks, context, scopes=frozenset({scope}))
    yield Kind("a team of operators", "team-operators", scopes=every)
    yield Kind("an operator", speaks, forge.good(Caller("user:op", speaks, every, vouched=True)), scopes=every)
    yield Kind(
        "an operator over a gateway on this machine",
        "local",
        forge.good(Caller("user:op", "local", every, vouched=True)),
        scopes=every,
    )
    yield Kind("a key without scopes", speaks, forge.good(Caller("key:idle", speaks, vouched=True)))
    customer = Caller("user:c", speaks, customer_id="c-1", vouched=True)
    yield Kind("a customer", speaks, forge.good(customer), customer=True)
    greedy = Caller("user:g", speaks, every, "c-1", vouched=True)
    yield Kind("a customer with every scope", speaks, forge.good(greedy), scopes=every, customer=True)
    yield Kind("a customer over a gateway on this machine", "local", forge.good(customer), customer=True)
    operator = forge.good(Caller("user:op", speaks, every, vouched=True))
    for part in (*PARTS[:-1], "team-operators", "stranger"):
        yield Kind(f"{part} with the gateway's context", part, operator, known=False)
    bad = {
        "made for another service": {part: operator[other] for part, other in OTHER_PART.items()},
        "signed with another key": forge.bad(Ed25519PrivateKey.generate()),
        "signed with a secret": forge.bad("a secret of at least thirty-two bytes", "HS256"),
        "without signature": forge.bad("", "none"),
        "cut": {part: token[:-8] for part, token in operator.items()},
        "changed": {
            part: token[:-60] + ("A" if token[-60] != "A" else "B") + token[-59:] for part, token in operator.items()
        },
        "that is no token": dict.fromkeys(OTHER_PART, "no.token.atall"),
        "that is empty": dict.fromkeys(OTHER_PART, ""),
        "that is longer than any": dict.fromkeys(OTHER_PART, "a" * 5_000),
        "that has expired": forge.bad(iat=now - 120, exp=now - 60),
        "from the future": forge.bad(iat=now + 3600, exp=now + 3630),
        "that lives for an hour": forge.bad(exp=now + 3_600),
        "without an end": forge.bad(exp=None),
        "without a beginning": forge.bad(iat=None),
        "without a subject": forge.bad(sub=None),
        "with an end in words": forge.bad(exp=str(now + 60)),
        "of another issuer": forge.bad(iss="ordermesh:order"),
        "for many services": forge.bad(aud=list(OTHER_PART)),
        "of another kind": forge.bad(typ="JWT"),
    }
    for what, context in bad.items():
        yield Kind(f"the gateway with a context {what}", speaks, context, known=False)


async def outcome(services: OpenServices, method: MethodDescriptor, kind: Kind) -> grpc.StatusCode:
    """Return how a call of that kind of caller ends."""
    part = host_of(method.containing_service)
    metadata = [(PEER, kind.peer)] if kind.peer else []
    if kind.context is not None:
        metadata.append((METADATA_KEY, kind.context[part]))
    call = services.call(method)(UNREADABLE, metadata=metadata, timeout=10)
    try:
        if method.server_streaming:
            async for _ in call:
                pass
        else:
            await call
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


async def test_every_method_for_every_kind_of_caller(tmp_path: Path) -> None:
    forge = Forge(tmp_path)
    everybody = list(kinds(forge))
    cells = 0
    wrong: list[str] = []
    async with open_services(list(CONTRACT.services), forge.trusted, GRANTS) as services:
        for method in METHODS:
            rule = method.GetOptions().Extensions[access_pb2.access]
            outcomes = await asyncio.gather(*(outcome(services, method, kind) for kind in everybody))
            for kind, got in zip(everybody, outcomes, strict=True):
                cells += 1
                if got is not (wanted := expected(rule, kind)):
                    wrong.append(f"{method.full_name} for {kind.name}: {got.name} instead of {wanted.name}")
        reached = list(services.reached)

    assert not wrong, "\n".join(wrong)
    assert not reached
    assert cells == len(METHODS) * len({kind.name for kind in everybody})


async def test_who_may_call_something_gets_an_answer(tmp_path: Path) -> None:
    forge = Forge(tmp_path)
    context = forge.good(Caller("key:mails", "gateway", frozenset({"notifications.read"}), vouched=True))
    method = CONTRACT.method("ordermesh.notify.v1.NotifyService.ListNotifications")
    async with open_services(list(CONTRACT.services), forge.trusted, GRANTS) as services:
        await services.call(method)(b"", metadata=[(PEER, "gateway"), (METADATA_KEY, context["notify"])], timeout=10)

        assert services.reached == [method.full_name]


UNKNOWN = "/ordermesh.order.v1.OrderService/DropEverything"
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
CHANNELZ = "/grpc.channelz.v1.Channelz/GetServers"
HEALTH = "/grpc.health.v1.Health/Check"


@pytest.mark.parametrize(
    ("path", "peer", "code"),
    [
        (UNKNOWN, "", "UNAUTHENTICATED"),
        (UNKNOWN, "stranger", "PERMISSION_DENIED"),
        (UNKNOWN, "tax", "PERMISSION_DENIED"),
        (UNKNOWN, "team-orders.read", "UNIMPLEMENTED"),
        (UNKNOWN, "local", "UNIMPLEMENTED"),
        (CHANNELZ, "", "UNAUTHENTICATED"),
        (CHANNELZ, "order", "PERMISSION_DENIED"),
        (CHANNELZ, "team-operators", "PERMISSION_DENIED"),
        (CHANNELZ, "team-sre", "OK"),
        (CHANNELZ, "local", "OK"),
        (HEALTH, "", "OK"),
        (HEALTH, "stranger", "OK"),
    ],
)
async def test_what_stands_outside_the_contract_has_rules_of_its_own(
    tmp_path: Path, path: str, peer: str, code: str
) -> None:
    forge = Forge(tmp_path)
    grants = GRANTS | {"team-sre": frozenset({"mesh.inspect"})}
    async with open_services(list(CONTRACT.services), forge.trusted, grants) as services:
        call: Callable[..., Any] = services.channels["order"].unary_unary(path)
        try:
            await call(b"", metadata=[(PEER, peer)] if peer else [], timeout=10)
            got = "OK"
        except grpc.aio.AioRpcError as error:
            got = error.code().name

    assert got == code


@pytest.mark.parametrize(("peer", "code"), [("", "UNAUTHENTICATED"), ("order", "PERMISSION_DENIED"), ("local", "OK")])
async def test_the_contract_is_shown_to_whom_it_is_granted(tmp_path: Path, peer: str, code: str) -> None:
    forge = Forge(tmp_path)
    async with open_services(list(CONTRACT.services), forge.trusted, GRANTS) as services:
        open_stream: Callable[..., Any] = services.channels["order"].stream_stream(REFLECTION)
        call = open_stream(metadata=[(PEER, peer)] if peer else [], timeout=10)
        try:
            await call.write(b":\x00")
            await call.done_writing()
            async for _ in call:
                pass
            got = "OK"
        except grpc.aio.AioRpcError as error:
            got = error.code().name

    assert got == code
