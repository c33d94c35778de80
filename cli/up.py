"""`ordermesh up`: the whole mesh in one process."""

import secrets
from collections.abc import Mapping

import click

from cli import mesh
from cli.config import CliConfig, environment
from cli.serving import serve
from cli.welcome import welcome
from gateway.access import development
from gateway.config import GatewayConfig


@click.command()
def command() -> None:
    """Run the whole mesh in this process until SIGTERM or SIGINT.

    By default it keeps its data in ./.ordermesh and calls a sandbox in place of Stripe, AvaTax and SendGrid. A part
    whose provider's address and key are set calls that provider; when all three are, the sandbox is not started.
    """
    values = environment()
    parts = mesh.whole(values)
    config = CliConfig.from_env(values)

    gateway = GatewayConfig.from_env(mesh.with_sandbox(values, parts))
    file = gateway.auth.development_key
    key = "" if file is None else development.key_in(file, secrets.token_bytes)

    def ready(bound: Mapping[str, str]) -> None:
        welcome(bound, config.data_dir, key, config.gateway_url.partition(":")[0], has_shop=gateway.has_shop)

    serve("ordermesh", parts, config, ready)
