"""How much is proved: the full run, and smaller ones to try things out."""

from dataclasses import dataclass, field, replace

from tests.simulation.mutants import MUTANTS
from tests.simulation.paths import LONG_PATHS, PATHS
from tests.simulation.script import Path

_MUTANT_SEEDS = 1_000


@dataclass(frozen=True, slots=True)
class Plan:
    """What is run.

    Attributes:
        name: What it is called on the page.
        command: What it was run with.
        seeds: How many worlds are drawn, from seed 0 on.
        replays: How many of them are run twice, in different processes, to compare their stories.
        paths: The ways that the exhaustive pass goes.
        long_paths: Those of which it goes only what is their own: each case takes long.
        variants: The seeds with which it goes each. Seed 1 has lost requests arrive, and held processes go on, after a
            lease has ended, and processes down for 5 s.
        pairs: Names of the paths on which a second thing goes wrong after each.
        mutants: Names of the variants of the product that have to be caught.
        mutant_seeds: Within how many worlds.
        rounds: How often the real processes are harmed.
        least_hits: How often each fault has to have happened at each place.
        own: Whether the exhaustive pass leaves out, on each path, what is the same on one before it in the list.
        jobs: How many processes share the simulated worlds; 0: this one runs them.
    """

    name: str = "The last full run"
    command: str = field(default="make prove", compare=False)
    seeds: int = 7_000
    replays: int = 50
    paths: tuple[Path, ...] = PATHS
    long_paths: tuple[Path, ...] = LONG_PATHS
    variants: tuple[int, ...] = (1,)
    pairs: tuple[str, ...] = ("paid", "paid too late and refunded")
    mutants: tuple[str, ...] = tuple(each.name for each in MUTANTS)
    mutant_seeds: int = _MUTANT_SEEDS
    rounds: int = 50
    least_hits: int = 10
    own: bool = False
    jobs: int = field(default=2, compare=False)

    def divided(
        self, seeds: int | None, mutant_seeds: int | None, rounds: int | None, *, own: bool, once: bool
    ) -> "Plan":
        """Return the plan with less of it, for a machine that has less time; what is None stays as it is.

        Args:
            seeds: How many worlds are drawn.
            mutant_seeds: Within how many worlds variants are caught.
            rounds: How often the real processes are harmed.
            own: Of each path only what it does not share with one before it in the list.
            once: Nothing goes wrong a second time.
        """
        smaller = replace(
            self,
            seeds=self.seeds if seeds is None else seeds,
            replays=min(self.replays, self.seeds if seeds is None else seeds),
            mutant_seeds=self.mutant_seeds if mutant_seeds is None else mutant_seeds,
            rounds=self.rounds if rounds is None else rounds,
            own=self.own or own,
            pairs=() if once else self.pairs,
        )
        return smaller if smaller.full else replace(smaller, name="The last run, of less than all")

    @property
    def full(self) -> bool:
        """Whether it is all that there is to run."""
        return self == Plan()

    def tenth(self) -> "Plan":
        """Return a plan for trying out: a tenth of everything that can be divided."""
        return replace(
            self,
            name="A tenth of a full run",
            seeds=self.seeds // 10,
            replays=self.replays // 10,
            long_paths=(),
            pairs=(),
            mutant_seeds=self.mutant_seeds // 10,
            rounds=self.rounds // 10,
        )
