"""The learning curves of many runs in one and the same metric, and what was wrong with them.

Knows no statistics and no charts.
"""

from collections.abc import Mapping, Sequence
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
    """The one metric that most runs logged; empty when none did."""
    curves: dict[Path, Curve]
    notes: tuple[str, ...]
    """Runs with damaged or missing metrics, each with its damage."""


NOTHING_RECORDED = Recordings("", {}, ())


def read_recordings(runs: Sequence[Run], metric: Metric) -> Recordings:
    """Read metrics.jsonl of every run; curves of different metrics are never mixed."""
    names = CANDIDATES[metric]
    found = {run: read_recording(run.path, names) for run in runs}
    counts = {name: sum(name in found[run].curves for run in runs) for name in names}
    chosen = max(names, key=lambda name: counts[name])
    if not counts[chosen]:
        chosen = ""
    notes = []
    for run, recording in found.items():
        if recording.damage:
            notes.append(f"{run.run_id}: {recording.damage}")
        if gaps := recording.gaps.get(chosen, 0):
            rows = "row" if gaps == 1 else "rows"
            notes.append(f"{run.run_id}: {chosen} is not a number in {gaps} {rows}, left out")
        if chosen and run.steps and chosen not in recording.curves:
            notes.append(f"{run.run_id}: metrics.jsonl holds no {chosen}, so it has no curve")
    curves = {run.path: rec.curves[chosen] for run, rec in found.items() if chosen in rec.curves}
    return Recordings(chosen, curves, tuple(notes))
