"""How many event streams are open: they wait most of their hour, and are counted apart from what is soon done."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from chassis.admission import RETRY_SECONDS
from chassis.caller import Caller
from kernel.errors import Reason, Refusal

# Some 60 KB each. With the requests in flight (edge.py) they have to be fewer than a connection to a service carries
# (chassis/server.py): a stream holds its place on it, and where streams have them all, every other call waits.
MOST_STREAMS = 1_000

# A browser opens six connections to a host; on three devices that is as many.
MOST_OF_A_CUSTOMER = 20

# A shop follows the orders of all its customers under one key. Half is left to everybody else, whoever runs wild.
MOST_OF_ANOTHER = MOST_STREAMS // 2

# Who has as many as they may have ends one, or waits until those of clients that vanished are given up, for up to 45 s
# (server.py): asking every second would be in vain.
_ONE_ENDED_SECONDS = 15.0


class Streams:
    """Counts streams, and refuses what is too much."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()
        self._all = 0

    @contextmanager
    def held(self, who: Caller) -> Iterator[None]:
        """Hold a place for as long as a stream is open.

        Args:
            who: Who listens.

        Raises:
            Refusal: OVERLOADED; there is none, or they have as many as they may have.
        """
        most = MOST_OF_A_CUSTOMER if who.customer_id else MOST_OF_ANOTHER
        if self._open[who.principal] >= most:
            raise Refusal(
                Reason.OVERLOADED,
                f"You have {most} event streams open, which is as many as you may have: end one first.",
                metadata={"streams": str(most)},
                retry_after=_ONE_ENDED_SECONDS,
            )
        if self._all >= MOST_STREAMS:
            raise Refusal(Reason.OVERLOADED, "Too many event streams are open here.", retry_after=RETRY_SECONDS)
        self._all += 1
        self._open[who.principal] += 1
        try:
            yield
        finally:
            self._all -= 1
            self._open[who.principal] -= 1
            if not self._open[who.principal]:
                del self._open[who.principal]
