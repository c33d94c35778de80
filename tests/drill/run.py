"""What happens in the drill."""

import itertools
import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import yaml

from tests.fakes.mesh_process import MeshProcess, environment
from tests.fakes.unused_ports import unused_port

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "prometheus"
ORDER = json.loads((ROOT / "examples" / "order.json").read_text())

PROVIDERS = ("stripe", "avatax", "sendgrid")

# Alerts wait a minute, breakers need some failing calls first, and this machine may be slow.
_PATIENCE_SECONDS = 240.0
# How long an outage goes on once its alert is there, so that others could follow.
_LINGER_SECONDS = 45.0
_ORDERS_PER_SECOND = 2.0

Alert = tuple[str, str]
"""Its name, and the provider that it is about; empty for none."""


def drill(prometheus: str, folder: Path) -> Iterator[tuple[str, bool]]:
    """Yield what was seen, line by line, and whether it was as it should be.

    Args:
        prometheus: The command.
        folder: For the mesh's data and Prometheus's.
    """
    values = environment(folder / "mesh") | {"ORDERMESH_METRICS_ADDR": f"127.0.0.1:{unused_port()}"}
    mesh = MeshProcess(["up"], values, folder / "mesh.log")
    try:
        mesh.wait_until("Ctrl-C stops")
        gateway, sandbox = (f"http://{values[name]}" for name in ("ORDERMESH_GATEWAY_ADDR", "SANDBOX_ADDR"))
        with _watched(prometheus, values["ORDERMESH_METRICS_ADDR"], folder) as firing, _shop(gateway):
            yield _line("before", _waited(lambda: firing() == set()), firing())
            for provider in PROVIDERS:
                yield from _outage(sandbox, provider, firing)
    finally:
        mesh.signal(signal.SIGTERM)
        mesh.wait()


def _outage(sandbox: str, provider: str, firing: Callable[[], set[Alert]]) -> Iterator[tuple[str, bool]]:
    expected = {("OrdermeshProviderDown", provider)}
    httpx.put(f"{sandbox}/faults/{provider}", json={"mode": "outage"}).raise_for_status()
    took = _waited(lambda: expected <= firing())
    time.sleep(_LINGER_SECONDS)
    seen = firing()
    yield _line(f"{provider} is away", took if seen == expected else None, seen)
    httpx.delete(f"{sandbox}/faults").raise_for_status()
    yield _line(f"{provider} is back", _waited(lambda: firing() == set()), firing())


def _line(when: str, seconds: float | None, seen: set[Alert]) -> tuple[str, bool]:
    told = ", ".join(sorted(f"{name} ({provider})" if provider else name for name, provider in seen)) or "no alert"
    verdict = "NOT AS IT SHOULD BE" if seconds is None else f"after {seconds:.0f} s"
    return f"{when:20} {told:45} {verdict}", seconds is not None


def _waited(holds: Callable[[], bool]) -> float | None:
    """Wait until something holds and return for how many seconds; None when it never did."""
    began = time.monotonic()
    while (waited := time.monotonic() - began) < _PATIENCE_SECONDS:
        if holds():
            return waited
        time.sleep(1.0)
    return None


@contextmanager
def _watched(prometheus: str, metrics: str, folder: Path) -> Iterator[Callable[[], set[Alert]]]:
    """Run Prometheus with our rules, and yield what says which alerts fire."""
    settings = yaml.safe_load((RULES / "prometheus.yaml").read_text())
    settings["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    settings["rule_files"] = [str(RULES / name) for name in settings["rule_files"]]
    settings["scrape_configs"][0]["static_configs"][0]["targets"] = [metrics]
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(settings))
    address = f"127.0.0.1:{unused_port()}"
    command = [
        prometheus,
        f"--config.file={folder / 'prometheus.yaml'}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address={address}",
    ]
    with (folder / "prometheus.log").open("wb") as log, subprocess.Popen(command, stderr=log) as running:
        try:
            yield lambda: _firing(address)
        finally:
            running.terminate()


def _firing(address: str) -> set[Alert]:
    """Return the alerts that fire; an unknown one while Prometheus starts."""
    try:
        alerts = httpx.get(f"http://{address}/api/v1/alerts").json()["data"]["alerts"]
    except (httpx.TransportError, ValueError):
        return {("Prometheus does not answer", "")}
    return {
        (alert["labels"]["alertname"], alert["labels"].get("ordermesh_provider", ""))
        for alert in alerts
        if alert["state"] == "firing"
    }


@contextmanager
def _shop(gateway: str) -> Iterator[None]:
    """Place orders all the time."""
    over = threading.Event()
    numbers = itertools.count()

    def place() -> None:
        with httpx.Client(timeout=30.0) as client:
            while not over.wait(1.0 / _ORDERS_PER_SECOND * len(shops)):
                key = {"Idempotency-Key": f"drill-{next(numbers)}"}
                client.post(f"{gateway}/api/v1/orders", json=ORDER, headers=key)

    # Several, so that orders which wait for a provider do not keep others away.
    shops = [threading.Thread(target=place, daemon=True) for _ in range(20)]
    for shop in shops:
        shop.start()
    try:
        yield
    finally:
        over.set()
        for shop in shops:
            shop.join()
