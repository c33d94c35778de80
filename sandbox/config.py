"""What the sandbox can be told from outside; the only module of it that meets the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

_MAX_PORT = 65535


class ConfigError(ValueError):
    """The environment asks for something impossible; the message lists every complaint."""


@dataclass(frozen=True, slots=True)
class SandboxConfig:
    """Where the sandbox listens, keeps its state and sends its webhooks."""

    host: str = "127.0.0.1"
    port: int = 8090
    """0 takes a free port."""
    data_dir: Path = Path(".ordermesh")
    stripe_webhook_url: str = "http://127.0.0.1:8080/webhooks/stripe"
    """SANDBOX_STRIPE_WEBHOOK_URL: where the sandbox sends Stripe's events; empty sends none. Else the gateway."""
    stripe_webhook_secret: str = "whsec_sandbox_ordermesh"  # noqa: S105  (a published default for local use; it guards nothing)
    sendgrid_webhook_url: str = "http://127.0.0.1:8080/webhooks/sendgrid"
    """SANDBOX_SENDGRID_WEBHOOK_URL: where the sandbox sends mail events; empty sends none. Else the gateway."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read SANDBOX_ADDR, ORDERMESH_DATA_DIR and the webhook settings; what is not set keeps its default.

        Raises:
            ConfigError: one or more values are unusable.
        """
        env = os.environ if environ is None else environ  # noqa: TID251  (this is the config module)
        default = cls()
        complaints: list[str] = []
        host, port = _address(env.get("SANDBOX_ADDR", f"{default.host}:{default.port}"), complaints)
        config = cls(
            host=host,
            port=port,
            data_dir=Path(env.get("ORDERMESH_DATA_DIR", str(default.data_dir))),
            stripe_webhook_url=_url(env, "SANDBOX_STRIPE_WEBHOOK_URL", default.stripe_webhook_url, complaints),
            stripe_webhook_secret=env.get("STRIPE_WEBHOOK_SECRET", default.stripe_webhook_secret),
            sendgrid_webhook_url=_url(env, "SANDBOX_SENDGRID_WEBHOOK_URL", default.sendgrid_webhook_url, complaints),
        )
        if complaints:
            raise ConfigError("; ".join(complaints))
        return config


def _address(text: str, complaints: list[str]) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > _MAX_PORT:
        complaints.append(f"SANDBOX_ADDR must be host:port, such as 127.0.0.1:8090, not {text!r}")
        return "", 0
    return host.strip("[]"), int(port)


def _url(env: Mapping[str, str], name: str, default: str, complaints: list[str]) -> str:
    text = env.get(name, default)
    parts = urlsplit(text)
    if text and (parts.scheme not in {"http", "https"} or not parts.netloc):
        complaints.append(f"{name} must be an http(s) address or empty, not {text!r}")
    return text
