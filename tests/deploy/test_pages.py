"""docs/deploy.md and docs/mesh.md name commands, settings, files and ports that there are."""

import re
from pathlib import Path

import click
import pytest

from cli.__main__ import cli
from cli.settings import settings
from tests.deploy.manifests import deployment

ROOT = Path(__file__).parents[2]
PAGES = ("deploy.md", "mesh.md")
# Read by images that are not ours, by compose.yaml, by Istio, by OpenSSL and by systemd.
OTHERS = {
    *("POSTGRES_PASSWORD", "ORDERMESH_PUBLISH", "EXIT_ON_ZERO_ACTIVE_CONNECTIONS", "ORDER_STATE_PAID"),
    *("SSL_CERT_FILE", "CAP_NET_BIND_SERVICE"),
    "ORDER_ID",  # what stands in its place is an order's
}
# What a shop writes itself.
OWN_FILES = {"deploy/.env", "deploy/own.yaml"}


def text(page: str) -> str:
    return (ROOT / "docs" / page).read_text()


@pytest.mark.parametrize("page", PAGES)
def test_settings_are_ones_that_there_are(page: str) -> None:
    named = set(re.findall(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b(?!_)", re.sub(r"\b[A-Z_]+_…", "", text(page))))
    assert named <= {setting.name for setting in settings()} | OTHERS


@pytest.mark.parametrize("page", PAGES)
def test_commands_are_ones_that_there_are(page: str) -> None:
    shell = "\n".join(re.findall(r"```sh\n(.*?)```", text(page), re.DOTALL))
    found = re.findall(r"(?<!-n )\bordermesh ([a-z]+)(?: ([a-z]+))?", shell, re.MULTILINE)
    assert found
    for name, second in found:
        with click.Context(cli) as context:
            _, command, _ = cli.resolve_command(context, [name])
            if isinstance(command, click.Group):
                assert second in command.list_commands(context), (name, second)


@pytest.mark.parametrize("page", PAGES)
def test_files_are_ones_that_there_are(page: str) -> None:
    for path in set(re.findall(r"\b(?:deploy|tests)/[\w./-]*\w", text(page))) - OWN_FILES:
        assert (ROOT / path).exists(), path
    for target in re.findall(r"\]\((?!https)([^)#]+)", text(page)):
        assert (ROOT / "docs" / target).exists(), target


def test_the_table_of_ports_is_what_parts_listen_on() -> None:
    rows = dict(re.findall(r"^\| (\w+) \| (\d+) \| `\w+`", text("deploy.md"), re.MULTILINE))
    defaults = {setting.name: setting.default.rpartition(":")[2] for setting in settings()}
    for part in ("order", "tax", "payment", "notify", "sandbox"):
        assert rows[part] == defaults[f"{part.upper()}_ADDR"]
    assert rows["gateway"] == defaults["ORDERMESH_GATEWAY_ADDR"]


@pytest.mark.parametrize("part", ["order", "tax", "payment", "notify", "gateway"])
def test_the_table_of_secrets_is_what_pods_refer_to(part: str) -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| ((?:`[A-Z_]+`(?:, )?)+) \|$", text("deploy.md"), re.MULTILINE))
    pod = deployment(part).pod
    assert pod is not None
    taken = [entry["name"] for entry in pod["containers"][0]["env"] if "valueFrom" in entry]
    assert re.findall(r"[A-Z_]{3,}", rows[part]) == taken
