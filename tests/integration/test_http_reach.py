"""Requests to URLs of others go to checked addresses alone, also when a name resolves anew each time."""

from collections.abc import Sequence

import pytest

from chassis.http import HttpTransport, NotSent
from chassis.http.reach import Resolve, resolve, within
from chassis.telemetry.metrics import Metrics
from tests.fakes.http_peer import HttpPeer, well_behaved
from tests.fakes.telemetry_sink import recording_tracer
from tests.fakes.unused_ports import unused_port

LOOPBACK, METADATA = "127.0.0.1", "169.254.169.254"


class Names:
    """A resolver that answers what the script says, one line at a time, and the last line from then on."""

    def __init__(self, *script: Sequence[str]) -> None:
        self.asked = 0
        self._script = script

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """Answer the next line."""
        self.asked += 1
        return self._script[min(self.asked, len(self._script)) - 1]


def transport(url: str, checked: Resolve) -> HttpTransport:
    tracer, _ = recording_tracer()
    return HttpTransport(
        "webhook",
        f"http://shop.example:{url.rpartition(':')[2]}",
        tracer=tracer,
        metrics=Metrics("order"),
        timeout_seconds=5,
        max_connections=2,
        resolve=checked,
    )


def is_loopback(address: str) -> bool:
    return address == LOOPBACK


async def post(client: HttpTransport) -> int:
    return (await client.request("POST", "/hooks", operation="deliver", headers={}, content=b"{}")).status


async def test_a_checked_address_is_connected_to_and_the_name_stays_in_the_request() -> None:
    names = Names([METADATA, LOOPBACK])
    async with HttpPeer(well_behaved) as peer:
        client = transport(peer.url, within(is_loopback, names))
        assert await post(client) == 200
        await client.aclose()

    assert b"host: shop.example" in peer.requests[0]
    assert names.asked == 1


async def test_a_name_that_leads_inward_is_never_connected_to() -> None:
    async with HttpPeer(well_behaved) as peer:
        client = transport(peer.url, within(lambda _: False, Names([LOOPBACK, METADATA])))
        with pytest.raises(NotSent, match="no address that may be connected to"):
            await post(client)
        await client.aclose()

    assert peer.connections == 0


async def test_a_name_that_resolves_differently_after_it_was_checked_gains_nothing() -> None:
    # The first answer passes the check and is what is connected to; nobody asks again for that connection.
    names = Names([LOOPBACK], [METADATA])
    async with HttpPeer(well_behaved) as peer:
        client = transport(peer.url, within(is_loopback, names))
        assert await post(client) == 200
        await client.aclose()
        again = transport(peer.url, within(is_loopback, names))
        with pytest.raises(NotSent):
            await post(again)
        await again.aclose()

    assert (peer.connections, names.asked) == (1, 2)


async def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    async with HttpPeer(well_behaved) as peer:
        client = transport(peer.url, within(lambda _: True, Names(["127.0.0.9", LOOPBACK])))
        assert await post(client) == 200
        await client.aclose()


async def test_a_host_that_refuses_is_not_sent() -> None:
    client = transport(f"http://127.0.0.1:{unused_port()}", within(is_loopback, Names([LOOPBACK])))
    with pytest.raises(NotSent, match="no connection could be made"):
        await post(client)
    await client.aclose()


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "0x7f.1"])
async def test_every_way_to_write_an_address_ends_as_that_address(host: str) -> None:
    assert await resolve(host, 80) == ["127.0.0.1"]
