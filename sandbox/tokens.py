"""Made-up identifiers in the shapes that the providers use."""

import random
import uuid

_STRIPE_TAIL = 24


class Tokens:
    """Where the sandbox's identifiers come from; give it a seeded generator to get the same ones again."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def text(self, length: int) -> str:
        """Return lower-case letters and digits (hexadecimal: one draw makes them all)."""
        return f"{self._rng.getrandbits(4 * length):0{length}x}"

    def stripe(self, prefix: str) -> str:
        """Return an id such as `pi_0c5f31e8a4b27d9603f1e2aa`."""
        return f"{prefix}_{self.text(_STRIPE_TAIL)}"

    def uuid(self) -> str:
        """Return a random UUID."""
        return str(uuid.UUID(int=self._rng.getrandbits(128), version=4))

    def chance(self) -> float:
        """Return a number from 0 up to, but not including, 1."""
        return self._rng.random()
