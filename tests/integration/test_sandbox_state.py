"""What the sandbox remembers, also after it was stopped or killed."""

import asyncio
import signal
import sys
from pathlib import Path
from typing import Self

import httpx
import pytest

from sandbox.config import SandboxConfig
from sandbox.server import Sandbox
from tests.fakes.sandbox_world import AVATAX_AUTH, SENDGRID_KEY, STRIPE_KEY, document, mail, sandbox_world
from tests.fakes.unused_ports import unused_port

ROOT = Path(__file__).parents[2]


async def test_everything_outlives_a_restart(tmp_path: Path) -> None:
    form = {"amount": "1000", "currency": "usd", "metadata[order_id]": "order-1"}
    async with sandbox_world(tmp_path) as world:
        paid = await world.pay(metadata={"order_id": "order-1"})
        await world.sdk.v1.refunds.create_async({"payment_intent": paid.id, "amount": 100})
        await world.avatax_post("/transactions/create", document(commit=True))
        await world.send_mail(mail())
        first = await world.stripe_post("/v1/payment_intents", form, idempotency_key="k1")
        before = await world.ledger()
    async with sandbox_world(tmp_path) as world:
        assert await world.ledger() == before
        assert await world.ledger("order-1") == before
        assert await world.ledger("order-2") == {"charges": [], "refunds": [], "documents": [], "mails": []}
        again = await world.stripe_post("/v1/payment_intents", form, idempotency_key="k1")
        assert (again.content, again.headers["idempotent-replayed"]) == (first.content, "true")
        assert len(await world.mails()) == 1
        refused = await world.avatax_post("/transactions/create", document())
        assert refused.json()["error"]["details"][0]["faultSubCode"] == "DocStatusError"
        rest = await world.sdk.v1.refunds.create_async({"payment_intent": paid.id})
        assert rest.amount == 900


async def test_what_was_answered_survives_a_kill(tmp_path: Path) -> None:
    port = unused_port()
    answered: list[str] = []

    async with await _process(tmp_path, port) as process, httpx.AsyncClient(timeout=10) as http:
        base = f"http://127.0.0.1:{port}"

        async def pay(number: int) -> None:
            form = {
                "amount": "1000",
                "currency": "usd",
                "confirm": "true",
                "payment_method": "pm_card_visa",
                "automatic_payment_methods[enabled]": "true",
                "automatic_payment_methods[allow_redirects]": "never",
                "metadata[order_id]": f"o{number}",
            }
            answer = await http.post(f"{base}/stripe/v1/payment_intents", data=form, headers=STRIPE_KEY)
            answered.append(answer.json()["id"])
            if len(answered) == 20:
                process.process.kill()

        await asyncio.gather(*(pay(number) for number in range(40)), return_exceptions=True)
        await process.process.wait()

    async with sandbox_world(tmp_path) as world:
        kept = {charge["payment_intent"] for charge in (await world.ledger())["charges"]}
    assert len(answered) >= 20
    assert set(answered) <= kept


async def test_it_runs_as_a_process_and_stops_on_a_signal(tmp_path: Path) -> None:
    port = unused_port()
    async with (
        await _process(tmp_path, port) as running,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http,
    ):
        assert (await http.get("/healthz")).status_code == 200
        await http.post("/sendgrid/v3/mail/send", json=mail(), headers=SENDGRID_KEY)
        running.process.send_signal(signal.SIGTERM)
        assert await running.process.wait() == 0

    async with sandbox_world(tmp_path) as world:
        assert len(await world.mails()) == 1


async def test_wrong_settings_are_told_in_one_line() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sandbox", cwd=ROOT, env={"SANDBOX_ADDR": "nowhere"}, stderr=asyncio.subprocess.PIPE
    )
    _, complaint = await process.communicate()

    assert process.returncode == 1
    assert complaint.decode().startswith("sandbox: SANDBOX_ADDR must be host:port")
    assert complaint.count(b"\n") == 1


async def test_a_taken_port_is_an_error(tmp_path: Path) -> None:
    async with sandbox_world(tmp_path / "a") as world:
        port = int(world.url.rpartition(":")[2])
        with pytest.raises(OSError, match="in use"):
            await Sandbox(SandboxConfig(port=port, data_dir=tmp_path / "b")).start()


async def test_its_address_is_known_once_it_runs(tmp_path: Path) -> None:
    sandbox = Sandbox(SandboxConfig(port=0, data_dir=tmp_path, stripe_webhook_url="", sendgrid_webhook_url=""))
    with pytest.raises(RuntimeError):
        _ = sandbox.base_url

    host, port = await sandbox.start()
    assert sandbox.base_url == f"http://{host}:{port}"
    await sandbox.stop()
    await sandbox.stop()


async def test_many_writers_share_commits_and_none_is_lost(tmp_path: Path) -> None:
    async with sandbox_world(tmp_path) as world:
        limits = httpx.Limits(max_connections=32)
        async with httpx.AsyncClient(base_url=world.url, limits=limits, auth=AVATAX_AUTH, timeout=60) as http:
            await asyncio.gather(
                *(http.post("/avatax/api/v2/transactions/create", json=document(code=f"o{n}")) for n in range(200))
            )
        codes = {entry["code"] for entry in (await world.ledger())["documents"]}
    assert codes == {f"o{n}" for n in range(200)}


class _Running:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()


async def _process(data_dir: Path, port: int) -> _Running:
    """Start `python -m sandbox` and wait until it says that it listens."""
    environment = {
        "SANDBOX_ADDR": f"127.0.0.1:{port}",
        "ORDERMESH_DATA_DIR": str(data_dir),
        "SANDBOX_STRIPE_WEBHOOK_URL": "",
        "SANDBOX_SENDGRID_WEBHOOK_URL": "",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sandbox", cwd=ROOT, env=environment, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert f":{port}".encode() in await process.stdout.readline()
    return _Running(process)
