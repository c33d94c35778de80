"""`ordermesh keys`: API keys for whoever calls the gateway, and the key by which it tells services who that is."""

import asyncio
import re
import secrets
from collections.abc import Coroutine
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.table import Table

from chassis.access.keys import KeyUnusable, make_signing_key, trust_alone
from chassis.access.rules import scopes_of
from chassis.access.settings import PUBLIC_KEYS
from chassis.config import Environment
from cli import access_page
from cli.config import CliConfig, environment
from cli.console import console
from cli.database import Database
from cli.failures import Failure
from cli.output import output_option, print_json
from gateway import contract
from gateway.access.api_keys import MOST_OF_ONE_NAME, NAME, ApiKey, new_key
from gateway.access.key_table import KeyTable, TooManyKeys
from gateway.access.settings import AuthSettings
from kernel.clock import SystemClock

T = TypeVar("T")

_DURATION = re.compile(r"([1-9][0-9]{0,3})([dh])")
_UNITS = {"d": timedelta(days=1), "h": timedelta(hours=1)}


@click.group()
def group() -> None:
    """Make, list and revoke API keys. They are kept where GATEWAY_DATABASE_URL says."""


@group.command()
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, help="What the key may do; may be given several times.")
@click.option("--all-scopes", is_flag=True, help="Everything that any scope allows.")
@click.option("--expires", default="", help="How long the key is good for: 90d, 12h. Left out it does not end.")
@output_option
def create(name: str, scopes: tuple[str, ...], output: str, *, all_scopes: bool, expires: str) -> None:
    """Make a key and show it, once. A name may have two at a time: the new one, and the one that it takes over from."""
    if not NAME.fullmatch(name):
        raise click.BadParameter("is not up to 63 small letters, digits and dashes", param_hint="NAME")
    known = scopes_of(contract.load().services)
    if unknown := set(scopes) - known:
        raise click.BadParameter(
            f"there is no {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}", param_hint="--scope"
        )
    if not (scopes or all_scopes):
        raise click.UsageError(f"say what the key may do with --scope: {', '.join(sorted(known))}")
    now = SystemClock().now()
    shown, key = new_key(
        name, known if all_scopes else frozenset(scopes), now, _until(expires, now), secrets.token_bytes
    )
    database_url = _auth().database_url
    try:
        _run(_table(prepare=True).add(key))
    except TooManyKeys:
        raise Failure(
            f"{name} has {MOST_OF_ONE_NAME} active keys; revoke one first: see `ordermesh keys list`."
        ) from None
    if output == "json":
        print_json({"key": shown, **_document(key, now)})
    else:
        click.echo(shown)
    click.echo(
        f"This is the only time that the key of {name} is shown. It counts within a second, at gateways that keep "
        f"their keys in {Database(database_url, '').shown()}.",
        err=True,
    )


@group.command("list")
@output_option
def listing(output: str) -> None:
    """List the keys, without their secrets."""
    now = SystemClock().now()
    keys = _run(_table(prepare=False).every())
    if output == "json":
        print_json([_document(key, now) for key in keys])
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("ID", "NAME", "STATE", "SCOPES", "MADE", "EXPIRES", "LAST USED"):
        table.add_column(column)
    for key in keys:
        words = (key.created_at, key.expires_at, key.last_used_at)
        table.add_row(key.key_id, key.name, _state(key, now), " ".join(sorted(key.scopes)), *map(_day, words))
    console().print(table)


@group.command()
@click.argument("which")
@output_option
def revoke(which: str, output: str) -> None:
    """End the key of an id, or every key of a name. Gateways refuse it within ten seconds."""
    ended = _run(_table(prepare=True).revoke(which, SystemClock().now()))
    if not ended:
        raise Failure(f"There is no active key called {which}; ordermesh keys list shows them.")
    if output == "json":
        print_json({"revoked": list(ended)})
    else:
        click.echo(f"revoked {', '.join(ended)}")


