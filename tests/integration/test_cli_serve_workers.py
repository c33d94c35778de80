"""`ordermesh serve --workers`: real processes on one port, one of which dies, and all of which end in good order."""

import os
import signal
import time
from pathlib import Path

import httpx

from tests.failure.process import children_of
from tests.fakes.mesh_process import MeshProcess, environment

_OK = httpx.codes.OK


def test_processes_share_a_port_and_one_that_is_killed_is_missed_by_nobody_who_connects_anew(tmp_path: Path) -> None:
    values = environment(tmp_path / "data")
    address = values["ORDERMESH_GATEWAY_ADDR"]
    supervisor = MeshProcess(["serve", "gateway", "--workers", "2"], values, tmp_path / "log")
    try:
        supervisor.wait_until(f"gateway listens on {address}, in 2 processes")
        workers = children_of(supervisor.pid)
        assert len(workers) == len(_listening_on(address)) == 2
        os.kill(workers[0], signal.SIGKILL)
        while len(_listening_on(address)) == len(workers):
            time.sleep(0.005)  # the kernel closes its sockets as it ends; nobody tells us of it
        for _ in range(8):
            assert httpx.get(f"http://{address}/healthz").status_code == _OK
        supervisor.signal(signal.SIGTERM)
        assert supervisor.wait() == 0, supervisor.log()
        assert not _listening_on(address)
    finally:
        supervisor.kill()


def _listening_on(address: str) -> list[str]:
    """Return the sockets that listen at the port."""
    port = f":{int(address.rpartition(':')[2]):04X}"
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return [row[9] for row in rows if row[1].endswith(port) and row[3] == "0A"]
