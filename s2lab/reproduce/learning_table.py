"""Rows of trained agents as figures and words: means over seeds with intervals. Knows no world."""

from collections.abc import Callable, Mapping, Sequence
from math import sqrt
from statistics import fmean, stdev
from typing import Any

from s2lab.reproduce.kept_runs import SEEDS
from s2lab.reproduce.records import markdown

LEVEL = 0.95
FIGURES = ("success", "steps_per_success")

Row = Mapping[str, Any]


def summarise(runs: Sequence[Row]) -> list[dict[str, Any]]:
    """One row per label of a record's runs, each figure as a list over its seeds."""
    rows = []
    for label in dict.fromkeys(run["label"] for run in runs):
        found = [run for run in runs if run["label"] == label]
        rows.append(
            {
                "label": label,
                "steps": max(run["steps"] for run in found),
                "seeds": [run["seed"] for run in found],
                "diverged": sum(run.get("diverged", False) for run in found),
                "parameters": found[0]["parameters"],
                "training_s": [run["training_s"] for run in found],
                "cpu_s": [run["cpu_s"] for run in found],
                "training_success": [run["training_success"] for run in found],
                "curves": [run["curve"] for run in found],
                "looked": [run.get("looked", {}) for run in found],
                "played": {
                    world: {
                        mode: {
                            figure: [run["played"][world][mode][figure] for run in found]
                            for figure in FIGURES
                        }
                        for mode in found[0]["played"][world]
                    }
                    for world in found[0]["played"]
                },
            }
        )
    return rows


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Mean and half width of Student's t interval; the width is nan for a single value."""
    from scipy.stats import t

    if len(values) < 2:
        return fmean(values), float("nan")
    half = t.ppf((1 + LEVEL) / 2, len(values) - 1) * stdev(values) / sqrt(len(values))
    return fmean(values), float(half)


def shown(values: Sequence[float | None], digits: int) -> str:
    """Mean and half width in a cell; nothing where nothing was measured."""
    known = [value for value in values if value is not None]
    if not known:
        return ""
    mean, half = interval(known)
    text = f"{mean:.{digits}f}"
    return text if half != half else f"{text} ± {half:.{digits}f}"


def seeds_of(row: Row) -> str:
    """5, or 2/5 for a row that is not complete, and how many of them diverged."""
    done, lost = len(row["seeds"]), row.get("diverged", 0)
    count = str(done) if done >= SEEDS else f"{done}/{SEEDS}"
    return f"{count}, {lost} diverged" if lost else count


def minutes(values: Sequence[float]) -> str:
    """The mean of seconds, in minutes."""
    return f"{fmean(values) / 60:.1f}"


def at(curves: Sequence[Sequence[Sequence[float]]], frames: int) -> list[float | None]:
    """Success of each curve at `frames`, on the line between the points beside it; None beyond."""
    found: list[float | None] = []
    for points in curves:
        before = [point for point in points if point[0] <= frames]
        after = [point for point in points if point[0] >= frames]
        if not before or not after:
            found.append(None)
            continue
        (x, _, y, *_), (x_after, _, y_after, *_) = before[-1], after[0]
        share = (frames - x) / (x_after - x) if x_after > x else 0.0
        found.append(y + share * (y_after - y))
    return found


def played(world: str, mode: str, figure: str, digits: int = 3) -> Callable[[Row], str]:
    """A column: one figure of one world; empty for rows that were not judged there."""

    def cell(row: Row) -> str:
        found = row["played"].get(world, {}).get(mode)
        return shown(found[figure], digits) if found else ""

    return cell


def learning_table(rows: Sequence[Row], columns: Mapping[str, Callable[[Row], str]]) -> str:
    """Markdown: who was trained for how long, the columns asked for, and the time it took."""
    header = ["agent", "frames", "parameters", "seeds", *columns, "minutes", "CPU minutes"]
    lines = [
        [row["label"], f"{row['steps']:,}", f"{row['parameters']:,}", seeds_of(row)]
        + [cell(row) for cell in columns.values()]
        + [minutes(row["training_s"]), minutes(row["cpu_s"])]
        for row in rows
    ]
    return markdown(header, lines)
