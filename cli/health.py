"""`ordermesh health`: one health check, as an orchestrator's probe or a person at a terminal asks for it."""

from dataclasses import replace

import click
import grpc
import httpx
from grpc_health.v1 import health_pb2

from chassis.trust.transport import Transport
from cli.config import CliConfig, environment
from cli.dial_grpc import run
from cli.failures import Failure, Unavailable
from cli.gateway_tls import trusting

# As long as Kubernetes waits for a probe unless told otherwise, and a process to start in.
_SECONDS = 1.0
_CHECK = "/grpc.health.v1.Health/Check"


@click.command()
@click.argument("name", type=click.Choice(("order", "tax", "payment", "notify", "gateway")))
def command(name: str) -> None:
    """Ask a part of the mesh whether it takes calls.

    The exit code is 0 when it does, 1 when it does not yet, 3 when nobody answers.

    With TLS it shows the service's own certificate, so that it works where nothing but the service runs.
    """
    config = CliConfig.from_env(environment())
    if name == "gateway":
        _ask_gateway(config)
        return
    address: str = getattr(config, f"{name}_address")
    connect = Transport(replace(config.transport, service=name)).to(name)

    async def check() -> bool:
        channel = connect(address, [])
        ask = channel.unary_unary(
            _CHECK, health_pb2.HealthCheckRequest.SerializeToString, health_pb2.HealthCheckResponse.FromString
        )
        try:
            answer = await ask(health_pb2.HealthCheckRequest(), timeout=_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise Unavailable(f"{name} does not answer at {address}: {error.code().name}.") from None
        finally:
            await channel.close()
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    if not run(check()):
        raise Failure(f"{name} does not take calls.")
    click.echo(f"{name} takes calls.")


def _ask_gateway(config: CliConfig) -> None:
    url = config.gateway_url
    try:
        answer = httpx.get(f"{url}/readyz", timeout=_SECONDS, trust_env=False, verify=trusting(config.gateway_tls_dir))
    except httpx.HTTPError as error:
        raise Unavailable(f"gateway does not answer at {url}: {type(error).__name__}.") from None
    if answer.status_code != httpx.codes.OK:
        raise Failure("gateway does not take calls.")
    click.echo("gateway takes calls.")
