"""Statistics over a handful of runs, after Agarwal et al. (2021), "Deep Reinforcement Learning at
the Edge of the Statistical Precipice" (arXiv:2108.13264).

Scores arrive as strata: one array per task, one number per run. Every task counts the same, however
many runs it has. A bootstrap resample is never copied out: it is a vector of weights that says how
often each run was drawn, and every statistic here takes such weights.

Knows no run folders, no tables and no words; never draws a random number but from the generator
it is given.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
Strata = Sequence[FloatArray]
"""One array `# [R_m]` per task m: the scores of its runs."""
Weights = Sequence[FloatArray]
"""One array `# [..., R_m]` per task; rows sum to one. Leading axes are resamples."""
Statistic = Callable[[Strata, Weights], FloatArray]
"""Maps strata and weights `# [..., R_m]` to values `# [...]` or `# [..., K]`."""

_ELEMENTS_AT_ONCE = 100_000  # what fits in a core's cache


@dataclass(frozen=True)
class Interval:
    """An estimate and the limits around it; limits are nan where one run alone says nothing."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class Band:
    """Intervals along an axis: `estimate`, `low` and `high`, each `# [K]`."""

    estimate: FloatArray
    low: FloatArray
    high: FloatArray


def as_strata(scores: Sequence[ArrayLike]) -> list[FloatArray]:
    """Check scores, one array per task; ValueError for an empty task or a number not finite."""
    strata = [np.asarray(task, dtype=np.float64) for task in scores]
    if not strata:
        raise ValueError("scores hold no task; expected one array of run scores per task")
    for index, task in enumerate(strata):
        if task.ndim != 1 or task.size == 0:
            raise ValueError(f"scores[{index}] has shape {task.shape}; expected (runs,), runs >= 1")
        if not np.isfinite(task).all():
            raise ValueError(f"scores[{index}] holds nan or inf; leave such runs out first")
    return strata


def uniform_weights(strata: Strata) -> list[FloatArray]:
    return [np.full(task.size, 1.0 / task.size) for task in strata]


def mean(strata: Strata, weights: Weights | None = None) -> FloatArray:
    """Mean over tasks of the mean over runs `# [...]`."""
    return np.asarray(np.mean(_task_means(strata, weights), axis=0))


def median_of_tasks(strata: Strata, weights: Weights | None = None) -> FloatArray:
    """Median over tasks of the mean over runs `# [...]`, the "median" of published leaderboards."""
    return np.asarray(np.median(_task_means(strata, weights), axis=0))


def median(strata: Strata, weights: Weights | None = None) -> FloatArray:
    """Median of all runs `# [...]`; the middle of the two central runs when they tie for it."""
    values, mass = _pooled(strata, weights)
    up_to = np.cumsum(mass, axis=-1)
    tolerance = 1e-9  # of a total mass of one: cumulated halves must meet exactly
    lower = values[np.argmax(up_to >= 0.5 - tolerance, axis=-1)]
    upper = values[np.argmax(up_to > 0.5 + tolerance, axis=-1)]
    return np.asarray((lower + upper) / 2)


def interquartile_mean(strata: Strata, weights: Weights | None = None) -> FloatArray:
    """Mean of the middle half of all runs `# [...]` (Agarwal et al. 2021, section 4.3).

    It is twice the integral of the quantile function from 1/4 to 3/4, so a run on a quartile counts
    by the fraction of it that lies inside; scipy's `trim_mean` rounds that fraction away.
    """
    values, mass = _pooled(strata, weights)
    up_to = np.cumsum(mass, axis=-1)
    inside = np.clip(up_to, 0.25, 0.75) - np.clip(up_to - mass, 0.25, 0.75)  # [..., N]
    return np.asarray(2.0 * (inside @ values))


def optimality_gap(
    strata: Strata, weights: Weights | None = None, *, target: float = 1.0
) -> FloatArray:
    """How far runs stay below `target` on average `# [...]`; what exceeds it earns nothing."""
    return mean([np.maximum(target - task, 0.0) for task in strata], weights)


def performance_profile(
    strata: Strata,
    thresholds: FloatArray,  # [K]
    weights: Weights | None = None,
) -> FloatArray:
    """Share of runs with a score above each threshold `# [..., K]` (Agarwal et al. 2021, eq. 2)."""
    weights = uniform_weights(strata) if weights is None else weights
    shares = [
        1.0 - _mass_below(task, mass, thresholds, "right")  # [..., K]
        for task, mass in zip(strata, weights, strict=True)
    ]
    return np.asarray(np.mean(shares, axis=0))


def probability_of_improvement(
    ours: Strata,
    theirs: Strata,
    our_weights: Weights | None = None,
    their_weights: Weights | None = None,
) -> FloatArray:
    """Probability that our run beats theirs on a random task `# [...]`; a tie counts one half.

    Per task this is the Mann-Whitney U divided by the number of pairs (Agarwal et al. 2021, eq. 3).
    """
    our_weights = uniform_weights(ours) if our_weights is None else our_weights
    their_weights = uniform_weights(theirs) if their_weights is None else their_weights
    per_task = []
    for x, y, of_x, of_y in zip(ours, theirs, our_weights, their_weights, strict=True):
        won = _mass_below(y, of_y, x, "left")  # [..., R]
        not_lost = _mass_below(y, of_y, x, "right")  # [..., R]
        per_task.append(np.sum(of_x * (won + not_lost), axis=-1) / 2)
    return np.asarray(np.mean(per_task, axis=0))


