"""A budget for repeating calls: what is repeated stays a small share of what is asked, however bad the day."""

# What a first try earns, and what a repetition costs: in the long run one call in ten may be a repetition.
_EARNED = 0.1
_COST = 1.0


class RetryBudget:
    """A bucket of tokens, full at first.

    Args:
        most: How many tokens it holds: so many repetitions may follow each other after a quiet time.
    """

    def __init__(self, most: float) -> None:
        self._most = most
        self._tokens = most

    def begin(self) -> None:
        """Note a first try."""
        self._tokens = min(self._tokens + _EARNED, self._most)

    def spend(self) -> bool:
        """Say whether a repetition may be made; a yes uses up its token."""
        if self._tokens < _COST:
            return False
        self._tokens -= _COST
        return True
