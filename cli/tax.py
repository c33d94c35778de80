"""`ordermesh tax`: what was recorded with the tax authority's service, and addresses as it knows them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import IO, Any

import click
from ordermesh.tax.v1 import tax_service_pb2 as pb
from ordermesh.tax.v1 import tax_service_pb2_grpc

from cli import tax_view
from cli.config import CliConfig, environment
from cli.dial_grpc import CALL_SECONDS, Line, dialled, run
from cli.failures import of_refusal
from cli.output import output_option, show
from cli.progress import progress, waiting
from cli.value_view import Json
from gateway import wrong
from gateway.json_text import parse_object
from gateway.read_json import MessageReaders
from gateway.write_json import MessageWriters
from kernel.errors import Refusal

_SERVICE = pb.DESCRIPTOR.services_by_name["TaxService"]
_LARGEST_PAGE = 200


@click.group()
def group() -> None:
    """Look at tax documents and addresses; TAX_ADDR says where the tax service listens."""


@group.command()
@click.option("--order", "order_id", default="", metavar="ID", help="Only those of this order.")
@click.option("--differing", is_flag=True, help="Only those whose recorded tax differs from what was charged.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many at most.")
@output_option
def documents(order_id: str, differing: bool, limit: int, output: str) -> None:  # noqa: FBT001  (click's way)
    """List the sales and returns that were recorded, newest first."""
    show(_found(pb.ListTaxDocumentsRequest(order_id=order_id, differing=differing), limit), output, tax_view.documents)


@group.command()
@click.option("--file", "-f", type=click.File("rb"), required=True, help="The address as JSON; - reads standard input.")
@output_option
def resolve(file: IO[bytes], output: str) -> None:
    """Show an address as the post would write it, and what is wrong with it.

    The document is an address, or an order, whose ship_to is taken. Exit code 1 when it cannot be used as it is.
    """
    try:
        document = parse_object(file.read())
        request = MessageReaders().read(
            pb.ResolveAddressRequest.DESCRIPTOR, {"address": document.get("ship_to", document)}
        )
    except wrong.Wrong as error:
        raise of_refusal(wrong.refusal(error.violations)) from None
    except Refusal as refusal:
        raise of_refusal(refusal) from None
    with waiting("asking the tax service"):
        answer = _call("ResolveAddress", request)
    show(answer, output, tax_view.address)
    if not answer["valid"]:
        click.get_current_context().exit(1)


def _found(request: pb.ListTaxDocumentsRequest, limit: int) -> list[Json]:
    found: list[Json] = []
    with progress() as told:
        while len(found) < limit:
            told("reading tax documents", len(found))
            request.page_size = min(limit - len(found), _LARGEST_PAGE)
            page = _call("ListTaxDocuments", request)
            found += page["documents"]
            request.page_token = page["next_page_token"]
            if not request.page_token:
                break
    return found


def _call(rpc: str, request: Any) -> Json:  # noqa: ANN401  (the request of that RPC)
    async def work() -> Json:
        async with _line() as line:
            stub = tax_service_pb2_grpc.TaxServiceStub(line.channel.for_stub)
            with line.refusals():
                answer = await getattr(stub, rpc)(request, timeout=CALL_SECONDS)
        document: Json = MessageWriters().write(answer)
        return document

    try:
        return run(work())
    except Refusal as refusal:
        raise of_refusal(refusal) from None


@asynccontextmanager
async def _line() -> AsyncIterator[Line]:
    config = CliConfig.from_env(environment())
    async with dialled(config.tax_address, "TAX_ADDR", _SERVICE, config) as line:
        yield line
