"""deploy/Dockerfile, compose.yaml and the systemd units, against schemas and tools and against what the code says."""

import configparser
import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from cli import mesh
from cli.settings import settings
from tests.deploy import manifests
from tests.deploy.manifests import DEPLOY, PARTS, SCHEMAS

ROOT = DEPLOY.parent
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
COMPOSE = manifests.compose()
KNOWN = {setting.name for setting in settings()}
DEFAULTS = {setting.name: setting.default for setting in settings()}
SERVICES = sorted((DEPLOY / "systemd").glob("*.service"))


def test_who_refuses_goes_before_what_is_behind_by_systemd_and_by_compose() -> None:
    weights = {path.stem.removeprefix("ordermesh-"): _weight(path) for path in SERVICES}
    shares = {name: COMPOSE["services"][name].get("cpu_shares", 1024) for name in weights}

    assert weights == {"gateway": 300, "order": 300, "tax": 100, "payment": 100, "notify": 100}
    assert {name: share / 1024 for name, share in shares.items()} == {
        name: weight / 100 for name, weight in weights.items()
    }


def _weight(unit: Path) -> int:
    """Return the unit's share of the processors; systemd's own default is 100."""
    found = re.search(r"^CPUWeight=(\d+)$", unit.read_text(), re.MULTILINE)
    return int(found[1]) if found else 100


def copied() -> set[str]:
    """Return what the image is built from."""
    lines = re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.MULTILINE)
    return {source for line in lines for source in line.split()[:-1]}


def test_everything_that_is_copied_is_there_and_let_through() -> None:
    let_through = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for source in copied():
        assert (ROOT / source).exists(), source
        assert source in let_through or any(Path(source).match(pattern) for pattern in let_through), source


def test_every_package_of_the_product_is_copied() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    patterns = project["tool"]["setuptools"]["packages"]["find"]["include"]
    assert {pattern.removesuffix("*") for pattern in patterns} | {"stubs"} <= copied()


def test_the_image_is_pinned_runs_as_nobody_and_installs_by_hash() -> None:
    (python,) = re.findall(r"^ARG PYTHON=(\S+)$", DOCKERFILE, re.MULTILINE)
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-[a-z]+", python), "an exact version"
    assert re.findall(r"^USER (.*)$", DOCKERFILE, re.MULTILINE) == ["65532:65532"]
    assert 'ENTRYPOINT ["ordermesh"]' in DOCKERFILE
    installs = re.findall(r"pip (?:install|wheel) (.*?)(?: \\)?$", DOCKERFILE, re.MULTILINE)
    assert len(installs) == 4
    assert all("--require-hashes" in each or "--no-index" in each for each in installs), installs
    assert "://" not in DOCKERFILE, "no index and no other host is named"


