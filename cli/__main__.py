"""The entry point: names every command, imports none."""

import click

from cli.lazy import LazyGroup

_COMMANDS = {
    "up": ("cli.up:command", "Run the whole mesh in this process."),
    "demo": ("cli.demo:command", "Show four orders and what becomes of each, on a running mesh."),
    "order": ("cli.order:group", "Place orders, follow them, cancel, refund, ship and deliver them."),
    "explain": ("cli.order:explain", "Tell the whole story of an order."),
    "top": ("cli.top:command", "Show how the mesh is doing, live."),
    "webhook": ("cli.webhook:group", "Tell the shop's other systems what becomes of orders."),
    "trace": ("cli.trace:command", "Draw where the time of an order went, over all services."),
    "tax": ("cli.tax:group", "Look at tax documents, and at addresses as the post knows them."),
    "mail": ("cli.mail:group", "Show mails as customers get them, and have them sent again."),
    "audit": ("cli.audit.command:command", "Prove that every order agrees with Stripe, AvaTax and SendGrid."),
    "serve": ("cli.serve:command", "Run one part of the mesh in this process."),
    "keys": ("cli.keys:group", "Make, list and revoke API keys."),
    "certs": ("cli.certs:group", "Make and show the certificates by which the parts of the mesh know one another."),
    "health": ("cli.health:command", "Ask a service whether it takes calls."),
    "migrate": ("cli.migrate:command", "Bring the tables of services and gateway up to date."),
    "backup": ("cli.backup:command", "Copy the services' SQLite files while the mesh runs."),
    "settings": ("cli.settings:command", "List every setting, its default and what it is."),
    "reference": ("cli.reference.command:command", "Write the pages of docs/ that are made from the code."),
    "completion": ("cli.completion:command", "Have a shell complete what is typed after `ordermesh`."),
    "descriptors": ("cli.descriptors:command", "Write the contract to a file, for Envoy and other tools."),
    "retention": ("cli.retention:command", "Take away what is old and finished."),
    "bench": ("cli.bench:command", "Measure the mesh against its floor."),
    "version": ("cli.version:command", "Print the version."),
}


@click.group(
    cls=LazyGroup,
    lazy=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done; 1 refused; 2 wrong usage; 3 unavailable, worth another try.",
)
@click.version_option(package_name="ordermesh", message="%(prog)s %(version)s")
def cli() -> None:
    """Ordermesh: orders, tax, payment and mail, with a REST gateway.

    Everything is set through environment variables, and everything has a default; `ordermesh up` needs none.
    """


def main() -> None:
    """Run the command that the arguments name."""
    cli(prog_name="ordermesh")


if __name__ == "__main__":
    main()
