"""The sandbox as a part of the mesh: Stripe, AvaTax and SendGrid as far as the services can tell."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial

from chassis import config as chassis_config
from chassis.telemetry.setup import Telemetry
from cli.part import Part
from sandbox.config import ConfigError, SandboxConfig
from sandbox.server import Sandbox


def part(values: Mapping[str, str]) -> Part:
    """Return the part that the environment describes; its webhooks go to the gateway, wherever that listens.

    Raises:
        ConfigError: Some of it is wrong.
    """
    scheme = "https" if values.get("GATEWAY_TLS_DIR") else "http"
    gateway = f"{scheme}://{values.get('ORDERMESH_GATEWAY_ADDR') or '127.0.0.1:8080'}"
    webhooks = {
        "SANDBOX_STRIPE_WEBHOOK_URL": f"{gateway}/webhooks/stripe",
        "SANDBOX_SENDGRID_WEBHOOK_URL": f"{gateway}/webhooks/sendgrid",
    }
    try:
        config = SandboxConfig.from_env({**webhooks, **values})
    except ConfigError as error:
        raise chassis_config.ConfigError(f"The environment is not usable:\n  {error}") from None
    host = f"[{config.host}]" if ":" in config.host else config.host
    return Part("sandbox", f"{host}:{config.port}", "SANDBOX_ADDR", partial(_running, config))


@asynccontextmanager
async def _running(config: SandboxConfig, _: Telemetry) -> AsyncIterator[str]:
    """Run the sandbox while the context is open; it records nothing, as the outside world would not."""
    sandbox = Sandbox(config)
    await sandbox.start()
    try:
        yield sandbox.base_url.removeprefix("http://")
    finally:
        await sandbox.stop()