@pytest.mark.skipif(
    shutil.which("hadolint") is None, reason="hadolint is not installed: it has no build for this platform"
)
def test_hadolint_has_nothing_to_say() -> None:
    done = subprocess.run(["hadolint", str(DEPLOY / "Dockerfile")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_compose_is_what_the_specification_knows() -> None:
    validator = Draft202012Validator(json.loads((SCHEMAS / "compose.json").read_text()))
    assert [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(COMPOSE)] == []
    for service in COMPOSE["services"].values():
        mounted = [entry.split(":")[0] for entry in service.get("volumes", ())]
        for source in mounted:
            assert (DEPLOY / source).is_file() if source.startswith(".") else source in COMPOSE["volumes"], source
        assert set(service.get("depends_on", ())) <= COMPOSE["services"].keys()


@pytest.mark.parametrize("part", PARTS)
def test_compose_is_an_environment_that_the_part_starts_with(part: str, mounted: Path, tmp_path: Path) -> None:
    service = COMPOSE["services"][part]
    assert service["command"] == ["serve", part]
    assert service["environment"].keys() <= KNOWN
    values = {name: str(value or "") for name, value in service["environment"].items()}
    here = {name: value.replace("/etc/ordermesh", str(mounted)) for name, value in values.items()}
    loaded = mesh.load(part, here | {"ORDERMESH_DATA_DIR": str(tmp_path)})
    assert loaded.address.rpartition(":")[2] == DEFAULTS[loaded.variable].rpartition(":")[2]
    assert service["healthcheck"]["test"][-1] == part or part == "gateway"


def test_parts_in_compose_find_one_another_where_they_listen() -> None:
    for caller in PARTS:
        values: dict[str, Any] = COMPOSE["services"][caller]["environment"]
        for name in (f"{part.upper()}_ADDR" for part in PARTS[:-1] if part != caller):
            host, _, port = values[name].removeprefix("dns:///").partition(":")
            assert name == f"{host.upper()}_ADDR"
            assert port == DEFAULTS[name].rpartition(":")[2]


def test_containers_have_no_rights_that_they_do_not_need() -> None:
    for name in (*PARTS, "sandbox", "certificates", "keys", "migrate"):
        service = COMPOSE["services"][name]
        assert service["read_only"] is True, name
        assert service["user"] == "65532:65532", name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
    published = [port for service in COMPOSE["services"].values() for port in service.get("ports", ())]
    assert all(port.startswith(("127.0.0.1:", "password")) for port in published), published


def test_one_database_is_made_for_each_part_that_keeps_tables() -> None:
    for file in ("compose/databases.sql", "kubernetes/overlays/development/databases.sql"):
        made = set(re.findall(r"CREATE DATABASE (\w+);", (DEPLOY / file).read_text()))
        assert made == {f"ordermesh_{part}" for part in PARTS}


def unit(file: Path) -> dict[str, list[str]]:
    """Return the lines of a unit by their name; a name may stand there several times."""
    found: dict[str, list[str]] = {}
    for line in file.read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


@pytest.mark.parametrize("file", SERVICES, ids=lambda file: file.stem)
def test_units_start_parts_that_there_are_and_confine_them(file: Path) -> None:
    configparser.ConfigParser(strict=False).read_string(file.read_text())
    part = file.stem.removeprefix("ordermesh-")
    lines = unit(file)
    assert lines["ExecStart"] == [f"/opt/ordermesh/.venv/bin/ordermesh serve {part}"]
    assert {line.partition("=")[0] for line in lines["Environment"]} <= KNOWN
    for name, value in {
        "NoNewPrivileges": "yes",
        "ProtectSystem": "strict",
        "PrivateTmp": "yes",
        "RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX",
        "CapabilityBoundingSet": "",
        "PartOf": "ordermesh.target",
    }.items():
        assert lines[name] == [value], name
    assert {"MemoryMax", "LimitNOFILE"} <= lines.keys()
    assert (
        int(lines["TimeoutStopSec"][0])
        == manifests.deployment(part).body["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    )


def test_the_target_has_a_unit_for_every_part() -> None:
    (wanted,) = unit(DEPLOY / "systemd" / "ordermesh.target")["Wants"]
    assert set(wanted.split()) == {file.name for file in SERVICES} == {f"ordermesh-{part}.service" for part in PARTS}
    assert manifests.env_file(DEPLOY / "systemd" / "ordermesh.env").keys() <= KNOWN


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_takes_the_units_and_finds_them_confined(tmp_path: Path) -> None:
    # It looks for the command as well, which is installed on a shop's machine and not here.
    for file in (*SERVICES, DEPLOY / "systemd" / "ordermesh.target"):
        text = file.read_text().replace("/opt/ordermesh/.venv/bin/ordermesh", "/bin/true")
        (tmp_path / file.name).write_text(re.sub(r"Documentation=.*\n", "", text))
    files = [str(file) for file in tmp_path.iterdir()]
    done = subprocess.run(
        ["systemd-analyze", "verify", *files],
        env={"SYSTEMD_UNIT_PATH": f"{tmp_path}:", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    # Its own scale: 0 is confined entirely, 10 not at all; an ordinary unit has 9.6.
    for file in SERVICES:
        subprocess.run(
            ["systemd-analyze", "security", "--offline=true", "--threshold=15", str(tmp_path / file.name)],
            capture_output=True,
            check=True,
        )
