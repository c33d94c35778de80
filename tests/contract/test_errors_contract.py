"""The reasons in kernel, contract and code table are the same ones, and a refusal survives the way over the wire."""

from urllib.parse import quote

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status
from ordermesh.errors.v1 import error_reason_pb2

from chassis.errors import CODES, from_rpc_error, refusal_of, to_grpc_status, to_status
from kernel.errors import FieldViolation, Reason, Refusal
from kernel.outcome import NotDone, Unknown

PREFIX = "ERROR_REASON_"


def rpc_error(refusal: Refusal) -> grpc.aio.AioRpcError:
    """Return what a client of a server that refused gets to see."""
    status = to_grpc_status(refusal)
    trailers = grpc.aio.Metadata(*((key, value) for key, value in status.trailing_metadata))
    return grpc.aio.AioRpcError(status.code, grpc.aio.Metadata(), trailers, status.details)


def bare_error(code: grpc.StatusCode) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), "made by the transport")


def test_the_kernel_knows_exactly_the_reasons_of_the_contract() -> None:
    contract = {name.removeprefix(PREFIX) for name in error_reason_pb2.ErrorReason.keys()}  # noqa: SIM118  (not a dict)

    assert {reason.value for reason in Reason} == contract - {"UNSPECIFIED"}


def test_every_reason_has_a_code() -> None:
    assert set(CODES) == set(Reason)
    assert grpc.StatusCode.OK not in CODES.values()


@pytest.mark.parametrize("reason", Reason)
def test_a_refusal_survives_the_wire(reason: Reason) -> None:
    refusal = Refusal(
        reason,
        "Größe: 10 € zu viel.",
        metadata={"orderId": "1", "declineCode": "lost_card"},
        fields=(FieldViolation("items[0].sku", "is missing"), FieldViolation("ship_to", "is missing")),
        retry_after=1.25,
    )

    error = rpc_error(refusal)
    arrived = refusal_of(error)

    assert error.code() is CODES[reason]
    assert arrived is not None
    assert (arrived.reason, arrived.message, arrived.metadata) == (reason, refusal.message, refusal.metadata)
    assert (arrived.fields, arrived.retry_after) == (refusal.fields, 1.25)


def test_every_error_carries_exactly_one_error_info_of_our_domain() -> None:
    status = to_status(Refusal.of_field("items", "are missing"))

    infos = [detail for detail in status.details if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR)]
    info = error_details_pb2.ErrorInfo()
    assert len(infos) == 1
    assert infos[0].Unpack(info)
    assert (info.domain, info.reason) == ("ordermesh", "VALIDATION_FAILED")


@pytest.mark.parametrize(
    "reason",
    [
        Reason.UNAVAILABLE,
        Reason.DEADLINE_EXCEEDED,
        Reason.INTERNAL,
        Reason.OVERLOADED,
        Reason.NOT_IMPLEMENTED,
        Reason.UNAUTHENTICATED,
        Reason.PERMISSION_DENIED,
    ],
)
def test_a_reason_that_is_no_answer_to_the_request_leaves_the_outcome_open(reason: Reason) -> None:
    outcome = from_rpc_error(rpc_error(Refusal(reason, "Not now.", retry_after=2.0)))

    assert outcome == Unknown(f"rpc {reason.value}", 2.0)


def test_a_refusal_of_the_request_says_that_nothing_was_done() -> None:
    outcome = from_rpc_error(rpc_error(Refusal(Reason.PAYMENT_METHOD_INVALID, "No such card.")))

    assert isinstance(outcome, NotDone)
    assert outcome.reason.reason is Reason.PAYMENT_METHOD_INVALID


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK])
def test_whatever_the_transport_made_up_leaves_the_outcome_open(code: grpc.StatusCode) -> None:
    assert from_rpc_error(bare_error(code)) == Unknown(f"rpc {code.name}")


def test_error_infos_of_others_are_not_ours() -> None:
    info = error_details_pb2.ErrorInfo(reason="API_DISABLED", domain="googleapis.com")
    status = status_pb2.Status(code=7, message="no")
    status.details.add().Pack(info)
    sent = rpc_status.to_status(status)
    trailers = grpc.aio.Metadata(*sent.trailing_metadata)

    error = grpc.aio.AioRpcError(sent.code, grpc.aio.Metadata(), trailers, sent.details)

    assert refusal_of(error) is None


def test_a_reason_that_is_newer_than_we_are_counts_as_open() -> None:
    status = status_pb2.Status(code=9, message="no")
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason="SOMETHING_NEW", domain="ordermesh"))
    sent = rpc_status.to_status(status)

    error = grpc.aio.AioRpcError(
        sent.code, grpc.aio.Metadata(), grpc.aio.Metadata(*sent.trailing_metadata), sent.details
    )

    assert from_rpc_error(error) == Unknown("rpc INTERNAL")


def test_trailers_that_do_not_fit_their_call_are_no_refusal() -> None:
    trailers = grpc.aio.Metadata(("grpc-status-details-bin", b"\xff\xff"))
    error = grpc.aio.AioRpcError(grpc.StatusCode.NOT_FOUND, grpc.aio.Metadata(), trailers, "")

    assert from_rpc_error(error) == Unknown("rpc NOT_FOUND")


@pytest.mark.parametrize("character", ["y", "é", "€", "🎩"])
def test_a_long_refusal_still_fits_into_the_trailers(character: str) -> None:
    fields = tuple(FieldViolation(f"items[{n}].unit_price.currency_code", character * 1000) for n in range(500))

    status = to_grpc_status(Refusal(Reason.VALIDATION_FAILED, character * 10_000, fields=fields))

    message = len(quote(status.details))
    size = message + sum(len(key) + len(value) * 4 // 3 for key, value in status.trailing_metadata)
    assert size < 8_192 - 512


def test_a_refusal_that_repeats_a_secret_reaches_the_caller_without_it() -> None:
    told = to_status(
        Refusal(
            Reason.VALIDATION_FAILED,
            "No card 4242424242424242.",
            metadata={"orderId": "of ada@example.com"},
            fields=(FieldViolation("map[4242424242424242]", "is sk_live_51abc"),),
        )
    ).SerializeToString()

    assert not any(secret in told for secret in (b"4242", b"ada@", b"51abc"))
    assert told.count(b"[card]") == 2
