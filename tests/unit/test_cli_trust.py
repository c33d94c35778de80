"""`ordermesh certs` and `keys signing` where the environment says what a deployed mesh reads."""

import json
import os
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


def test_folders_that_hold_no_certificates_are_in_nobodys_way(machine: Machine) -> None:
    for name in ("lost+found", "rest"):
        (machine.tls / name).mkdir(parents=True)
    made = machine.told("certs", "dev")

    assert [each["service"] for each in made if not each["problem"]] == [
        "gateway", "notify", "operator", "order", "payment", "tax",
    ]  # fmt: skip
    assert "lost+found" not in {each["service"] for each in made}


@pytest.mark.skipif(os.geteuid() != 0, reason="others follow the links that they may follow")
def test_root_makes_keys_and_certificates_over_no_link_in_somebodys_folder(machine: Machine, tmp_path: Path) -> None:
    only_roots = tmp_path / "shadow"
    only_roots.write_text("root:secret")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    for folder in (machine.public.parent, machine.tls):
        folder.mkdir()
        os.chown(folder, 65534, 65534)
    machine.public.symlink_to(only_roots)
    (machine.tls / "order").symlink_to(elsewhere)

    for words, link in ((("keys", "signing"), machine.public), (("certs", "dev"), machine.tls / "order")):
        said = " ".join(machine.told(*words, code=1).split())
        assert "root follows no link in a folder where others may write; put what it leads to in its place" in said
        assert str(link) in said
    assert machine.public.is_symlink()
    assert not machine.private.exists()
    assert (list(elsewhere.iterdir()), elsewhere.stat().st_mode & 0o777) == ([], 0o755)


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
