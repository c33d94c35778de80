"""Contracts of a test's own: proto text in, descriptors out, on a pool that nothing else shares."""

import subprocess
import sys
import tempfile
from pathlib import Path

from google.protobuf import descriptor_pb2, descriptor_pool

from gateway import contract
from gateway.contract import Contract

_CONTRACT = Path(__file__).parents[2] / "stubs" / "ordermesh" / "contract.binpb"

_HEAD = """
syntax = "proto3";
package {package};
import "buf/validate/validate.proto";
import "google/api/annotations.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
"""


def compile_contract(text: str, package: str = "test.shop.v1") -> Contract:
    """Return the contract that the text describes, with its comments.

    The imports above are there already; buf.validate and google.api come from our own contract's descriptor set.
    """
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "shop.proto").write_text(_HEAD.format(package=package) + text)
        protoc = [sys.executable, "-W", "ignore", "-m", "grpc_tools.protoc", f"-I{folder}"]
        options = [f"--descriptor_set_in={_CONTRACT}", "--include_source_info", "--include_imports"]
        output = Path(folder, "out.binpb")
        run = subprocess.run(
            [*protoc, *options, f"-o{output}", "shop.proto"], capture_output=True, check=False, text=True
        )
        if run.returncode:
            raise AssertionError(run.stderr)
        file_set = descriptor_pb2.FileDescriptorSet.FromString(output.read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in file_set.file:
        pool.Add(file)
    own = descriptor_pb2.FileDescriptorSet(file=[file for file in file_set.file if file.name == "shop.proto"])
    return contract.describe(own, pool)
