"""The tables that docs/concepts.md is drawn from: where states and stages lead is where the saga takes orders."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

from kernel.errors import Reason
from kernel.outcome import Done, NotDone, Unknown
from order_svc.domain.order import MOVES, Order, Stage, State
from order_svc.domain.payment import Dispute, PaymentState
from order_svc.domain.saga import LEADS_TO, next_step
from order_svc.domain.step import Step
from order_svc.domain.transition import Transition
from tests.fakes.order_samples import a_draft, a_tax, euros
from tests.fakes.order_situations import SITUATIONS
from tests.fakes.order_stages import FULL, LATER, REFUNDING, Outcome, back, paid, refused, take
from tests.simulation import moves as told_by_the_contract

OPEN = ("PENDING, charging", "PAYMENT_ACTION_REQUIRED, 3-D Secure")
DISPUTE = Dispute("dp_1", "NEEDS_RESPONSE", euros(FULL), "fraudulent", None, LATER)


def outcomes(step: Step) -> Iterator[Outcome]:
    """Yield whatever can come of a step."""
    yield Unknown("x")
    yield from (refused(reason) for reason in Reason)
    if step is Step.QUOTE_TAX:
        yield Done(a_tax(a_draft()))
        return
    sums = list(product((None, 0, 1, FULL), (0, 1, FULL)))
    if step in {Step.REFUND, Step.GIVE_BACK}:
        yield from (back(captured, refunded, failed=failed) for captured, refunded in sums for failed in (False, True))
        return
    yield from (paid(state, captured, refunded) for state in PaymentState for captured, refunded in sums)
    yield Done(replace(paid().value, disputes=(DISPUTE,)))


def taken() -> Iterator[tuple[Order, Outcome, Transition]]:
    """Yield every situation with everything that can come of its next step."""
    on_shipment = [replace(SITUATIONS[name], terms=SITUATIONS["AUTHORIZED"].terms) for name in OPEN]
    for order in (*SITUATIONS.values(), *on_shipment, REFUNDING):
        if (step := next_step(order)) is not None:
            yield from ((order, outcome, take(order, outcome)) for outcome in outcomes(step))


TAKEN = list(taken())


def test_stages_lead_where_the_table_says_and_nowhere_else() -> None:
    found: dict[Stage, set[Stage]] = {stage: set() for stage in Stage}
    for before, _, move in TAKEN:
        found[before.stage].add(move.order.stage)

    assert {stage: frozenset(led - {stage}) for stage, led in found.items()} == LEADS_TO


def test_no_outcome_takes_an_order_where_its_state_does_not_lead() -> None:
    for before, outcome, move in TAKEN:
        assert move.order.state in {before.state, *MOVES[before.state]}, (before, outcome)


def test_the_contract_tells_the_same_moves() -> None:
    assert {state.value: {after.value for after in MOVES[state]} for state in State} == told_by_the_contract.MOVES


def test_a_refusal_is_an_outcome_too() -> None:
    assert any(isinstance(outcome, NotDone) for _, outcome, _ in TAKEN)
