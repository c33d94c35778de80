"""Sharing a whole number of minor units out by weight, so that the shares add up to it exactly."""

from collections.abc import Sequence


def allocate(total: int, weights: Sequence[int]) -> list[int]:
    """Return each weight's share of a total; they add up to it, and none is off by a whole unit.

    The method of the largest remainder: every share is rounded down, and what is left over goes, a unit each, to those
    that lost most by it, the first of equals first.

    Args:
        total: What is shared, of either sign.
        weights: Whole numbers whose sum is not zero. They may differ in sign, as articles and discounts do; as long as
            the total is between zero and their sum, no share is further from zero than its weight.

    Raises:
        ValueError: The weights add up to nothing, and the total does not.
    """
    whole = sum(weights)
    if whole == 0:
        if total:
            raise ValueError(f"{total} cannot be shared out among weights that add up to nothing")
        return [0] * len(weights)
    if whole < 0:
        return allocate(total, [-weight for weight in weights])
    shares = [total * weight // whole for weight in weights]
    remainders = [total * weight % whole for weight in weights]
    left = total - sum(shares)
    for position in sorted(range(len(weights)), key=lambda each: (-remainders[each], each))[:left]:
        shares[position] += 1
    return shares
