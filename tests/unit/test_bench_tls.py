"""`ordermesh bench --tls`: that it is asked for, certificates for all parts, and what its report says more."""

from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from bench.page import page
from bench.report import Figures, Report, Slice
from bench.variants import certified
from chassis.access.settings import OPERATOR
from chassis.trust.transport import Transport
from cli.bench import command


def report(**cpu_seconds: float) -> Report:
    """Return a report in which each variant needed so much CPU for a hundred orders."""
    latencies = [number / 1000 for number in range(1, 101)]
    variants = {
        name: Figures(100, 1.0, {"order": seconds}, latencies, [Slice(0.0, 1.0, 100)])
        for name, seconds in cpu_seconds.items()
    }
    return Report(64, variants, 100, {})


PLAIN = report(product=1.0, mesh=0.8, floor=0.5, stock=0.4)
WITH_TLS = report(product=1.0, mesh=0.8, floor=0.5, stock=0.4, secured=1.25)


def printed(shown: Report) -> str:
    written = StringIO()
    shown.show(Console(width=120, file=written))
    return written.getvalue()


@pytest.mark.parametrize(("words", "tls"), [((), False), (("--tls",), True)])
def test_tls_is_measured_where_it_is_asked_for(
    words: tuple[str, ...], *, tls: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[object, ...]] = []

    def measure(*figures: object, tls: bool) -> None:
        asked.append((*figures, tls))

    monkeypatch.setattr("cli.bench.main", measure)
    wanted = ["--rounds", "2", "--slice-orders", "10", "--in-flight", "4", "--report", str(tmp_path / "r.json")]
    done = CliRunner().invoke(command, [*wanted, *words])

    assert done.exit_code == 0, done.output
    assert asked == [(2, 10, 4, tmp_path / "r.json", tls)]


@pytest.mark.parametrize("words", [("--rounds", "0"), ("--in-flight", "-1"), ("--tls=yes",)])
def test_what_cannot_be_measured_is_wrong_usage(words: tuple[str, ...]) -> None:
    assert CliRunner().invoke(command, words).exit_code == 2


@pytest.mark.parametrize("part", ["tax", "payment", "notify", "order", OPERATOR])
def test_every_part_and_the_load_have_a_certificate(part: str, tmp_path: Path) -> None:
    settings = certified(tmp_path)

    assert settings.service == OPERATOR
    assert Transport(replace(settings, service=part)).server_credentials() is not None


def test_the_report_says_what_tls_costs_where_it_was_measured() -> None:
    written, without = WITH_TLS.as_json(), PLAIN.as_json()

    assert written["ratio_tls"] == 1.25
    assert written.keys() - without.keys() == {"secured", "ratio_tls"}
    assert "product with mutual TLS / product" in printed(WITH_TLS)
    assert "TLS" not in printed(PLAIN)
    assert '<th scope="row">secured</th>' in page(WITH_TLS, "")
    assert "secured" not in page(PLAIN, "")
