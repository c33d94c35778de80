"""How much may be repeated."""

from chassis.retry_budget import RetryBudget


def spent(budget: RetryBudget) -> int:
    """Return how many repetitions it allows now."""
    count = 0
    while budget.spend():
        count += 1
    return count


def test_after_a_quiet_time_so_many_repetitions_may_follow_each_other_as_it_holds() -> None:
    assert spent(RetryBudget(5)) == 5


def test_in_the_long_run_one_call_in_ten_may_be_a_repetition() -> None:
    budget = RetryBudget(5)
    spent(budget)
    repeated = 0
    for _ in range(1_000):
        budget.begin()
        repeated += budget.spend()

    assert 95 <= repeated <= 100


def test_it_never_holds_more_than_at_first() -> None:
    budget = RetryBudget(3)
    for _ in range(1_000):
        budget.begin()

    assert spent(budget) == 3


def test_what_was_refused_costs_nothing() -> None:
    budget = RetryBudget(1)
    spent(budget)
    for _ in range(11):  # one more than ten, for what floats lose
        assert not budget.spend()
        budget.begin()

    assert budget.spend()
