"""From a world in which a promise was broken to the least that breaks one."""

from tests.simulation.run import Result, run

# Enough for some twenty faults; each run takes a second at most, unless a provider is away for long.
_MOST_RUNS = 60


def shrunk(result: Result) -> Result:
    """Return a run of the same seed that breaks a promise with as few faults as could be found.

    Leaving a fault out changes what comes after it, so this tries, and keeps what still breaks something.
    """
    best, runs, size = result, 0, max(1, len(result.fired) // 2)
    while runs < _MOST_RUNS:
        draws = [each.draw for each in best.fired]
        smaller = None
        for begin in range(0, len(draws), size):
            if runs >= _MOST_RUNS:
                break
            runs += 1
            kept = frozenset(draws[:begin] + draws[begin + size :])
            again = run(result.seed, kept)
            if again.violations and len(again.fired) < len(best.fired):
                smaller = again
                break
        if smaller is not None:
            best = smaller
            size = min(size, max(1, len(best.fired) // 2))
        elif size == 1:
            break
        else:
            size //= 2
    return best
