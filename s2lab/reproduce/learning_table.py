"""Rows of trained agents as figures and words: means over seeds with intervals. Knows no world."""

from collections.abc import Mapping, Sequence
from math import sqrt
from statistics import fmean, stdev
from typing import Any

from s2lab.config import TrainConfig
from s2lab.reproduce.agent_runs import Job, Settings
from s2lab.reproduce.records import markdown

LEVEL = 0.95


def summarise(
    contestants: Mapping[str, Settings],
    results: Mapping[Job, Mapping[str, Any]],
    seeds: Sequence[int],
) -> list[dict[str, Any]]:
    """One row per contestant that has finished a run, each figure as a list over its seeds."""
    rows = []
    for label, config in contestants.items():
        done = {seed: results[label, seed] for seed in seeds if (label, seed) in results}
        if not done:
            continue
        found = list(done.values())
        rows.append(
            {
                "label": label,
                "agent": config.label,
                "core": dict(config.core) if isinstance(config, TrainConfig) else None,
                "steps": config.steps,
                "seeds": list(done),
                "seeds_wanted": len(seeds),
                "parameters": found[0]["parameters"],
                "training_s": [run["training_s"] for run in found],
                "training_success": [run["training_success"] for run in found],
                "played": {
                    world: {
                        mode: {
                            figure: [run["played"][world][mode][figure] for run in found]
                            for figure in ("success", "steps_per_success")
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


def learning_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Markdown: success and steps per success, sampled and greedy, for every world played."""
    worlds = list(rows[0]["played"])
    header = ["agent", "frames", "parameters", "seeds"]
    for world in worlds:
        name = "" if len(worlds) == 1 else f"{world}, "
        header += [f"{name}success", "steps", "greedy success", "steps"]
    header.append("minutes")
    lines = []
    for row in rows:
        wanted = row["seeds_wanted"]
        done = len(row["seeds"])
        line = [row["label"].split(",")[0], f"{row['steps']:,}", f"{row['parameters']:,}"]
        line.append(str(done) if done == wanted else f"{done}/{wanted}")
        for world in worlds:
            for mode in ("sampled", "greedy"):
                found = row["played"][world][mode]
                line += [shown(found["success"], 3), shown(found["steps_per_success"], 1)]
        line.append(f"{fmean(row['training_s']) / 60:.1f}")
        lines.append(line)
    return markdown(header, lines)
