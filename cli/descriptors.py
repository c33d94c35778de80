"""`ordermesh descriptors`: the contract as a file that Envoy, grpcurl and other tools read."""

from importlib.resources import files
from pathlib import Path

import click
from google.api import annotations_pb2
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.rpc import error_details_pb2, status_pb2

from cli.failures import Failure


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--for-envoy", is_flag=True, help="Without response_body, which Envoy's transcoder refuses.")
def command(file: Path, *, for_envoy: bool) -> None:
    """Write the whole contract to FILE, as a serialised google.protobuf.FileDescriptorSet.

    It holds every service with its REST routes, and the messages that errors are made of.
    """
    contract = descriptors()
    if for_envoy:
        _answer_whole(contract)
    try:
        file.write_bytes(contract.SerializeToString())
    except OSError as error:
        raise Failure(f"{file} cannot be written: {error.strerror}.") from None


def descriptors() -> FileDescriptorSet:
    """Return the contract, each file after those that it imports."""
    contract = FileDescriptorSet.FromString(files("ordermesh").joinpath("contract.binpb").read_bytes())
    known = {file.name for file in contract.file}
    # No message of the contract names them; they travel inside of a call's status.
    for outermost in (status_pb2.DESCRIPTOR, error_details_pb2.DESCRIPTOR):
        _add(outermost, contract, known)
    return contract


def _add(file: FileDescriptor, contract: FileDescriptorSet, known: set[str]) -> None:
    if file.name in known:
        return
    known.add(file.name)
    for imported in file.dependencies:
        _add(imported, contract, known)
    added = FileDescriptorProto()
    file.CopyToProto(added)
    contract.file.append(added)


def _answer_whole(contract: FileDescriptorSet) -> None:
    """Have every route answer its whole response: Envoy takes response_body for google.api.HttpBody alone."""
    for file in contract.file:
        for service in file.service:
            for method in service.method:
                if method.options.HasExtension(annotations_pb2.http):
                    method.options.Extensions[annotations_pb2.http].ClearField("response_body")
