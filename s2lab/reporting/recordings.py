"""The learning curves of many runs in one and the same metric, and what was wrong with them.

Knows no statistics and no charts.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from s2lab.reporting.comparison import Metric
from s2lab.reporting.curves import Curve, read_recording
from s2lab.reporting.runs import Run

CANDIDATES: Mapping[Metric, tuple[str, ...]] = {
    "success_rate": ("rollout/success_rate", "eval/success_rate"),
    "mean_return": ("rollout/ep_rew_mean", "eval/mean_reward", "eval/mean_return"),
}
"""SB3's names for a curve of each metric, the preferred one first."""


@dataclass(frozen=True)
class Recordings:
    """Curves by run folder; runs without one are absent."""

    metric: str
    """The one metric that most runs logged more than once; empty when none was logged at all."""
    curves: dict[Path, Curve]
    notes: tuple[str, ...]
    """Runs with damaged metrics, each with its damage."""
    without: tuple[str, ...] = ()
    """Runs that trained and have no curve."""


NOTHING_RECORDED = Recordings("", {}, ())


def read_recordings(runs: Sequence[Run], metric: Metric) -> Recordings:
    """Read metrics.jsonl of every run; curves of different metrics are never mixed."""
    names = CANDIDATES[metric]
    found = {run: read_recording(run.path, names) for run in runs}
    counts = {
        name: _counts(recording.curves.get(name) for recording in found.values()) for name in names
    }
    chosen = max(names, key=lambda name: counts[name])
    if not any(counts[chosen]):
        chosen = ""
    notes, without = [], []
    for run, recording in found.items():
        if recording.damage:
            notes.append(f"{run.run_id}: {recording.damage}")
        if gaps := recording.gaps.get(chosen, 0):
            rows = "row" if gaps == 1 else "rows"
            notes.append(f"{run.run_id}: {chosen} is not a number in {gaps} {rows}, left out")
        if chosen and run.steps and chosen not in recording.curves:
            without.append(run.run_id)
    curves = {run.path: rec.curves[chosen] for run, rec in found.items() if chosen in rec.curves}
    return Recordings(chosen, curves, tuple(notes), tuple(without))


def _counts(curves: Iterable[Curve | None]) -> tuple[int, int]:
    """How many are more than a point, as a final evaluation is, and how many there are."""
    known = [curve.steps.size for curve in curves if curve is not None]
    return sum(size > 1 for size in known), len(known)
