"""Every refusal becomes a problem with the right status, and nothing that is not meant for callers gets out."""

import grpc
import pytest
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc.aio import AioRpcError, Metadata

from chassis.errors import to_status
from gateway import problem
from kernel.errors import FieldViolation, Reason, Refusal


def rpc_error(refusal: Refusal | None = None, code: grpc.StatusCode = grpc.StatusCode.OK) -> AioRpcError:
    """Return the error that a call ends with."""
    if refusal is None:
        return AioRpcError(code, Metadata(), Metadata(), details="secret words about sockets")
    status = to_status(refusal)
    found = next(each for each in grpc.StatusCode if each.value[0] == status.code)
    trailers = Metadata(("grpc-status-details-bin", status.SerializeToString()))
    return AioRpcError(found, Metadata(), trailers, details=status.message)


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_a_status_of_failure(reason: Reason) -> None:
    assert 400 <= problem.status_of(reason) < 600


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        (Reason.VALIDATION_FAILED, 400),
        (Reason.SIGNATURE_INVALID, 400),
        (Reason.PAYMENT_DECLINED, 402),
        (Reason.ORDER_NOT_FOUND, 404),
        (Reason.REQUEST_ID_REUSED, 409),
        (Reason.ILLEGAL_STATE, 409),
        (Reason.VERSION_MISMATCH, 409),
        (Reason.REQUEST_TOO_LARGE, 413),
        (Reason.OVERLOADED, 429),
        (Reason.INTERNAL, 500),
        (Reason.NOT_IMPLEMENTED, 501),
        (Reason.UNAVAILABLE, 503),
        (Reason.DEADLINE_EXCEEDED, 504),
    ],
)
def test_reasons_have_the_status_that_http_has_for_them(reason: Reason, status: int) -> None:
    told = problem.of_rpc_error(rpc_error(Refusal(reason, "words", metadata={"errorId": "e"})))

    assert told is not None
    assert told.status == status
    assert told.document()["reason"] == reason.value


def test_a_version_that_is_gone_is_412_to_who_sent_if_match_and_nothing_else_is() -> None:
    gone = problem.of_refusal(Refusal(Reason.VERSION_MISMATCH, "words"))
    illegal = problem.of_refusal(Refusal(Reason.ILLEGAL_STATE, "words"))

    assert problem.of_condition(gone).document() == {**gone.document(), "status": 412}
    assert problem.of_condition(illegal) is illegal


def test_a_declined_card_says_why_and_which_order() -> None:
    refusal = Refusal(
        Reason.PAYMENT_DECLINED, "No money.", metadata={"orderId": "o-1", "declineCode": "insufficient_funds"}
    )

    told = problem.of_rpc_error(rpc_error(refusal))

    assert told is not None
    assert told.document() == {
        "type": "/docs#PAYMENT_DECLINED",
        "title": "Payment declined",
        "status": 402,
        "detail": "No money.",
        "reason": "PAYMENT_DECLINED",
        "metadata": {"orderId": "o-1", "declineCode": "insufficient_funds"},
        "decline_code": "insufficient_funds",
        "order_id": "o-1",
    }


def test_wrong_fields_keep_their_paths() -> None:
    fields = (FieldViolation("items[0].quantity", "must be at least 1"),)

    told = problem.of_rpc_error(rpc_error(Refusal(Reason.VALIDATION_FAILED, "wrong", fields=fields)))

    assert told is not None
    assert told.document()["errors"] == [{"field": "items[0].quantity", "description": "must be at least 1"}]


@pytest.mark.parametrize(("seconds", "header"), [(0.2, "1"), (1.0, "1"), (1.5, "2"), (30.0, "30")])
def test_a_known_wait_becomes_retry_after_in_whole_seconds(seconds: float, header: str) -> None:
    told = problem.of_rpc_error(rpc_error(Refusal(Reason.UNAVAILABLE, "later", retry_after=seconds)))

    assert told is not None
    assert told.headers == {"Retry-After": header}


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK])
def test_a_status_that_grpc_made_itself_shows_none_of_its_words(code: grpc.StatusCode) -> None:
    told = problem.of_rpc_error(rpc_error(code=code))

    if code.name in {"UNKNOWN", "INTERNAL", "DATA_LOSS"}:
        assert told is None
    else:
        assert told is not None
        assert "secret" not in told.body().decode()
        assert told.status != 500


def test_the_status_of_every_grpc_code_is_known() -> None:
    assert {code.name for code in grpc.StatusCode} == set(code_pb2.Code.keys())


def test_a_defect_shows_its_id_alone() -> None:
    assert problem.of_rpc_error(rpc_error(Refusal(Reason.INTERNAL, "secret words"))) is None
    assert problem.of_defect("e-1").document() == {
        "type": "/docs#INTERNAL",
        "title": "Internal",
        "status": 500,
        "detail": "Something went wrong on our side. Name the errorId when you ask us about it.",
        "reason": "INTERNAL",
        "metadata": {"errorId": "e-1"},
    }


def test_a_reason_that_is_newer_than_the_gateway_is_told_by_its_code() -> None:
    info = error_details_pb2.ErrorInfo(reason="COUPON_EXPIRED", domain="ordermesh", metadata={"coupon": "c"})
    status = status_pb2.Status(code=grpc.StatusCode.FAILED_PRECONDITION.value[0], message="It is over.")
    status.details.add().Pack(info)
    trailers = Metadata(("grpc-status-details-bin", status.SerializeToString()))

    told = problem.of_rpc_error(
        AioRpcError(grpc.StatusCode.FAILED_PRECONDITION, Metadata(), trailers, details="It is over.")
    )

    assert told is not None
    assert (told.status, told.reason, told.detail) == (409, "FAILED_PRECONDITION", "It is over.")
    assert told.metadata == {"coupon": "c"}


def test_details_that_cannot_be_read_do_no_harm() -> None:
    trailers = Metadata(("grpc-status-details-bin", b"\xff\xff"))
    error = AioRpcError(grpc.StatusCode.NOT_FOUND, Metadata(), trailers, details="secret")

    told = problem.of_rpc_error(error)

    assert told is not None
    assert told.status == 404
