"""Caller contexts over time: kept on both sides, renewed in time, and worthless once their key is not trusted."""

import fcntl
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chassis.access.contexts import LIFETIME_SECONDS, Contexts, Signer
from chassis.access.keys import KeyUnusable, TrustedKeys, key_id, make_signing_key, own_signing_key, signing_key
from chassis.caller import Caller
from kernel.errors import Reason, Refusal
from tests.fakes.manual_clock import ManualClock

SHOP = Caller("key:shop", "gateway", frozenset({"orders.read", "orders.write"}), vouched=True)
CUSTOMER = Caller("user:4711", "gateway", customer_id="c-1", vouched=True)


class Sides:
    """A gateway and a service on one clock."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock()
        self.private, self.public = folder / "signing.pem", folder / "trusted.pem"
        self.key = make_signing_key(self.private, self.public)
        self.signer = Signer(self.key, self.clock)
        self.contexts = Contexts("order", TrustedKeys(self.public, self.clock), self.clock)

    def refused(self, token: str) -> str:
        with pytest.raises(Refusal) as refused:
            self.contexts.caller_of(token, "gateway")
        assert refused.value.reason is Reason.UNAUTHENTICATED
        return refused.value.message


@pytest.mark.parametrize("who", [SHOP, CUSTOMER])
def test_a_caller_arrives_as_it_was_sent(tmp_path: Path, who: Caller) -> None:
    sides = Sides(tmp_path)

    assert sides.contexts.caller_of(sides.signer.context_of(who, "order"), "gateway") == who


def test_a_context_is_used_again_for_half_its_life_and_then_renewed(tmp_path: Path) -> None:
    sides = Sides(tmp_path)
    first = sides.signer.context_of(SHOP, "order")

    sides.clock.advance(29)
    assert sides.signer.context_of(SHOP, "order") is first
    assert sides.signer.context_of(CUSTOMER, "order") != first
    sides.clock.advance(2)
    assert sides.signer.context_of(SHOP, "order") != first


def test_a_context_that_is_known_still_ends(tmp_path: Path) -> None:
    sides = Sides(tmp_path)
    token = sides.signer.context_of(SHOP, "order")
    sides.contexts.caller_of(token, "gateway")

    sides.clock.advance(LIFETIME_SECONDS + 4)
    sides.contexts.caller_of(token, "gateway")
    sides.clock.advance(2)
    assert "expired" in sides.refused(token)
    assert "expired" in sides.refused(token)


def test_a_key_that_is_added_counts_at_once_and_the_old_one_goes_on(tmp_path: Path) -> None:
    sides = Sides(tmp_path)
    old = sides.signer.context_of(SHOP, "order")
    sides.contexts.caller_of(old, "gateway")

    new = Signer(make_signing_key(sides.private, sides.public), sides.clock).context_of(SHOP, "order")
    sides.clock.advance(1)

    assert sides.contexts.caller_of(new, "gateway") == SHOP
    assert sides.contexts.caller_of(old, "gateway") == SHOP


def test_a_key_that_is_removed_counts_no_more_after_five_seconds(tmp_path: Path) -> None:
    sides = Sides(tmp_path)
    token = sides.signer.context_of(SHOP, "order")
    sides.contexts.caller_of(token, "gateway")
    sides.public.write_bytes(b"")

    sides.clock.advance(5)

    assert "not trusted" in sides.refused(token)


def test_a_file_that_is_half_written_takes_nothing_away(tmp_path: Path) -> None:
    sides = Sides(tmp_path)
    token = sides.signer.context_of(SHOP, "order")
    sides.contexts.caller_of(token, "gateway")
    sides.public.write_bytes(sides.public.read_bytes()[:-40])

    sides.clock.advance(5)

    assert sides.contexts.caller_of(token, "gateway") == SHOP


def test_only_its_owner_reads_a_signing_key(tmp_path: Path) -> None:
    sides = Sides(tmp_path)

    assert os.stat(sides.private).st_mode & 0o777 == 0o600  # noqa: PTH116  (the mode is what is asked about)
    assert signing_key(sides.private).public_key() == sides.key.public_key()
    with pytest.raises(KeyUnusable, match="ordermesh keys signing"):
        signing_key(sides.public)
    with pytest.raises(KeyUnusable, match="holds no private key"):
        signing_key(tmp_path / "nothing.pem")


def test_of_gateways_that_start_beside_each_other_one_makes_the_key(tmp_path: Path) -> None:
    private, public = tmp_path / "signing.pem", tmp_path / "trusted.pem"
    with (tmp_path / "signing.pem.lock").open("w") as held, ThreadPoolExecutor() as pool:
        fcntl.flock(held, fcntl.LOCK_EX)
        asking = pool.submit(own_signing_key, private, public)
        made = make_signing_key(private, public)
        fcntl.flock(held, fcntl.LOCK_UN)
        found = asking.result()

    assert key_id(found.public_key()) == key_id(made.public_key())
    assert public.read_bytes().count(b"BEGIN PUBLIC KEY") == 1
