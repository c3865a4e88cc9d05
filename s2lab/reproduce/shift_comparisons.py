"""Modular cores beside plain ones under a shift: gaps, differences, and what is beyond chance.

The gap of a run is its success in training's own worlds less that in shifted ones. A modular core
counts as generalising better where its gap is smaller and its success in the shifted worlds no
lower, both beyond chance. Knows no page and no training.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import fmean
from typing import Any

from s2lab.stats import Interval

PLAIN = ("lstm", "gru")
MODULAR = ("rims", "workspace", "scoff")
LEVEL = 0.05
PERMUTATIONS = 10_000

Row = Mapping[str, Any]
Shifts = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Comparison:
    """A modular core beside the plain ones, taken together, on one shifted world.

    Together, because five runs against five leave 1/126 as the least p there can be, which a
    correction for two dozen comparisons takes above any level whatever the runs did; five against
    ten leave 1/3003.
    """

    test: str
    """Words for the shifted worlds."""
    modular: str
    plain: str
    gap: Interval
    """The plain cores' gap less the modular one's: above 0 where modules help."""
    success: Interval
    """Success in the shifted worlds, modular less plain."""
    alone: float
    """p of the gaps' difference, by permutation, as if there were no other comparison."""
    p_value: float
    """The same by Holm's correction over all comparisons of the record."""

    @property
    def better(self) -> bool:
        """Whether the modular core generalises better, beyond chance."""
        return self.p_value < LEVEL and self.gap.estimate > 0 and self.success.low > 0

    @property
    def worse(self) -> bool:
        """The other way round."""
        return self.p_value < LEVEL and self.gap.estimate < 0 and self.success.high < 0

    def in_words(self) -> str:
        """One line."""
        gap = amount(self.gap, "smaller", "larger")
        rate = amount(self.success, "higher", "lower")
        return (
            f"{self.test}: the gap of {self.modular} is {gap} than that of {self.plain}, "
            f"success there {rate}; p = {self.p_value:.3f}"
        )


def amount(found: Interval, above: str, below: str) -> str:
    """Such as "larger by 0.120 (0.020 to 0.210)": the word says which side of 0 the estimate is."""
    if found.estimate >= 0:
        return f"{above} by {found.estimate:.3f} ({found.low:.3f} to {found.high:.3f})"
    return f"{below} by {-found.estimate:.3f} ({-found.high:.3f} to {-found.low:.3f})"


def limits(found: Interval) -> str:
    """Such as +0.120 (+0.020 to +0.210)."""
    return f"{found.estimate:+.3f} ({found.low:+.3f} to {found.high:+.3f})"


def success(row: Row, world: str) -> list[float]:
    """Of each seed, sampled."""
    found: list[float] = row["played"][world]["sampled"]["success"]
    return found


def gaps(row: Row, train: str, test: str) -> list[float]:
    """Of each seed: in distribution less out of it."""
    pairs = zip(success(row, train), success(row, test), strict=True)
    return [inside - outside for inside, outside in pairs]


def comparisons(rows: Sequence[Row], shifts: Shifts) -> list[Comparison]:
    """Every modular core beside LSTM and GRU together, shift by shift; two seeds each at least."""
    import numpy as np

    from s2lab.significance import holm, permutation_test
    from s2lab.stats import contest_intervals

    by_label = {row["label"]: row for row in rows if len(row["seeds"]) > 1}
    found: list[tuple[str, str, str, Interval, Interval, float]] = []
    for name, shift in shifts.items():
        plain = [core for core in PLAIN if f"{core}, {name}" in by_label]
        theirs = [by_label[f"{core}, {name}"] for core in plain]
        for (words, test), modular in product(shift["tests"].items(), MODULAR):
            ours = by_label.get(f"{modular}, {name}")
            if ours is None or not theirs:
                continue
            rng = np.random.default_rng(0)
            apart = [value for row in theirs for value in gaps(row, shift["train"], test)]
            distances = [apart], [gaps(ours, shift["train"], test)]
            reached = [value for row in theirs for value in success(row, test)]
            rates = [success(ours, test)], [reached]
            gap, _ = contest_intervals(*distances, rng)
            rate, _ = contest_intervals(*rates, rng)
            p_value = permutation_test(*distances, rng, permutations=PERMUTATIONS)
            place = words if words == name else f"{name}, {words}"
            found.append((place, modular, " and ".join(plain), gap, rate, p_value))
    adjusted = holm([entry[-1] for entry in found])
    return [Comparison(*entry, p) for entry, p in zip(found, adjusted, strict=True)]


def nearest(compared: Sequence[Comparison]) -> Comparison | None:
    """Where modules come nearest to helping: the least p alone of those on their side."""
    hopeful = [one for one in compared if one.gap.estimate > 0 and one.success.estimate > 0]
    return min(hopeful, key=lambda one: one.alone, default=None)


def within_groups(groups: Sequence[Sequence[tuple[float, float]]]) -> tuple[float, float]:
    """Correlation of deviations from each group's means; its two-sided p by permutation within."""
    import numpy as np

    rng = np.random.default_rng(0)
    x = np.concatenate([np.array([a for a, _ in g]) - fmean(a for a, _ in g) for g in groups])
    y = [np.array([b for _, b in g]) - fmean(b for _, b in g) for g in groups]
    scale = float(np.sqrt((x**2).sum() * sum(float((part**2).sum()) for part in y)))
    if scale == 0:
        return 0.0, 1.0
    found = float(x @ np.concatenate(y)) / scale
    drawn = np.array(
        [x @ np.concatenate([rng.permutation(part) for part in y]) for _ in range(PERMUTATIONS)]
    )
    reached = int((np.abs(drawn / scale) >= abs(found) - 1e-12).sum())
    return found, (reached + 1) / (PERMUTATIONS + 1)
