"""`ordermesh certs`: what it writes, for whom, and that it can be run again."""

import stat
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.certs import group


def run(*words: str, env: dict[str, str] | None = None) -> tuple[int, str]:
    result = CliRunner().invoke(group, words, env=env or {})
    return result.exit_code, result.output


def test_each_part_gets_a_certificate_that_nobody_else_can_read(tmp_path: Path) -> None:
    code, output = run("dev", str(tmp_path / "tls"))

    assert code == 0
    assert "spiffe://ordermesh.internal/order" in output
    assert f"export ORDERMESH_TLS_DIR={tmp_path / 'tls'}" in output
    for path in (tmp_path / "tls").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
    assert sorted(each.name for each in (tmp_path / "tls" / "order").iterdir()) == ["ca.crt", "tls.crt", "tls.key"]


def test_run_again_it_renews_under_the_same_authority(tmp_path: Path) -> None:
    run("dev", str(tmp_path))
    before = [(tmp_path / "tax" / name).read_bytes() for name in ("tls.crt", "ca.crt")]
    run("dev", str(tmp_path), "--service", "tax")
    after = [(tmp_path / "tax" / name).read_bytes() for name in ("tls.crt", "ca.crt")]

    assert before[0] != after[0]
    assert before[1] == after[1]


def test_what_is_no_good_is_shown_and_ends_with_one(tmp_path: Path) -> None:
    run("dev", str(tmp_path))
    assert run("show", env={"ORDERMESH_TLS_DIR": str(tmp_path)})[0] == 0
    (tmp_path / "tax" / "tls.crt").write_text("x")

    code, output = run("show", str(tmp_path))

    assert code == 1
    assert "holds no PEM certificate" in output


def test_the_trust_domain_is_the_meshs_own(tmp_path: Path) -> None:
    env = {"ORDERMESH_TRUST_DOMAIN": "shop.example"}
    assert "spiffe://shop.example/order" in run("dev", str(tmp_path), env=env)[1]


@pytest.mark.parametrize("words", [("show",), ("show", "/nowhere")])
def test_without_certificates_there_is_nothing_to_show(words: tuple[str, ...]) -> None:
    assert run(*words)[0] != 0
