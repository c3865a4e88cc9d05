"""The FourRooms record as a table, a figure, and words on what it confirms and refutes.

Every word is made of the record's figures. Knows no training.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any

from s2lab.envs.shifts import shifted_id
from s2lab.reproduce.figures import new_figure, save_figure
from s2lab.reproduce.learning_table import (
    at,
    interval,
    learning_table,
    played,
    seeds_of,
    shown,
    summarise,
)
from s2lab.reproduce.records import read_record

WORLD, LARGE = (shifted_id("MiniGrid-FourRooms-v0", "walking", side) for side in ("train", "test"))
PUBLISHED = {"lstm": 0.62, "rmc": 0.67, "rims": 0.72, "workspace": 0.96}
SOURCE = "Goyal et al. 2021, arXiv 2103.01197, from the authors' slides; frames not stated"
EARLY = 500_000  # frames at which training success is read for all, recurrent SB3's whole budget
RECURRENT = ("lstm", "gru", "rims", "workspace")
REQUIRED = 0.95  # of every recurrent core at 5 M frames
BEST, STRETCH = 0.97, 0.99  # of the best core at 10 M frames

Row = Mapping[str, Any]


def table(record: Mapping[str, Any]) -> str:
    """The record as Markdown: ours, ceilings, published, what failed, what follows."""
    rows, about = summarise(record["rows"]), record["config"]
    columns = {
        "success": played(WORLD, "sampled", "success"),
        "steps": played(WORLD, "sampled", "steps_per_success", 1),
        "greedy": played(WORLD, "greedy", "success"),
        "steps ": played(WORLD, "greedy", "steps_per_success", 1),
        "25x25": played(LARGE, "sampled", "success"),
        "25x25 steps": played(LARGE, "sampled", "steps_per_success", 1),
        "training at 0.5 M": early,
    }
    limits = "; ".join(
        f"a player that {name}: {found['success']:.4g} in {found['steps_per_success']:.1f} steps"
        for name, found in about["ceilings"].items()
    )
    known = ", ".join(f"{name} {rate:.2f}" for name, rate in PUBLISHED.items())
    hours = sum(sum(row["cpu_s"]) for row in rows) / 3600
    notes = [
        f"{about['layouts']} unseen layouts of FourRooms, mean over seeds with Student's 95 % "
        f"interval; rows of 19x19 are judged in 25x25 as they are. Training took {hours:.1f} CPU "
        "hours in all.",
        f"Ceilings: {limits}.",
        f"Published: {known} ({SOURCE}).",
        failed(rows),
        *verdicts({row["label"]: row for row in rows}),
    ]
    return f"{learning_table(rows, columns)}\n\n" + "\n".join(f"* {note}" for note in notes if note)


def early(row: Row) -> str:
    """Training success at the budget of SB3's recurrent PPO."""
    return shown(at(row["curves"], EARLY), 3)


def failed(rows: Sequence[Row]) -> str:
    """What was seen in the layouts that were not solved, by row."""
    parts = []
    for row in rows:
        looked = [found for found in row["looked"] if found.get("failed")]
        if not looked:
            continue
        goal, floor, stale = (
            fmean(found[name] for found in looked)
            for name in ("goal_seen", "floor_seen", "nothing_new")
        )
        parts.append(
            f"{row['label']}: goal seen in {goal:.0%}, {floor:.0%} of the floor seen, {stale:.0%} "
            "of the steps showed nothing new"
        )
    return f"Of the episodes that failed: {'; '.join(parts)}." if parts else ""


def verdicts(rows: Mapping[str, Row]) -> list[str]:
    """What the rows say about the goals and the published ordering; nothing without rows."""
    found = [goal(rows, core, "5 M", REQUIRED) for core in RECURRENT]
    later = {core: rate(rows, f"{core}, 10 M") for core in RECURRENT}
    reached = {core: value for core, value in later.items() if value is not None}
    if reached:
        best = max(reached, key=lambda core: reached[core])
        words = f"The best core at 10 M frames is {best} with {reached[best]:.3f}"
        found.append(f"{words}: {met(reached[best], BEST)}, {met(reached[best], STRETCH)}.")
        found.append(goal(rows, "workspace", "10 M", PUBLISHED["workspace"]))
    for steps in ("10 M", "5 M", "2 M"):
        compared = order(rows, steps)
        if compared:
            return [*filter(None, found), *compared]
    return list(filter(None, found))


