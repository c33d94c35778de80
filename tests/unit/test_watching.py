"""Alerts, dashboard and runbook speak of metrics that the code exports, with its labels, and of one another."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from chassis.telemetry.exposition import exported_name
from chassis.telemetry.metrics import Metrics

ROOT = Path(__file__).parents[2]
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yaml"
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]
]
DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy" / "grafana" / "ordermesh.json").read_text())
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()

ALERTING = [rule for rule in RULES if "alert" in rule]
# One that is a page or a ticket, by what it is about, has two rules.
ALERT_NAMES = list(dict.fromkeys(rule["alert"] for rule in ALERTING))
RECORDED = {rule["record"] for rule in RULES if "record" in rule}
LABELS = {
    exported_name(each.definition, type(each)): {name.replace(".", "_") for name in each.definition.labels}
    for each in Metrics("order").instruments()
}
# What Prometheus itself adds to every series, and makes of histograms.
_GIVEN = {"job", "instance", "le"}
_OF_HISTOGRAMS = re.compile(r"_(bucket|count|sum)$")


def panels() -> Iterator[dict[str, Any]]:
    """Yield the panels that show something."""
    yield from (panel for panel in DASHBOARD["panels"] if panel["type"] != "row")


def called(rule: dict[str, Any]) -> str:
    """Return what tells an alert's rule from all others."""
    return f"{rule['alert']} {rule['labels']['severity']}"


EXPRESSIONS = {called(rule) if "alert" in rule else rule["record"]: rule["expr"] for rule in RULES} | {
    f"{panel['title']} {target['refId']}": target["expr"] for panel in panels() for target in panel["targets"]
}


def series_of(expression: str) -> Iterator[tuple[str, set[str]]]:
    """Yield the series that an expression reads, each with the labels that it is chosen or grouped by."""
    grouped = {label.strip() for by in re.findall(r"\bby \(([^)]*)\)", expression) for label in by.split(",")}
    for found in re.finditer(r"((?:ordermesh|http|rpc|db)_[a-z_]+|ordermesh:[a-z0-9_:]+)(\{[^}]*\})?", expression):
        name, selector = found.group(1), found.group(2) or ""
        if name not in grouped and not _is_label(expression, found.start()):
            yield name, set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector))


def _is_label(expression: str, position: int) -> bool:
    """Say whether a word stands within braces, or in a list of labels."""
    before = expression[:position]
    return before.count("{") > before.count("}") or bool(re.search(r"\bby \([^)]*$", before))


@pytest.mark.parametrize("where", EXPRESSIONS)
def test_everything_that_is_read_is_exported_with_these_labels(where: str) -> None:
    series = [each for each in series_of(EXPRESSIONS[where]) if each[0] not in RECORDED]

    for name, labels in series:
        plain = name if name in LABELS else _OF_HISTOGRAMS.sub("", name)
        assert plain in LABELS, f"nothing exports {name}"
        assert labels <= LABELS[plain] | _GIVEN, f"{name} has no label {labels - LABELS[plain] - _GIVEN}"


@pytest.mark.parametrize("where", EXPRESSIONS)
def test_it_is_grouped_by_labels_that_are_there(where: str) -> None:
    grouped = {label.strip() for by in re.findall(r"\bby \(([^)]*)\)", EXPRESSIONS[where]) for label in by.split(",")}
    there = set().union(
        *(
            LABELS.get(_OF_HISTOGRAMS.sub("", name), LABELS.get(name, set()))
            for name, _ in series_of(EXPRESSIONS[where])
        )
    )

    assert grouped <= there | _GIVEN


def test_every_expression_reads_something() -> None:
    assert [where for where, text in EXPRESSIONS.items() if not (list(series_of(text)) or text.startswith("up{"))] == []


def test_every_metric_of_ours_is_watched() -> None:
    read = {_OF_HISTOGRAMS.sub("", name) for text in EXPRESSIONS.values() for name, _ in series_of(text)}

    assert {name for name in LABELS if name.startswith("ordermesh")} <= read


def test_every_alert_has_its_chapter_and_no_chapter_is_about_another() -> None:
    chapters = re.findall(r"^## (Ordermesh\w+)$", RUNBOOK, re.MULTILINE)

    assert chapters == ALERT_NAMES


def test_rules_of_one_name_differ_in_how_bad_it_is() -> None:
    assert len({called(rule) for rule in ALERTING}) == len(ALERTING)


@pytest.mark.parametrize("rule", ALERTING, ids=called)
def test_an_alert_says_what_is_wrong_how_bad_it_is_and_where_to_read_on(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"]["runbook_url"] == f"docs/runbook.md#{rule['alert'].lower()}"
    assert rule["annotations"]["summary"]
    assert rule["for"]


def test_every_alert_that_a_page_names_exists() -> None:
    named = set(re.findall(r"\bOrdermesh[A-Z]\w+", RUNBOOK + json.dumps(DASHBOARD)))

    assert named == set(ALERT_NAMES)


def test_panels_are_told_apart_and_have_their_place() -> None:
    titles = [panel["title"] for panel in panels()]
    ids = [panel["id"] for panel in DASHBOARD["panels"]]

    assert len(set(titles)) == len(titles)
    assert len(set(ids)) == len(ids)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in DASHBOARD["panels"])


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool, which comes with Prometheus")
def test_prometheus_fires_each_alert_when_it_should_and_not_before() -> None:
    checked = subprocess.run(
        ["promtool", "test", "rules", "alerts.test.yaml"],
        cwd=ALERTS.parent,
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.returncode == 0, checked.stdout + checked.stderr
