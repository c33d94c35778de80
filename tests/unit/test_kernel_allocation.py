"""Sharing out loses nothing and gives nobody more than there is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.allocation import allocate

_WEIGHTS = st.lists(st.integers(-10_000, 10_000), min_size=1, max_size=12)


@given(total=st.integers(-(10**9), 10**9), weights=_WEIGHTS.filter(sum))
def test_the_shares_add_up_and_none_is_off_by_a_whole_unit(total: int, weights: list[int]) -> None:
    shares = allocate(total, weights)

    assert sum(shares) == total
    whole = sum(weights)
    assert all(abs(share * whole - total * weight) < abs(whole) for share, weight in zip(shares, weights, strict=True))


@given(data=st.data(), weights=_WEIGHTS.filter(sum))
def test_no_share_of_a_part_is_beyond_its_weight(data: st.DataObject, weights: list[int]) -> None:
    whole = sum(weights)
    total = data.draw(st.integers(min(0, whole), max(0, whole)))

    for share, weight in zip(allocate(total, weights), weights, strict=True):
        assert min(0, weight) <= share <= max(0, weight)


@given(weights=_WEIGHTS.filter(sum))
def test_the_whole_is_the_weights_and_nothing_is_nothing(weights: list[int]) -> None:
    assert allocate(sum(weights), weights) == weights
    assert allocate(0, weights) == [0] * len(weights)


def test_the_first_of_equals_gets_what_is_left_over() -> None:
    assert allocate(100, [1, 1, 1]) == [34, 33, 33]
    assert allocate(-100, [1, 1, 1]) == [-33, -33, -34]


def test_what_lost_most_by_rounding_gets_what_is_left_over() -> None:
    assert allocate(10, [1, 2, 4]) == [1, 3, 6]


def test_weights_that_come_to_nothing_take_only_nothing() -> None:
    assert allocate(0, [5, -5]) == [0, 0]
    assert allocate(0, []) == []
    with pytest.raises(ValueError, match="1 cannot be shared out"):
        allocate(1, [5, -5])
