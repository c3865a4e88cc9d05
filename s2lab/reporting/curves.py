"""Learning curves from metrics.jsonl: read up to any damage, thinned when long, put on one grid.

Knows no agents and no charts.
"""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from s2lab.reporting.runs import number
from s2lab.stats import FloatArray

WHOLE_BELOW = 1 << 20
"""Files of fewer bytes are read whole; of longer ones, `LINES` lines evenly spread."""
LINES = 1500


@dataclass(frozen=True)
class Curve:
    """One metric of one run."""

    steps: FloatArray
    """# [P] environment steps, rising."""
    values: FloatArray
    """# [P] finite."""
    elapsed_s: FloatArray
    """# [P] seconds since the first row, breaks between a stop and a resume left out."""


@dataclass(frozen=True)
class Recording:
    """What metrics.jsonl holds of the metrics asked for."""

    curves: dict[str, Curve]
    """Only metrics with at least one number."""
    damage: str
    """What could not be read, as a sentence's end; empty for a sound file."""
    gaps: dict[str, int]
    """Rows per metric whose value is not a number."""


def read_recording(path: Path, metrics: Sequence[str]) -> Recording:
    """Curves of `metrics` in the run folder `path`; a missing file has none."""
    rows: dict[str, list[tuple[float, float, float]]] = {name: [] for name in metrics}
    damage, gaps, began = "", dict.fromkeys(metrics, 0), float("nan")
    for place, line in _lines(path / "metrics.jsonl"):
        row = _parsed(line)
        if row is None:
            damage = f"metrics.jsonl is cut or damaged at {place}; it was read up to there"
            break
        step, time = number(row["step"]), number(row.get("time"))
        began = time if np.isnan(began) else began
        for name in metrics:
            if name in row:
                known = rows[name]
                while known and known[-1][0] >= step:  # a resumed run repeats steps
                    known.pop()
                value = number(row[name])
                if np.isfinite(value):
                    known.append((step, time, value))
                else:
                    gaps[name] += 1
    curves = {name: _curve(known, began) for name, known in rows.items() if known}
    return Recording(curves, damage, gaps)


def steps_to_reach(curve: Curve, level: float) -> float:
    """Environment steps at the first row whose value is at least `level`, else inf."""
    reached = np.flatnonzero(curve.values >= level)
    return float(curve.steps[reached[0]]) if reached.size else float("inf")


def on_one_grid(
    xs: Sequence[FloatArray], ys: Sequence[FloatArray], points: int = 101
) -> tuple[FloatArray, FloatArray]:
    """Curves interpolated where all of them run: x `# [G]` and values `# [R, G]`.

    Without a common stretch the grid is empty.
    """
    start, stop = max(float(x[0]) for x in xs), min(float(x[-1]) for x in xs)
    if stop < start:
        return np.empty(0), np.empty((len(xs), 0))
    grid = np.linspace(start, stop, points if stop > start else 1)
    return grid, np.stack([np.interp(grid, x, y) for x, y in zip(xs, ys, strict=True)])


def thinned(curve: Curve, points: int = 200) -> Curve:
    """Evenly spread rows, the last one kept: enough for a faint line in a chart."""
    if curve.steps.size <= points:
        return curve
    kept = np.unique(np.linspace(0, curve.steps.size - 1, points).round().astype(int))
    return Curve(curve.steps[kept], curve.values[kept], curve.elapsed_s[kept])


def _curve(rows: list[tuple[float, float, float]], began: float) -> Curve:
    table = np.array(rows)  # [P, 3] step, time, value
    return Curve(table[:, 0], table[:, 2], _elapsed(table[:, 1], began))


def _lines(path: Path) -> Iterator[tuple[str, bytes]]:
    """Lines with the name of their place, blank ones left out; the last one may lack its end."""
    if not path.is_file():
        return
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        numbered = ((f"line {count}", line) for count, line in enumerate(file, 1))
        for place, line in numbered if size < WHOLE_BELOW else _spread(file, size):
            if line.strip():
                yield place, line


def _spread(file: BinaryIO, size: int) -> Iterator[tuple[str, bytes]]:
    behind = 0
    for target in range(0, size, max(1, size // LINES)):
        if target < behind:
            continue  # inside the line just read
        if target:
            file.seek(target - 1)
            file.readline()  # the rest of a line, or the end of the one before
        start = file.tell()
        if line := file.readline():
            behind = file.tell()
            yield f"byte {start:,}", line
    file.seek(max(behind, size - 65536))
    if file.tell() > behind:
        file.readline()
    for line in file.readlines()[-1:]:
        yield "its last line", line


def _parsed(line: bytes) -> dict[str, object] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) and np.isfinite(number(row.get("step"))) else None


def _elapsed(time: FloatArray, began: float) -> FloatArray:
    """Seconds since `began`; a pause far above the usual one counts as the usual one."""
    gaps = np.diff(time, prepend=began)
    sound = np.isfinite(gaps) & (gaps >= 0)
    usual = float(np.median(gaps[sound])) if sound.any() else 0.0
    running = np.where(sound & (gaps <= max(60.0, 20.0 * usual)), gaps, usual)
    return np.asarray(np.cumsum(running))
