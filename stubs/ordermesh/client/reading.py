"""From a failed gRPC call to an OrdermeshError: the google.rpc.Status in its trailers, read once."""

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from ordermesh.client.errors import Failure, FieldViolation, OrdermeshError, raised_for

_DOMAIN = "ordermesh"


def read_error(error: grpc.RpcError, *, method: str, request_id: str) -> OrdermeshError:
    """Return what a failed call says.

    Args:
        error: It, from the synchronous or the asynchronous stack.
        method: The RPC: "ordermesh.order.v1.OrderService/PlaceOrder".
        request_id: The key that was sent, or empty.
    """
    bare = Failure(error.code(), error.details() or "", method=method, request_id=request_id)
    try:
        status = rpc_status.from_call(error)  # type: ignore[arg-type]  # it reads code, details and trailers only
    except (ValueError, DecodeError):  # a code that contradicts the details, details that are no message
        status = None
    if status is None:
        return raised_for(bare)
    reason, metadata = "", dict[str, str]()
    fields: tuple[FieldViolation, ...] = ()
    retry_after: float | None = None
    for detail in status.details:
        info, bad, retry = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
        if detail.Unpack(info) and info.domain == _DOMAIN:
            reason, metadata = str(info.reason), dict(info.metadata)
        elif detail.Unpack(bad):
            fields = tuple(FieldViolation(each.field, each.description) for each in bad.field_violations)
        elif detail.Unpack(retry):
            retry_after = retry.retry_delay.ToNanoseconds() / 1e9
    return raised_for(
        Failure(error.code(), status.message, reason, fields, metadata, retry_after, request_id, method),
    )
