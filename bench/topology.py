"""The processes of one variant: started on free ports, their CPU read from the kernel, stopped in good order."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from chassis.trust.transport import Connect, plaintext

_START_SECONDS = 30.0
_STOP_SECONDS = 30.0


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used so far, all threads, to the nanosecond.

    The id of a process's CPU clock is ~pid << 3 | 2 (Linux, include/linux/posix-timers_types.h: CPUCLOCK_SCHED).
    """
    return time.clock_gettime((~pid) << 3 | 2)


@dataclass
class Process:
    """One started part.

    Attributes:
        name: "order".
        address: host:port that it listens on.
        popen: The process.
        log: What it wrote to standard error.
    """

    name: str
    address: str
    popen: subprocess.Popen[bytes]
    log: Path

    def cpu(self) -> float:
        """Return its CPU seconds so far."""
        return cpu_seconds(self.popen.pid)

    def wait_until_listening(self) -> None:
        """Return once its port accepts connections."""
        host, port = self.address.split(":")
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until:
            if self.popen.poll() is not None:
                raise SystemExit(f"{self.name} ended with {self.popen.returncode}:\n{self.log.read_text()[-2000:]}")
            with socket.socket() as probe:
                probe.settimeout(0.2)
                if probe.connect_ex((host, int(port))) == 0:
                    return
            time.sleep(0.05)
        raise SystemExit(f"{self.name} did not listen on {self.address} within {_START_SECONDS:.0f} s")

    def stop(self) -> None:
        """End it with SIGTERM, and wait for it."""
        self.popen.send_signal(signal.SIGTERM)
        self.popen.wait(_STOP_SECONDS)

    def log_lines(self) -> list[dict[str, object]]:
        """Return its JSON log lines."""
        lines = self.log.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]


@dataclass
class Variant:
    """The processes of one variant.

    Attributes:
        name: "product".
        order_address: Where orders are placed.
        processes: All that count towards its CPU.
        extra: Processes beside them that do not count: the sandbox.
        connect: Opens a channel to it.
    """

    name: str
    order_address: str
    processes: list[Process] = field(default_factory=list)
    extra: list[Process] = field(default_factory=list)
    connect: Connect = plaintext

    def cpu(self) -> dict[str, float]:
        """Return the CPU seconds so far by process."""
        return {process.name: process.cpu() for process in self.processes}

    def stop(self) -> None:
        """Stop everything, callers before what they call."""
        for process in [*reversed(self.processes), *self.extra]:
            process.stop()


def start(name: str, address: str, command: Sequence[str], environment: Mapping[str, str], folder: Path) -> Process:
    """Start one part in a process of its own; it is not waited for."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"{name}.log"
    with log.open("wb") as stream:
        popen = subprocess.Popen(
            [sys.executable, *command],
            env={"PATH": os.defpath, "PYTHONUNBUFFERED": "1", **environment},
            stdout=stream,
            stderr=stream,
        )
    return Process(name, address, popen, log)
