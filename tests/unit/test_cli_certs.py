"""`ordermesh certs` and `keys signing` where the environment says what a deployed mesh reads."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from chassis.access.keys import TrustedKeys, key_id, signing_key
from chassis.trust.authority import Authority
from cli.__main__ import cli
from kernel.clock import SystemClock


class Machine:
    """A machine on which the mesh has folders for certificates and keys."""

    def __init__(self, folder: Path) -> None:
        self.tls, self.web = folder / "tls", folder / "web"
        self.private, self.public = folder / "signing" / "signing-key.pem", folder / "trusted" / "trusted-keys.pem"
        self.settings = {
            "ORDERMESH_DATA_DIR": str(folder),
            "ORDERMESH_TLS_DIR": str(self.tls),
            "GATEWAY_CALLER_KEY": str(self.private),
            "ORDERMESH_CALLER_KEYS": str(self.public),
        }

    def told(self, *words: str, code: int = 0, **settings: str) -> Any:  # noqa: ANN401  (JSON)
        done = CliRunner().invoke(cli, [*words, "-o", "json"], env={**self.settings, **settings})
        assert done.exit_code == code, done.output
        return json.loads(done.stdout) if done.stdout else done.stderr

    def trusts(self, name: str) -> bool:
        return TrustedKeys(self.public, SystemClock()).named(name) is not None


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_without_a_directory_they_are_made_and_renewed_where_the_mesh_looks_for_them(machine: Machine) -> None:
    made = machine.told("certs", "dev")
    authority = (machine.tls / "ca" / "tls.crt").read_bytes()
    renewed = machine.told("certs", "dev")

    assert [each["service"] for each in made] == ["gateway", "notify", "operator", "order", "payment", "tax"]
    assert [each["service"] for each in renewed] == [each["service"] for each in made]
    assert (machine.tls / "ca" / "tls.crt").read_bytes() == authority
    assert machine.told("certs", "show") == renewed


def test_certificates_of_another_authority_are_not_written_over(machine: Machine) -> None:
    machine.told("certs", "dev")
    for file in (machine.tls / "ca").iterdir():
        file.unlink()
    before = (machine.tls / "order" / "tls.crt").read_bytes()

    assert "another authority" in machine.told("certs", "dev", code=1)
    assert (machine.tls / "order" / "tls.crt").read_bytes() == before


def test_the_gateways_certificate_for_https_is_shown_beside_those_of_the_mesh(machine: Machine) -> None:
    machine.told("certs", "dev")
    authority = Authority.load(machine.tls)
    assert authority is not None
    authority.issue((), ("orders.shop.example",), SystemClock().now()).write(machine.web)
    shown = machine.told("certs", "show", GATEWAY_TLS_DIR=str(machine.web))

    assert [each["service"] for each in shown][-1] == "rest"
    assert shown[-1]["dns_names"] == ["orders.shop.example"]
    assert shown[-1]["problem"] == ""
    assert machine.told("certs", "show", str(machine.tls), GATEWAY_TLS_DIR=str(machine.web)) == shown[:-1]
    (machine.web / "tls.key").unlink()
    assert machine.told("certs", "show", code=1, GATEWAY_TLS_DIR=str(machine.web))[-1]["problem"]


def test_a_gateways_key_is_changed_without_a_moment_in_which_nobody_believes_it(machine: Machine) -> None:
    named = []
    for _ in range(2):
        machine.told("keys", "signing")
        named.append(key_id(signing_key(machine.private).public_key()))
    old, new = named
    assert [machine.trusts(old), machine.trusts(new)] == [True, True]

    places = machine.told("keys", "retire")

    assert [machine.trusts(old), machine.trusts(new)] == [False, True]
    assert places == {"GATEWAY_CALLER_KEY": str(machine.private), "ORDERMESH_CALLER_KEYS": str(machine.public)}


def test_no_key_is_retired_for_one_that_is_not_there(machine: Machine) -> None:
    machine.told("keys", "signing")
    before = machine.public.read_bytes()
    machine.private.unlink()

    assert "trusted as before" in machine.told("keys", "retire", code=1)
    assert machine.public.read_bytes() == before
