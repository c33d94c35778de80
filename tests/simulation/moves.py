"""How the state of an order may change, as the contract tells it; apart from the product's own table on purpose."""

OPEN = frozenset({"PENDING", "PAYMENT_ACTION_REQUIRED"})

# Whose money was taken. PROCESSING is not among them: held money is taken with the first shipment.
TAKEN = frozenset({"PAID", "SHIPPED", "DELIVERED", "REFUNDED"})

GIVEN_UP = frozenset({"FAILED", "CANCELLED"})

# Whose money was taken if any was.
SOLD = TAKEN | {"PROCESSING"}

# Where an order may be when nothing goes on by itself any more.
ENDS = SOLD | GIVEN_UP

MOVES: dict[str, frozenset[str]] = {
    "PENDING": frozenset({"PAYMENT_ACTION_REQUIRED", "AUTHORIZED", "PAID", "FAILED", "CANCELLED"}),
    "PAYMENT_ACTION_REQUIRED": frozenset({"PENDING", "AUTHORIZED", "PAID", "FAILED", "CANCELLED"}),
    "AUTHORIZED": frozenset({"PAID", "PROCESSING", "SHIPPED", "FAILED", "CANCELLED"}),
    "PAID": frozenset({"PROCESSING", "SHIPPED", "REFUNDED"}),
    "PROCESSING": frozenset({"SHIPPED", "REFUNDED", "FAILED", "CANCELLED"}),
    "SHIPPED": frozenset({"DELIVERED", "REFUNDED"}),
    "DELIVERED": frozenset({"REFUNDED"}),
    "REFUNDED": frozenset(),
    "FAILED": frozenset(),
    "CANCELLED": frozenset(),
}


def _reachable(state: str) -> frozenset[str]:
    found, new = {state}, {state}
    while new:
        new = {after for each in new for after in MOVES[each]} - found
        found |= new
    return frozenset(found)


# Where an order that was in a state can be ever after: what somebody was told of it stays true.
REACHABLE = {state: _reachable(state) for state in MOVES}
