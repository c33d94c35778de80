"""`ordermesh audit`: whether every order, payment, document and mail agrees with what the providers have on record."""

from datetime import timedelta

import click

from cli.audit.mesh_grpc import audited_mesh
from cli.audit.report import JsonForPrograms, LinesForPeople, Report
from cli.audit.session import audit_session
from cli.config import CliConfig, environment
from cli.dial_grpc import run
from cli.failures import Unavailable, of_refusal
from cli.output import output_option
from kernel.clock import SystemClock
from kernel.errors import Refusal

_DIFFERENT = 1


@click.command()
@click.option("--repair", "repairs", is_flag=True, help="Settle what can be settled, then audit again.")
@click.option(
    "--most-releases",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    help="Where more charges without an order would be given back by --repair, give back none.",
)
@click.option(
    "--grace",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    help="Leave alone what changed in the last so many seconds: it is still moving.",
)
@output_option
def command(repairs: bool, most_releases: int, grace: float, output: str) -> None:  # noqa: FBT001  (click's way)
    """Compare every order with the records of Stripe, AvaTax and SendGrid.

    Proves for each order that Stripe keeps exactly what the order says, that its document at AvaTax is right and that
    the customer was told; finds charges without an order, forgotten holds, and mails without a payment. The providers
    are read through the services (ORDER_ADDR, TAX_ADDR, PAYMENT_ADDR, NOTIFY_ADDR), which have the keys.

    Exit codes: 0 all agrees; 1 there are differences; 3 something could not be read, so nothing is proved.
    """
    report: Report = JsonForPrograms(repairs=repairs) if output == "json" else LinesForPeople()
    config = CliConfig.from_env(environment())
    try:
        differences = run(_on_mesh(config, timedelta(seconds=grace), report, most_releases if repairs else None))
    except Refusal as refusal:
        raise Unavailable(of_refusal(refusal).message) from None
    if differences:
        raise SystemExit(_DIFFERENT)


async def _on_mesh(config: CliConfig, grace: timedelta, report: Report, most_releases: int | None) -> int:
    async with audited_mesh(config) as mesh:
        return await audit_session(mesh, SystemClock(), grace, report, most_releases=most_releases)
