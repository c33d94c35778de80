"""The gateway as a process: it says where it listens, serves, and stops in good order when it is told to."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]


@contextmanager
def gateway_process(folder: Path, settings: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Run `python -m gateway` and end it, whatever happens."""
    inherited = dict(os.environ)  # noqa: TID251  (the process under test needs the rest of it)
    paths = {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'stubs'}", "ORDERMESH_DATA_DIR": str(folder)}
    environment = {**inherited, **paths, **settings}
    command = [sys.executable, "-m", "gateway"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, cwd=folder) as process:
        try:
            yield process
        finally:
            process.kill()


def test_it_serves_and_stops_with_exit_code_0(tmp_path: Path) -> None:
    with gateway_process(tmp_path, {"ORDERMESH_GATEWAY_ADDR": "127.0.0.1:0", "ORDER_ADDR": "127.0.0.1:1"}) as process:
        assert process.stderr is not None
        line = json.loads(process.stderr.readline())
        assert (line["event"], line["service"]) == ("gateway.listening", "gateway")
        assert httpx.get(f"http://{line['address']}/healthz").status_code == 200
        assert httpx.get(f"http://{line['address']}/api/v1/orders/x").status_code == 503

        process.send_signal(signal.SIGTERM)

        assert process.wait(timeout=30) == 0
        assert process.stderr.read() == ""
    assert (tmp_path / "spans.db").exists()


def test_an_address_that_is_taken_is_told_in_a_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with gateway_process(tmp_path, {"ORDERMESH_GATEWAY_ADDR": address}) as process:
            assert process.stderr is not None
            told = process.stderr.read()
            assert process.wait(timeout=30) == 1

    assert told == f"gateway: cannot listen on {address}: Address already in use\n"


@pytest.mark.parametrize("settings", [{"ORDER_ADDR": "nowhere", "TAX_ADDR": "x"}])
def test_a_wrong_environment_is_told_whole(tmp_path: Path, settings: dict[str, str]) -> None:
    with gateway_process(tmp_path, settings) as process:
        assert process.stderr is not None
        told = process.stderr.read()
        assert process.wait(timeout=30) == 1

    assert "ORDER_ADDR" in told
    assert "TAX_ADDR" in told
    assert "Traceback" not in told
