"""The table of controllable features as a picture: actions found per seed. Knows no learning."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from s2lab.reproduce.figures import new_figure, save_figure


def figure(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """One line a contestant, one dot a seed: the share of its actions that were found."""
    labels = list(dict.fromkeys(row["label"] for row in rows if "found" in row))
    drawing = new_figure(7, 1.0 + 0.34 * len(labels))
    axes = drawing.subplots()
    for line, label in enumerate(labels):
        shares = sorted(row["found"] / row["actions"] for row in rows if row["label"] == label)
        for share in dict.fromkeys(shares):
            count = shares.count(share)
            heights = [line + 0.6 * ((i + 1) / (count + 1) - 0.5) for i in range(count)]
            axes.scatter([share] * count, heights, s=14, alpha=0.7, color="tab:blue")
        full = sum(share == 1 for share in shares)
        axes.annotate(f"{full}/{len(shares)}", (1.04, line), va="center", fontsize=9)
    axes.set(
        yticks=range(len(labels)), yticklabels=labels, xlim=(-0.04, 1.14), ylim=(len(labels), -1)
    )
    axes.set_xlabel("share of actions with a feature of their own; a dot a seed")
    axes.spines[["top", "right"]].set_visible(False)
    save_figure(drawing, path)