@group.command()
@output_option
def signing(output: str) -> None:
    """Make a new key for the gateway to tell services with who calls; those before it stay trusted.

    The public half is added to the file that ORDERMESH_CALLER_KEYS names, else to one beside the private one. The
    gateway signs with the new key once it is started again; then `ordermesh keys retire` ends those before it.
    """
    private, public = _caller_keys()
    try:
        make_signing_key(private, public)
    except OSError as error:
        raise Failure(f"The key cannot be made: {error}") from None
    _show_places(private, public, output)


@group.command()
@output_option
def retire(output: str) -> None:
    """Leave only the gateway's present key trusted.

    Those before it count for five more seconds: first start every gateway again that signs with one of them.
    """
    private, public = _caller_keys()
    try:
        trust_alone(private, public)
    except (KeyUnusable, OSError) as error:
        raise Failure(f"Keys are trusted as before: {error}") from None
    _show_places(private, public, output)


@group.command()
@click.option("--markdown", is_flag=True, help="With every method, as docs/access.md.")
@output_option
def scopes(output: str, *, markdown: bool) -> None:
    """List the scopes that there are."""
    known = contract.load()
    there_are = sorted(scopes_of(known.services))
    if markdown:
        click.echo(access_page.page(known), nl=False)
    elif output == "json":
        print_json(there_are)
    else:
        click.echo("\n".join(there_are))


def _auth() -> AuthSettings:
    """Return what the gateway is told of keys; nothing else of it has to be right, its certificate for instance."""
    values = Environment({**environment(), "GATEWAY_AUTH": "required"})
    address = values.address("ORDERMESH_GATEWAY_ADDR", "127.0.0.1:8080")
    settings = AuthSettings.read(values, address, CliConfig.from_env(environment()).data_dir)
    values.check()
    return settings


def _caller_keys() -> tuple[Path, Path]:
    """Return where the private key is, and those that are trusted."""
    private = _auth().caller_key
    public = CliConfig.from_env(environment()).caller_keys
    return private, public or private.with_name(PUBLIC_KEYS.rpartition("/")[2])


def _show_places(private: Path, public: Path, output: str) -> None:
    if output == "json":
        print_json({"GATEWAY_CALLER_KEY": str(private), "ORDERMESH_CALLER_KEYS": str(public)})
        return
    click.echo(f"private, for the gateway (GATEWAY_CALLER_KEY):       {private}")
    click.echo(f"public, for every service (ORDERMESH_CALLER_KEYS):   {public}")


def _table(*, prepare: bool) -> KeyTable:
    url = _auth().database_url
    table = KeyTable(url)
    if prepare:
        try:
            table.prepare()
        except Database.MISTAKES as error:
            raise Failure(f"The table of keys cannot be opened: {error}") from None
    return table


def _run(work: Coroutine[Any, Any, T]) -> T:
    try:
        return asyncio.run(work)
    except Database.MISTAKES as error:
        raise Failure(
            f"The keys cannot be reached ({type(error).__name__}); GATEWAY_DATABASE_URL says where."
        ) from None


def _until(expires: str, now: datetime) -> datetime | None:
    if not expires:
        return None
    found = _DURATION.fullmatch(expires)
    if found is None:
        raise click.BadParameter(f"{expires!r} is not like 90d or 12h", param_hint="--expires")
    return now + int(found[1]) * _UNITS[found[2]]


def _document(key: ApiKey, now: datetime) -> dict[str, object]:
    """Return what is known of a key, which its secret is not."""
    return {
        "key_id": key.key_id,
        "name": key.name,
        "state": _state(key, now),
        "scopes": sorted(key.scopes),
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "last_used_at": key.last_used_at,
    }


def _state(key: ApiKey, now: datetime) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "active" if key.active(now) else "expired"


def _day(moment: datetime | None) -> str:
    return "" if moment is None else moment.strftime("%Y-%m-%d %H:%M")
