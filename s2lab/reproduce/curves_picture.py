"""The record of learning curves as a figure: a panel for each world. Knows no training."""

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from s2lab.reproduce.figures import new_figure, save_figure
from s2lab.reproduce.kept_runs import fields
from s2lab.reproduce.learning_table import at, summarise
from s2lab.reproduce.records import read_record


def draw(path: Path) -> None:
    """Training success against frames: a thin line for each seed, a thick one for their mean."""
    worlds: dict[str, list[dict[str, Any]]] = {}
    for row in summarise(read_record(path)["rows"]):
        worlds.setdefault(fields(row["label"])[1], []).append(row)
    figure = new_figure(4 * len(worlds), 3.2)
    panels = figure.subplots(1, len(worlds), sharey=True, squeeze=False)[0]
    for axes, (world, found) in zip(panels, worlds.items(), strict=True):
        for number, row in enumerate(found):
            agent, _, *where = fields(row["label"])
            colour = f"C{number}"
            for points in row["curves"]:
                axes.plot(*thousands(points), color=colour, lw=0.4, alpha=0.5)
            label = ", ".join([agent, *where])
            axes.plot(*thousands(mean(row["curves"])), color=colour, lw=1.6, label=label)
        axes.set(title=world, xlabel="thousand frames", ylim=(0, 1))
        axes.legend(fontsize="x-small", loc="lower right")
    panels[0].set_ylabel("success in training")
    save_figure(figure, path)


def thousands(points: Sequence[Sequence[float]]) -> tuple[list[float], list[float]]:
    """Thousands of frames, and success."""
    return [point[0] / 1000 for point in points], [point[2] for point in points]


def mean(curves: Sequence[Sequence[Sequence[float]]]) -> list[list[float]]:
    """[frames, 0, mean success] at the first curve's frames, of the seeds that go as far."""
    found = []
    for frames in [int(point[0]) for point in curves[0]]:
        rates = [rate for rate in at(curves, frames) if rate is not None]
        found.append([frames, 0.0, fmean(rates)])
    return found
