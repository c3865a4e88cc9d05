"""What runs lose from the train to the test side of a named shift, as `s2lab eval --shift` left it.

Knows no other evaluations and no HTML.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import numpy as np

from s2lab.reporting.comparison import Metric, Shifted
from s2lab.reporting.entries import mean_band, over_episodes
from s2lab.reporting.runs import (
    DamagedRun,
    Evaluation,
    Run,
    evaluation_of,
    means_of,
    printable,
    read_object,
)
from s2lab.stats import Interval

Groups = Iterable[tuple[tuple[str, str], Sequence[Run]]]
"""Environment and label, and the runs that have them."""


@dataclass(frozen=True)
class BothSides:
    """One run under one shift."""

    shift: str
    train: Evaluation
    test: Evaluation
    policy: str
    """Sampled or greedy actions."""


def read_shifts(path: Path) -> list[BothSides]:
    """Every eval-SHIFT.json of a run folder that can be read, by name."""
    found = []
    for file in sorted(path.glob("eval-*.json")):
        try:
            content = read_object(file)
            train, test = (evaluation_of(means_of(content[side])) for side in ("train", "test"))
            policy = printable(content["train"].get("policy", "?"))
        except (DamagedRun, KeyError, TypeError, AttributeError):
            continue
        name = printable(content.get("shift", file.stem.removeprefix("eval-")))
        found.append(BothSides(name, train, test, policy))
    return found


def compare_shifts(
    groups: Groups, metric: Metric, rng: np.random.Generator, level: float, resamples: int
) -> tuple[list[Shifted], list[str]]:
    """Agents under every shift they were evaluated on, and sentences to beware of."""
    known: dict[tuple[str, str, str], list[BothSides]] = {}
    for (env_id, label), runs in groups:
        for sides in (each for run in runs for each in read_shifts(run.path)):
            scores = (getattr(sides.train, metric), getattr(sides.test, metric))
            if all(map(isfinite, scores)):
                known.setdefault((env_id, sides.shift, label), []).append(sides)
    shifted = [
        _shifted(*names, found, metric, rng, level, resamples)
        for names, found in sorted(known.items())
    ]
    return shifted, _unequal(known)


def _shifted(
    env_id: str,
    shift: str,
    label: str,
    found: Sequence[BothSides],
    metric: Metric,
    rng: np.random.Generator,
    level: float,
    resamples: int,
) -> Shifted:
    """Runs are redrawn with both of their sides, so the change is a paired one."""
    scores = np.array(
        [(getattr(s.train, metric), getattr(s.test, metric)) for s in found]
    )  # [R, 2]
    values = np.column_stack([scores, scores[:, 1] - scores[:, 0]])  # [R, 3]
    band = mean_band(values, rng, level, resamples)
    train, test, change = (
        Interval(*map(float, at)) for at in zip(band.estimate, band.low, band.high, strict=True)
    )
    if len(found) == 1 and metric == "success_rate":
        train = over_episodes(found[0].train, level) or train
        test = over_episodes(found[0].test, level) or test
    train_scores, test_scores = (tuple(side.tolist()) for side in scores.T)
    return Shifted(env_id, shift, label, train, test, change, train_scores, test_scores)


def _unequal(known: dict[tuple[str, str, str], list[BothSides]]) -> list[str]:
    """Different numbers of episodes, or policies, within one shift of one environment."""
    protocols: dict[tuple[str, str], set[tuple[int, str]]] = {}
    for (env_id, shift, _), found in known.items():
        protocols.setdefault((env_id, shift), set()).update(
            (sides.test.episodes, sides.policy) for sides in found
        )
    return [
        f"Shift {shift} of {env_id} was evaluated in several ways: "
        + ", ".join(f"{episodes} {policy} episodes" for episodes, policy in sorted(ways))
        + "."
        for (env_id, shift), ways in protocols.items()
        if len(ways) > 1
    ]
