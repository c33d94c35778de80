"""What the gateway's listening socket hands on to the connections that it takes."""

import socket
import sys

import pytest

from gateway.server import _listen
from gateway.sse import HEARTBEAT_SECONDS


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has it")
def test_connections_to_clients_that_vanish_are_given_up_within_a_minute() -> None:
    with _listen("127.0.0.1", 0, shared=False) as listener:
        listener.settimeout(5)
        listener.listen()
        with socket.create_connection(listener.getsockname(), timeout=5), listener.accept()[0] as accepted:
            given_up_ms = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)

    # Shorter than two heartbeats it would cut off who has merely lost one; docs/security.md says what both come to.
    assert given_up_ms >= 2 * HEARTBEAT_SECONDS * 1_000
    assert HEARTBEAT_SECONDS * 1_000 + given_up_ms <= 45_000
