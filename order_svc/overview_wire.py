"""The overview of all orders as a message."""

from ordermesh.order.v1 import order_service_pb2 as pb

from chassis.wire import backlog_to_wire, duration_to_wire, time_to_wire
from order_svc.domain.order import State
from order_svc.domain.overview import Overview, Queue, StepTimes
from order_svc.wire import state_to_wire

# The queue of what orders leave behind, as the metrics call it.
_TASKS = "order_tasks"


def overview_to_wire(overview: Overview) -> pb.GetOrdersOverviewResponse:
    """Return the overview as a message."""
    counted = overview.counted
    tasks = Queue(_TASKS, counted.tasks, counted.oldest_task_seconds)
    return pb.GetOrdersOverviewResponse(
        states=[_state(state, counted.states.get(state, 0), counted.most) for state in State],
        needs_review=counted.in_review,
        placed_in_last_minute=counted.placed,
        oldest_unsettled_age=duration_to_wire(counted.oldest_order_seconds),
        backlogs=[backlog_to_wire(each.name, each.waiting, each.oldest_seconds) for each in (tasks, *overview.queues)],
        count_time=time_to_wire(overview.counted_at),
        steps=[_step(each) for each in overview.steps],
        steps_since_time=time_to_wire(overview.steps_since),
    )


def _state(state: State, orders: int, most: int) -> pb.OrderStateCount:
    return pb.OrderStateCount(state=state_to_wire(state), orders=min(orders, most), more=orders > most)


def _step(times: StepTimes) -> pb.OrderStepTimes:
    return pb.OrderStepTimes(
        step=times.step,
        count=times.count,
        failed=times.failed,
        median=duration_to_wire(times.median_seconds),
        percentile_95=duration_to_wire(times.percentile_95_seconds),
    )
