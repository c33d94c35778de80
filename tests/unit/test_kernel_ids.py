"""Ids: UUID version 7, sortable by the moment they were made."""

import uuid
from datetime import UTC, datetime, timedelta

from kernel.clock import SystemClock
from kernel.ids import Uuid7Ids, least_id_at


class SetClock(SystemClock):
    """A clock that shows what it is told to."""

    def __init__(self, now: datetime) -> None:
        self.shown = now

    def now(self) -> datetime:
        return self.shown


def test_version_and_variant_are_those_of_rfc_9562() -> None:
    ids = Uuid7Ids(SystemClock())

    made = [uuid.UUID(ids.new()) for _ in range(100)]

    assert {each.version for each in made} == {7}
    assert {each.variant for each in made} == {uuid.RFC_4122}


def test_the_first_48_bits_are_the_milliseconds() -> None:
    moment = datetime(2026, 3, 1, 12, 30, 15, 123_999, tzinfo=UTC)

    made = uuid.UUID(Uuid7Ids(SetClock(moment)).new())

    assert made.int >> 80 == int(moment.timestamp() * 1000)


def test_ids_sort_by_the_moment_they_were_made() -> None:
    clock = SetClock(datetime(2026, 1, 1, tzinfo=UTC))
    ids = Uuid7Ids(clock)

    made = []
    for _ in range(1000):
        made.append(ids.new())
        clock.shown += timedelta(milliseconds=1)

    assert made == sorted(made)


def test_ids_of_one_millisecond_differ() -> None:
    ids = Uuid7Ids(SetClock(datetime(2026, 1, 1, tzinfo=UTC)))

    made = {ids.new() for _ in range(10_000)}

    assert len(made) == 10_000


def test_an_id_is_written_in_its_36_canonical_characters() -> None:
    made = Uuid7Ids(SystemClock()).new()

    assert made == str(uuid.UUID(made))
    assert len(made) == 36


def test_a_moment_has_a_least_identifier() -> None:
    clock = SetClock(datetime(2026, 1, 1, tzinfo=UTC))
    made, before = Uuid7Ids(clock).new(), clock.now() - timedelta(milliseconds=1)

    assert least_id_at(clock.now()) <= made
    assert least_id_at(before) < least_id_at(clock.now())
    assert least_id_at(clock.now() + timedelta(milliseconds=1)) > made
