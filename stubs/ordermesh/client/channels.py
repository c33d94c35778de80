"""What every channel of the client is set to, with the reason beside it."""

import json
from collections.abc import Sequence

Option = tuple[str, int | str]

ORDER_ADDRESS = "localhost:50051"
TAX_ADDRESS = "localhost:50052"
PAYMENT_ADDRESS = "localhost:50053"
NOTIFY_ADDRESS = "localhost:50054"

_SERVICE_CONFIG = {
    # Calls go round all addresses that a name stands for, and leave out those that say they are about to stop.
    "loadBalancingConfig": [{"round_robin": {}}],
    "healthCheckConfig": {"serviceName": ""},
}

CHANNEL_OPTIONS: tuple[Option, ...] = (
    # A peer that is gone without a word is noticed, also between calls: asking after its health is a call that stays
    # open. The services allow a ping every 5 seconds.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.ping_timeout_ms", 5_000),
    ("grpc.http2.max_pings_without_data", 0),
    # A service that comes back is found within a second, also under another address; grpc would wait for up to two
    # minutes, and half a minute before it asks for addresses again.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 800),
    ("grpc.dns_min_time_between_resolutions_ms", 1_000),
    # In spite of its name, how long one attempt to connect may take. Callers may be a continent and a TLS handshake
    # away: in the 100 ms that do inside the mesh their first attempts would be given up half-way.
    ("grpc.min_reconnect_backoff_ms", 3_000),
    # A full page of 200 large orders; more than that is no answer of ours.
    ("grpc.max_receive_message_length", 16 * 1024 * 1024),
    # Retries are ours (grpc's know nothing of RetryInfo); what never left this process it still sends again by itself.
    ("grpc.service_config_disable_resolution", 1),
    ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
)


def options(more: Sequence[Option]) -> list[Option]:
    """Return the defaults, with the caller's own in place of those of the same name."""
    return list({**dict(CHANNEL_OPTIONS), **dict(more)}.items())
