"""What the runs of a folder are doing: read from their files, so it works on any machine's runs.

Only the runs that are shown are looked at closely; all others cost one look at their summary.
Knows no terminal: `watch_screen` draws.
"""

import json
import math
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s2lab.errors import UserError
from s2lab.reporting.runs import number, printable, read_config
from s2lab.run_index import Listed, list_runs

TAIL_BYTES = 32 * 1024
"""Of metrics.jsonl: its last lines, a hundred or so."""
POINTS = 16
"""Success rates in a sparkline."""
SILENT_AFTER_S = 600.0
"""A running run that has written nothing for so long is called silent."""
BARS = "▁▂▃▄▅▆▇█"
ORDER = {"running": 0, "silent": 1, "failed": 2, "interrupted": 3}


@dataclass(frozen=True)
class Watched:
    """One run as it is shown."""

    run_id: str
    env_id: str
    agent: str
    seed: str
    status: str
    """As in summary.json, or `silent`, or `damaged`."""
    step: int
    total: int
    """0 when it is not known."""
    steps_per_s: float
    """nan when it is not known."""
    memory_mib: float
    """Of its process; nan when it is not known."""
    success: tuple[float, ...]
    """The last success rates, oldest first."""

    @property
    def eta_s(self) -> float:
        """Seconds to the end of a run that is running; nan when it is not known."""
        known = self.status == "running" and self.total and self.steps_per_s > 0
        return max(self.total - self.step, 0) / self.steps_per_s if known else math.nan


@dataclass(frozen=True)
class View:
    """A folder at one moment."""

    counts: dict[str, int]
    """Runs by status, all of them."""
    shown: tuple[Watched, ...]

    @property
    def headline(self) -> str:
        """Such as `12 runs: 3 running, 9 finished`."""
        total = sum(self.counts.values())
        parts = [f"{count:,} {status}" for status, count in self.counts.items()]
        return f"{total:,} run{'s' * (total != 1)}: {', '.join(parts)}"


def look(root: Path, rows: int) -> View:
    """The `rows` runs that matter most: running ones first, then those that changed last.

    Raises:
        UserError: no folder, or one without runs.
    """
    try:
        runs = list_runs(root)
    except OSError as error:
        raise UserError(f"cannot watch {root}: {error.strerror}; name a folder of runs") from error
    if not runs:
        raise UserError(f"{root} holds no run yet; s2lab train ... --runs {root} makes one")
    now = time.time()
    states = {run.path: _status(run, now) for run in runs}
    counted = Counter(states.values())
    order = sorted(counted, key=lambda status: (ORDER.get(status, 4), status))
    runs.sort(key=lambda run: (ORDER.get(states[run.path], 4), -run.changed_s))
    return View(
        {status: counted[status] for status in order},
        tuple(_closely(run, states[run.path]) for run in runs[:rows]),
    )


def sparkline(values: tuple[float, ...]) -> str:
    """Rates 0 to 1 as bars."""
    top = len(BARS) - 1
    return "".join(BARS[round(min(max(value, 0.0), 1.0) * top)] for value in values)


def _status(run: Listed, now: float) -> str:
    status = printable(run.summary.get("status", "damaged"))
    if status != "running":
        return status
    try:
        wrote = (run.path / "metrics.jsonl").stat().st_mtime
    except OSError:
        wrote = run.changed_s
    return "silent" if now - max(wrote, run.changed_s) > SILENT_AFTER_S else status


def _closely(run: Listed, status: str) -> Watched:
    summary = run.summary
    lines = _tail(run.path / "metrics.jsonl")
    steps = [number(line.get("step")) for line in lines] + [number(summary.get("steps"))]
    total = number(read_config(run.path).get("steps"))
    success = [number(line.get("rollout/success_rate")) for line in lines]
    return Watched(
        run_id=printable(run.path.name),
        env_id=printable(summary.get("env_id", "?")),
        agent=printable(summary.get("agent", "?")),
        seed=printable(summary.get("seed", "?")),
        status=status,
        step=int(max((step for step in steps if math.isfinite(step)), default=0)),
        total=int(total) if math.isfinite(total) else 0,
        steps_per_s=_last(lines, "time/fps"),
        memory_mib=_last(lines, "time/memory_mib"),
        success=tuple(value for value in success if math.isfinite(value))[-POINTS:],
    )


def _last(lines: list[dict[str, Any]], name: str) -> float:
    values = [number(line[name]) for line in lines if name in line]
    return values[-1] if values else math.nan


def _tail(path: Path) -> list[dict[str, Any]]:
    """The last whole lines; the first of them, which may be cut, and damaged ones left out."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - TAIL_BYTES))
            rows = file.read().split(b"\n")
    except OSError:
        return []
    lines = []
    for row in rows[size > TAIL_BYTES : -1]:
        try:
            line = json.loads(row)
        except ValueError:
            continue
        if isinstance(line, dict):
            lines.append(line)
    return lines
