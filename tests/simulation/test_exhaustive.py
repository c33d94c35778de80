"""Everything goes wrong once, everywhere, on every way of an order: tests/simulation/exhaustive.py."""

import shlex

import pytest

from tests.simulation.chaos import KILL
from tests.simulation.exhaustive import Case, Share, explore, main, moments
from tests.simulation.paths import LONG_PATHS, PATHS
from tests.simulation.script import Cue, Path, play
from tests.simulation.table import tables

# Which replicas there are, and how long things last that last: pauses and lost requests outlive a lease.
_SEED = 1


# What leaves a doubt behind: a process that dies, an answer or the outcome of a commit that is lost, an event that is.
_DOUBT = frozenset({KILL, "lost_answer", "cut_after", "lost_event"})


# How many moments make one of those that are played: all of them are for `make prove`, with all kinds of faults.
_ONE_OF = 12


# A path each, so that processes share them, from where it parts from those before it; each begins with another moment.
@pytest.mark.parametrize(("number", "path"), [*enumerate(PATHS)], ids=[path.name for path in PATHS])
def test_nothing_that_goes_wrong_once_breaks_a_promise(number: int, path: Path) -> None:
    found = explore(Share(path, _SEED, number % _ONE_OF, _ONE_OF, kinds=_DOUBT, own=True))

    assert found.cases > 0
    assert not found.broken, "\n".join(map(str, found.broken[:3]))
    assert not found.unreached


def test_everything_that_can_go_wrong_on_a_path_does() -> None:
    refused = _path("refused address")

    found = explore(Share(refused, _SEED))

    assert all(found.hits[cue.kind, cue.place] for cue in moments(play(refused, seed=_SEED)))
    assert found.kills == sum(cue.kind == KILL for cue in moments(play(refused, seed=_SEED)))


def test_a_second_thing_goes_wrong_after_each() -> None:
    refused = _path("refused address")
    kills = frozenset({KILL})

    once, twice = (explore(Share(refused, _SEED, kinds=kills, own=True, pairs=pairs)) for pairs in (False, True))

    assert twice.cases > 2 * once.cases
    assert not twice.broken
    assert not twice.unreached


def test_a_moment_that_never_comes_is_told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    never = '--path "refused address" --seed 1 --cue "kill@stripe.confirm:after#1"'
    monkeypatch.setattr("sys.argv", ["exhaustive", *shlex.split(never)])

    assert main() == 1
    assert f"never came to it: {never}" in capsys.readouterr().out


@pytest.mark.parametrize("path", [*PATHS, *LONG_PATHS], ids=lambda path: path.name)
def test_a_path_goes_where_its_name_says(path: Path) -> None:
    played = play(path, seed=_SEED)

    assert played.state == path.ends
    assert played.happened.issuperset(path.faults)
    assert set(path.passes) <= {chance.place for chance in played.chances}
    # A day of waiting has few moments: a worker who looks again and again for what he found before costs minutes.
    assert len(played.chances) < 3_000


def _path(name: str) -> Path:
    (named,) = (each for each in PATHS if each.name == name)
    return named


def test_a_cue_kills_at_its_point_and_nowhere_else() -> None:
    played = play(PATHS[0], [Cue("kill", "stripe.confirm:after", 1)], _SEED)

    assert [(each.kind, each.place) for each in played.result.fired] == [("kill", "stripe.confirm:after")]
    assert played.result.kills == 1
    assert (played.state, played.result.violations) == ("PAID", [])


def test_a_script_tells_the_same_story_every_time() -> None:
    cues = [Cue("late", "stripe.confirm", 1), Cue("kill", "order.commit:before", 2)]

    assert play(PATHS[0], cues, _SEED).result.digest == play(PATHS[0], cues, _SEED).result.digest


def test_a_case_is_written_as_the_command_that_plays_it_again() -> None:
    cue = Cue("kill", "stripe.confirm:after", 1)

    assert str(Case(PATHS[0], (cue,), 2)) == '--path "paid" --seed 2 --cue "kill@stripe.confirm:after#1"'
    assert Cue.parsed(str(cue)) == cue


def test_a_cue_that_says_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="kind@place#number"):
        Cue.parsed("kill everything")


def test_a_table_shows_each_fault_at_its_place_and_what_never_happened() -> None:
    page = tables(
        [("late", "stripe.create"), ("away", "order.read"), ("a new one", "somewhere.else")],
        {("late", "stripe.create"): 3, ("kill", "stripe.create:after"): 2},
    )

    assert "| `stripe.create` | - | 2 | - | - | - | - | - | 3 | - | - | - |" in page
    assert "| `order.read` | - | - | - | - | 0 |" in page
    assert page.splitlines()[-1] == "| `somewhere.else` | " + "- | " * 8 + "0 |"
