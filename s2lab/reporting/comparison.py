"""What a comparison found, as plain data: entries, contests between them, and what to beware of.

Knows no files and no HTML.
"""

from dataclasses import dataclass
from typing import Any, Literal

from s2lab.reporting.curves import Curve
from s2lab.reporting.runs import Run
from s2lab.stats import Band, FloatArray, Interval

Metric = Literal["success_rate", "mean_return"]

REACHED = (0.5, 0.9, 0.95)
"""Success rates whose environment steps are reported."""


@dataclass(frozen=True)
class Aggregates:
    """Four summaries of the same runs (Agarwal et al. 2021, section 4.3)."""

    mean: Interval
    interquartile_mean: Interval
    median: Interval
    optimality_gap: Interval


@dataclass(frozen=True)
class Reached:
    """Environment steps until a success rate was first logged."""

    level: float
    median_steps: float
    """Over all runs, inf counted for those that never got there."""
    runs: int
    """How many got there."""


@dataclass(frozen=True)
class MeanCurve:
    """The mean over runs with its band, and the runs themselves."""

    x: FloatArray
    """# [G]"""
    band: Band
    """# [G]"""
    runs: tuple[Curve, ...]


@dataclass(frozen=True)
class Entry:
    """One agent in one environment."""

    label: str
    env_id: str
    runs: tuple[Run, ...]
    scores: tuple[float, ...]
    """One per evaluated run."""
    score: Aggregates | None
    """None when no run was evaluated."""
    success_rate: Interval | None
    mean_return: Interval | None
    mean_length: Interval | None
    steps: float
    """Median environment steps of the runs."""
    elapsed_s: float
    """Median wall-clock seconds."""
    steps_per_s: float
    curves: int
    """Runs with a learning curve."""
    reached: tuple[Reached, ...]
    curve: MeanCurve | None
    """Over environment steps."""
    clock: MeanCurve | None
    """The same over wall-clock seconds."""

    @property
    def untrained(self) -> bool:
        """Took no steps at all, such as a random policy."""
        return all(run.steps == 0 for run in self.runs)


@dataclass(frozen=True)
class Contest:
    """One agent against another, in one environment or over all of them."""

    env_id: str | None
    """None over all environments."""
    ours: str
    theirs: str
    difference: Interval
    """Mean score, ours minus theirs."""
    improvement: Interval
    """Probability that a run of ours beats a run of theirs."""
    p_value: float
    """Permutation test, after Holm's correction over the contests of the same environment."""
    tested: int
    """How many contests that correction covers."""
    seeds: int
    """Runs on the smaller side."""


@dataclass(frozen=True)
class Shifted:
    """One agent on both sides of one shift of an environment."""

    env_id: str
    shift: str
    label: str
    train: Interval
    """Mean score on the train side."""
    test: Interval
    change: Interval
    """Test minus train, of the same runs."""
    train_scores: tuple[float, ...]
    """One per run."""
    test_scores: tuple[float, ...]


@dataclass(frozen=True)
class Overall:
    """Agents over all environments."""

    environments: tuple[str, ...]
    scores: dict[str, Aggregates]


@dataclass(frozen=True)
class Profile:
    """Share of runs above each threshold, by agent."""

    thresholds: FloatArray
    """# [K]"""
    bands: dict[str, Band]
    """# [K] each."""


@dataclass(frozen=True)
class Comparison:
    """Everything that tables, pages and W&B show of a comparison."""

    by: str
    metric: Metric
    level: float
    labels: tuple[str, ...]
    """Best first; an agent's place is its colour."""
    entries: tuple[Entry, ...]
    """By environment, then by falling score."""
    overall: Overall | None
    contests: tuple[Contest, ...]
    curve_metric: str
    """What learning curves show, by its name in metrics.jsonl; empty without curves."""
    profile: Profile | None
    shifts: tuple[Shifted, ...]
    """By environment, then shift; empty where no run was evaluated on one."""
    verdicts: tuple[str, ...]
    """Significance in words."""
    warnings: tuple[str, ...]
    configs: dict[str, dict[str, Any]]
    """Of the first run of each label, by dotted name."""
    environment: dict[str, Any]
    """Versions and machine of the first run."""

    @property
    def environments(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(entry.env_id for entry in self.entries))

    @property
    def metric_name(self) -> str:
        return "success rate" if self.metric == "success_rate" else "return"