def goal(rows: Mapping[str, Row], core: str, steps: str, wanted: float) -> str:
    """Whether a row's mean success is at least what was wanted."""
    row = rows.get(f"{core}, {steps}")
    if row is None:
        return ""
    cell = shown(row["played"][WORLD]["sampled"]["success"], 3)
    mean = rate(rows, f"{core}, {steps}") or 0.0
    return f"{core} at {steps} frames: {cell} ({seeds_of(row)} seeds), {met(mean, wanted)}."


def met(value: float, wanted: float) -> str:
    """In words."""
    return f"{wanted:.2f} {'reached' if value >= wanted else 'not reached'}"


def rate(rows: Mapping[str, Row], label: str) -> float | None:
    """Mean success of a row."""
    row = rows.get(label)
    return None if row is None else fmean(row["played"][WORLD]["sampled"]["success"])


def order(rows: Mapping[str, Row], steps: str) -> list[str]:
    """The published ordering beside ours: the difference of neighbours with its interval."""
    import numpy as np

    from s2lab.stats import contest_intervals

    lines = []
    names = [name for name in PUBLISHED if f"{name}, {steps}" in rows]
    for low, high in pairwise(names):
        scores = [rows[f"{name}, {steps}"]["played"][WORLD]["sampled"]["success"]
                  for name in (high, low)]  # fmt: skip
        if min(map(len, scores)) < 2:
            continue
        found, _ = contest_intervals([scores[0]], [scores[1]], np.random.default_rng(0))
        published = PUBLISHED[high] - PUBLISHED[low]
        lines.append(
            f"{high} minus {low} at {steps} frames: {found.estimate:+.3f} "
            f"({found.low:+.3f} to {found.high:+.3f}), published {published:+.2f}: "
            f"{judged(found.low, found.high, published)}."
        )
    return lines


def judged(low: float, high: float, published: float) -> str:
    """What an interval of a difference says about a published one."""
    if low > 0:
        return "the order is confirmed" + ("" if high >= published else ", the distance refuted")
    if high < 0:
        return "the order is refuted"
    return "no difference is shown" + ("" if high >= published else ", the distance refuted")


def draw(path: Path) -> None:
    """Training success against frames, one line per agent at its longest budget on 19x19."""
    rows = [row for row in summarise(read_record(path)["rows"]) if "25x25" not in row["label"]]
    longest = {row["label"].split(",")[0]: row for row in sorted(rows, key=lambda r: r["steps"])}
    figure = new_figure(8, 4.5)
    axes = figure.subplots()
    for row in longest.values():
        frames = [point[0] for point in row["curves"][0]]
        columns = [[value for value in at(row["curves"], x) if value is not None] for x in frames]
        axes.plot(frames, [fmean(column) for column in columns], label=row["label"])
        ends = [spread(column) for column in columns]
        axes.fill_between(frames, [low for low, _ in ends], [high for _, high in ends], alpha=0.15)
    for name, value in PUBLISHED.items():
        axes.axhline(value, ls="--", lw=0.8, color="grey")
        axes.annotate(f"{name}, published", (0, value), fontsize="x-small", va="bottom")
    axes.set(xlabel="frames", ylabel="success in training", ylim=(0, 1))
    axes.legend(fontsize="x-small", loc="lower right")
    save_figure(figure, path)


def spread(values: Sequence[float]) -> tuple[float, float]:
    """Ends of the mean's interval; the mean twice where there is one value."""
    mean, half = interval(values)
    return (mean, mean) if half != half else (mean - half, mean + half)
