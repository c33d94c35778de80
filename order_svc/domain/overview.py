"""How the orders are doing all together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from order_svc.domain.order import State


@dataclass(frozen=True, slots=True)
class Counted:
    """What the tables say, at one moment.

    Attributes:
        states: How many orders there are in each state, one more than `most` where there are more; states without any
            may be missing.
        most: How many of a state were counted at the most.
        placed: How many were placed since the moment that was asked about.
        in_review: How many a person has to look at.
        tasks: How many tasks wait.
        oldest_task_seconds: The age of the oldest of them; 0 when none waits.
        oldest_order_seconds: The age of the oldest order that is neither paid nor given up; 0 when there is none.
    """

    states: Mapping[State, int]
    most: int
    placed: int
    in_review: int
    tasks: int
    oldest_task_seconds: float
    oldest_order_seconds: float


@dataclass(frozen=True, slots=True)
class Queue:
    """Work that waits.

    Attributes:
        name: Whose it is, as the metrics write it.
        waiting: How much.
        oldest_seconds: How long the oldest has waited; 0 when none waits.
    """

    name: str
    waiting: int
    oldest_seconds: float


@dataclass(frozen=True, slots=True)
class StepTimes:
    """How long a step took lately.

    Attributes:
        step: Its name: "charge", "send_mail".
        count: How often it ended.
        failed: How often not well.
        median_seconds: Half of them took at most so long.
        percentile_95_seconds: 95 of 100 took at most so long.
    """

    step: str
    count: int
    failed: int
    median_seconds: float
    percentile_95_seconds: float


@dataclass(frozen=True, slots=True)
class Overview:
    """All of it.

    Attributes:
        counted: What the tables say.
        counted_at: When they said it.
        queues: What waits besides tasks.
        steps: What this replica has done lately.
        steps_since: Since when.
    """

    counted: Counted
    counted_at: datetime
    queues: Sequence[Queue]
    steps: Sequence[StepTimes]
    steps_since: datetime