def _mass_below(
    task: FloatArray, mass: FloatArray, values: FloatArray, side: Literal["left", "right"]
) -> FloatArray:
    """Mass `# [..., K]` of the runs `# [R]` below each value `# [K]`, or up to it on the right.

    One sorting and a running sum: comparing every run with every value is too slow for thousands.
    """
    order = np.argsort(task, kind="stable")
    up_to = np.zeros((*mass.shape[:-1], task.size + 1))
    np.cumsum(mass[..., order], axis=-1, out=up_to[..., 1:])
    return np.asarray(up_to[..., np.searchsorted(task[order], values, side)])


def _task_means(strata: Strata, weights: Weights | None) -> list[FloatArray]:
    weights = uniform_weights(strata) if weights is None else weights
    return [mass @ task for mass, task in zip(weights, strata, strict=True)]


def _pooled(strata: Strata, weights: Weights | None) -> tuple[FloatArray, FloatArray]:
    """All runs by rising score `# [N]`, and their mass `# [..., N]`, 1/M for each of M tasks."""
    weights = uniform_weights(strata) if weights is None else weights
    values = np.concatenate(list(strata))
    order = np.argsort(values, kind="stable")
    mass = np.concatenate(list(weights), axis=-1) / len(strata)
    return values[order], mass[..., order]


def bootstrap_interval(
    statistic: Statistic,
    scores: Sequence[ArrayLike],
    rng: np.random.Generator,
    *,
    resamples: int = 2000,
    level: float = 0.95,
) -> Interval:
    """Stratified percentile bootstrap of a scalar statistic: runs are redrawn within each task.

    With a single run in every task there is nothing to redraw, and the limits are nan.
    """
    band = bootstrap_band(statistic, scores, rng, resamples=resamples, level=level)
    return Interval(float(band.estimate), float(band.low), float(band.high))


def bootstrap_band(
    statistic: Statistic,
    scores: Sequence[ArrayLike],
    rng: np.random.Generator,
    *,
    resamples: int = 2000,
    level: float = 0.95,
) -> Band:
    """The same for a statistic with values `# [..., K]`; limits are pointwise, `# [K]`."""
    strata = as_strata(scores)
    _check_level(level)
    if resamples < 1:
        raise ValueError(f"resamples is {resamples}; expected at least 1")
    estimate = statistic(strata, uniform_weights(strata))
    if all(task.size == 1 for task in strata):
        unknown = np.full_like(estimate, np.nan)
        return Band(estimate, unknown, unknown)
    drawn = [statistic(strata, weights) for weights in _resample(strata, resamples, rng)]
    tail = (1.0 - level) / 2
    low, high = np.quantile(np.concatenate(drawn), [tail, 1.0 - tail], axis=0)
    return Band(estimate, low, high)


def contest_intervals(
    ours: Sequence[ArrayLike],
    theirs: Sequence[ArrayLike],
    rng: np.random.Generator,
    *,
    resamples: int = 2000,
    level: float = 0.95,
) -> tuple[Interval, Interval]:
    """Bootstrap intervals of the difference of means, ours minus theirs, and of the probability of
    improvement; both sides are redrawn independently, within each task."""
    tasks = len(ours)

    def both(strata: Strata, weights: Weights) -> FloatArray:
        x, y, of_x, of_y = strata[:tasks], strata[tasks:], weights[:tasks], weights[tasks:]
        difference = mean(x, of_x) - mean(y, of_y)
        return np.stack([difference, probability_of_improvement(x, y, of_x, of_y)], axis=-1)

    band = bootstrap_band(both, [*ours, *theirs], rng, resamples=resamples, level=level)
    difference, improvement = (
        Interval(*map(float, at)) for at in zip(band.estimate, band.low, band.high, strict=True)
    )
    return difference, improvement


def wilson_interval(successes: int, trials: int, *, level: float = 0.95) -> Interval:
    """Wilson's (1927) score interval of a proportion, for the episodes of a single run."""
    _check_level(level)
    if trials < 1 or not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes of {trials} trials; expected 0 <= successes <= n")
    z = NormalDist().inv_cdf((1.0 + level) / 2)
    rate = successes / trials
    centre = (rate + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z * sqrt(rate * (1 - rate) / trials + (z / (2 * trials)) ** 2) / (1 + z * z / trials)
    low = 0.0 if successes == 0 else centre - half  # exact where rounding is not
    high = 1.0 if successes == trials else centre + half
    return Interval(rate, low, high)


def _check_level(level: float) -> None:
    if not 0.0 < level < 1.0:
        raise ValueError(f"level is {level}; expected a share between 0 and 1 such as 0.95")


def _resample(
    strata: Strata, resamples: int, rng: np.random.Generator
) -> Iterator[list[FloatArray]]:
    """Weights of resamples in blocks that fit in memory, each task `# [block, R_m]`."""
    block = max(1, _ELEMENTS_AT_ONCE // sum(task.size for task in strata))
    edges = [*range(0, resamples, block), resamples]
    for start, stop in pairwise(edges):
        yield [_draw(task.size, stop - start, rng) for task in strata]


def _draw(runs: int, resamples: int, rng: np.random.Generator) -> FloatArray:
    drawn = rng.integers(runs, size=(resamples, runs))
    drawn += runs * np.arange(resamples)[:, None]
    counts = np.bincount(drawn.ravel(), minlength=resamples * runs)
    return counts.reshape(resamples, runs) / runs
