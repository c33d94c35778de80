"""`ordermesh health`: one health check, as an orchestrator's probe or a person at a terminal asks for it."""

from dataclasses import dataclass, replace

import click
import grpc
import httpx
from grpc_health.v1 import health_pb2

from chassis.trust.transport import Transport
from cli.config import CliConfig, environment
from cli.dial_grpc import run
from cli.failures import Failure, Unavailable
from cli.gateway_tls import trusting
from cli.output import output_option, print_json

# As long as Kubernetes waits for a probe unless told otherwise, and a process to start in.
_SECONDS = 1.0
_CHECK = "/grpc.health.v1.Health/Check"


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came of asking.

    Attributes:
        at: Where.
        serving: Whether it takes calls.
        silence: Why nobody answered; empty when somebody did.
    """

    at: str
    serving: bool
    silence: str = ""

    @property
    def status(self) -> str:
        """Return it in one word."""
        return "UNREACHABLE" if self.silence else "SERVING" if self.serving else "NOT_SERVING"


@click.command()
@click.argument("name", type=click.Choice(("order", "tax", "payment", "notify", "gateway")))
@output_option
def command(name: str, output: str) -> None:
    """Ask a part of the mesh whether it takes calls.

    The exit code is 0 when it does, 1 when it does not yet, 3 when nobody answers.

    With TLS it shows the service's own certificate, so that it works where nothing but the service runs.
    """
    config = CliConfig.from_env(environment())
    answer = _ask_gateway(config) if name == "gateway" else run(_ask(name, config))
    if output == "json":
        print_json({"name": name, "address": answer.at, "status": answer.status})
    if answer.silence:
        raise Unavailable(f"{name} does not answer at {answer.at}: {answer.silence}.")
    if not answer.serving:
        raise Failure(f"{name} does not take calls.")
    if output != "json":
        click.echo(f"{name} takes calls.")


async def _ask(name: str, config: CliConfig) -> _Answer:
    address: str = getattr(config, f"{name}_address")
    channel = Transport(replace(config.transport, service=name)).to(name)(address, [])
    ask = channel.unary_unary(
        _CHECK, health_pb2.HealthCheckRequest.SerializeToString, health_pb2.HealthCheckResponse.FromString
    )
    try:
        answer = await ask(health_pb2.HealthCheckRequest(), timeout=_SECONDS)
    except grpc.aio.AioRpcError as error:
        return _Answer(address, serving=False, silence=error.code().name)
    finally:
        await channel.close()
    return _Answer(address, serving=answer.status == health_pb2.HealthCheckResponse.SERVING)


def _ask_gateway(config: CliConfig) -> _Answer:
    url = config.gateway_url
    try:
        answer = httpx.get(f"{url}/readyz", timeout=_SECONDS, trust_env=False, verify=trusting(config.gateway_tls_dir))
    except httpx.HTTPError as error:
        return _Answer(url, serving=False, silence=type(error).__name__)
    return _Answer(url, serving=answer.status_code == httpx.codes.OK)
