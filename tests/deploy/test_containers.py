"""deploy/Dockerfile and compose.yaml, against schemas and tools and against what the code says."""

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
from cli.config import CliConfig
from cli.settings import settings
from tests.deploy import manifests
from tests.deploy.manifests import DEPLOY, PARTS, SCHEMAS

ROOT = DEPLOY.parent
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
COMPOSE = manifests.compose()
KNOWN = {setting.name for setting in settings()}
DEFAULTS = {setting.name: setting.default for setting in settings()}
UNITS = [DEPLOY / "systemd" / f"ordermesh-{part}.service" for part in PARTS]


def test_who_refuses_goes_before_what_is_behind_by_systemd_and_by_compose() -> None:
    weights = {path.stem.removeprefix("ordermesh-"): _weight(path) for path in UNITS}
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


# What a container has no use for: its folders and addresses stand in compose.yaml, and its metrics go to the collector.
OF_THE_CONTAINER = {
    *("ORDERMESH_DATA_DIR", "ORDERMESH_DATABASE_URL", "ORDERMESH_WORKER", "ORDERMESH_METRICS_ADDR"),
    *("ORDERMESH_TRANSPORT_SECURITY", "ORDERMESH_TRUST_DOMAIN", "ORDER_LEASE_SECONDS", "GATEWAY_SANDBOX_URL"),
    *("PAYMENT_RESUME_SECONDS", "PAYMENT_SETTLE_SECONDS"),
    *(f"{part.upper()}_HEALTH_ADDR" for part in PARTS),
    # They name a folder, which has to be mounted: docs/deploy.md says how.
    *("GATEWAY_TLS_DIR", "MAIL_TEMPLATES_DIR"),
}


@pytest.mark.parametrize("part", PARTS)
def test_compose_hands_on_what_a_shop_may_set(part: str) -> None:
    """What is not named there is dropped without a word."""
    read = {setting.name for setting in settings() if part in setting.parts}
    values = COMPOSE["services"][part]["environment"]

    assert read - OF_THE_CONTAINER <= values.keys()
    assert all(value != "" for value in values.values()), "an empty text would hide what deploy/.env says"


def test_commands_in_compose_reach_every_part_and_every_table(mounted: Path, tmp_path: Path) -> None:
    service = COMPOSE["services"]["operator"]
    assert service["profiles"] == ["operator"], "it is no part of `up`"
    here = {name: str(value).replace("/etc/ordermesh", str(mounted)) for name, value in service["environment"].items()}
    config = CliConfig.from_env(here)
    for part in PARTS:
        database = mesh.load(part, here | {"ORDERMESH_DATA_DIR": str(tmp_path)}).database
        assert database is not None
        assert database.url.endswith(f"@postgres/ordermesh_{part}")
        if part != "gateway":
            assert (
                getattr(config, f"{part}_address")
                == COMPOSE["services"]["gateway"]["environment"][f"{part.upper()}_ADDR"]
            )


def test_parts_in_compose_find_one_another_where_they_listen() -> None:
    for caller in PARTS:
        values: dict[str, Any] = COMPOSE["services"][caller]["environment"]
        for name in (f"{part.upper()}_ADDR" for part in PARTS[:-1] if part != caller):
            host, _, port = values[name].removeprefix("dns:///").partition(":")
            assert name == f"{host.upper()}_ADDR"
            assert port == DEFAULTS[name].rpartition(":")[2]


def test_containers_have_no_rights_that_they_do_not_need() -> None:
    for name in (*PARTS, "sandbox", "certificates", "keys", "migrate", "operator"):
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
