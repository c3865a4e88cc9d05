"""A comparison as one W&B run: every table, and the curves of all agents in one chart each.

Offline by default, in `wandb/` of the current folder, as W&B's own runs are. Computes nothing.
"""

import secrets
from collections.abc import Callable
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from s2lab import __version__
from s2lab.machine import commit
from s2lab.reporting.comparison import Comparison, MeanCurve
from s2lab.reporting.comparison_tables import comparison_record, comparison_tables
from s2lab.reporting.tables import with_limits
from s2lab.track_wandb import WandbSink, project

Series = dict[str, tuple[list[float], list[float]]]
NAME_LIMIT = 120


def send_comparison(
    comparison: Comparison, *, mode: str, say: Callable[[str], None], home: Path | None = None
) -> Path:
    """Write the run; returns the folder that W&B's files are in, under `home`/wandb.

    Trouble with W&B is one line for `say`, never an error.
    """
    home = Path.cwd() if home is None else home
    environments = " ".join(comparison.environments)[:NAME_LIMIT]
    sink = WandbSink(
        home,
        lambda: _identity(comparison, environments),
        mode=mode,
        group=environments,
        job_type="compare",
        tags=[__version__, str(commit() or "no-commit")],
        after_step=-1,
        say=say,
    )
    for name, table in comparison_tables(comparison).items():
        columns, rows = with_limits(table)
        sink.table(f"tables/{name}", columns, [list(map(_finite, row)) for row in rows])
    for name, title, x_name, series in charts(comparison):
        sink.chart(name, title=title, x_name=x_name, series=series)
    sink.close({"verdicts": list(comparison.verdicts), "warnings": list(comparison.warnings)})
    return home / "wandb"


def charts(comparison: Comparison) -> list[tuple[str, str, str, Series]]:
    """Name, title, x axis and one line per agent; only charts that have lines."""
    metric = comparison.curve_metric
    found: list[tuple[str, str, str, Series]] = []
    for env_id in comparison.environments:
        entries = [entry for entry in comparison.entries if entry.env_id == env_id]
        for clock, x_name in ((False, "environment steps"), (True, "seconds")):
            curves = {e.label: e.clock if clock else e.curve for e in entries}
            series = {label: _points(curve) for label, curve in curves.items() if curve}
            name = f"curves/{env_id}/{'seconds' if clock else 'steps'}"
            found.append((name, f"{metric}, {env_id}", x_name, series))
    if comparison.profile is not None:
        at = comparison.profile.thresholds.tolist()
        series = {k: (at, band.estimate.tolist()) for k, band in comparison.profile.bands.items()}
        title = f"share of runs above a {comparison.metric_name}"
        found.append(("profile", title, comparison.metric_name, series))
    return [chart for chart in found if chart[3]]


def _finite(value: str | float | None) -> str | float | None:
    """W&B's tables hold no infinities, such as the steps to a level that was never reached."""
    return None if isinstance(value, float) and not isfinite(value) else value


def _points(curve: MeanCurve) -> tuple[list[float], list[float]]:
    known = np.isfinite(curve.band.estimate)
    return curve.x[known].tolist(), curve.band.estimate[known].tolist()


def _identity(comparison: Comparison, environments: str) -> dict[str, Any]:
    record = comparison_record(comparison)
    about = {key: record[key] for key in ("by", "metric", "level", "labels")}
    runs = [run.run_id for entry in comparison.entries for run in entry.runs]
    return {
        "project": project(),
        "id": secrets.token_hex(6),
        "name": f"compare {environments}"[:NAME_LIMIT],
        "config": {**about, "environments": list(comparison.environments), "runs": runs[:1000]},
    }
