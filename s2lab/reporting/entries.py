"""One agent in one environment: its runs' evaluations and curves, summed up with intervals.

Knows no files and no other agents.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import isfinite, nan

import numpy as np

from s2lab.reporting.comparison import REACHED, Aggregates, Entry, MeanCurve, Metric, Reached
from s2lab.reporting.curves import Curve, on_one_grid, steps_to_reach, thinned
from s2lab.reporting.recordings import Recordings
from s2lab.reporting.runs import Evaluation, Run
from s2lab.stats import (
    Band,
    FloatArray,
    Interval,
    Statistic,
    Strata,
    Weights,
    bootstrap_band,
    interquartile_mean,
    mean,
    median,
    median_of_tasks,
    optimality_gap,
    wilson_interval,
)


def score_of(run: Run, metric: Metric) -> float:
    """The run's score; nan without an evaluation."""
    return nan if run.evaluation is None else float(getattr(run.evaluation, metric))


def make_entry(
    env_id: str,
    label: str,
    runs: Sequence[Run],
    metric: Metric,
    recordings: Recordings,
    rng: np.random.Generator,
    level: float,
    resamples: int,
) -> Entry:
    """Sum up the runs of one agent; those without a score still lend their curves."""
    scored = [run for run in runs if isfinite(score_of(run, metric))]
    scores = tuple(score_of(run, metric) for run in scored)
    curves = [recordings.curves[run.path] for run in runs if run.path in recordings.curves]

    success_rate, mean_return, mean_length = _episodes(scored, rng, level, resamples)
    score = None
    if scores:
        score = aggregates([np.array(scores)], rng, level, resamples)
        if metric == "success_rate" and success_rate is not None:
            score = replace(score, mean=success_rate)
    steps = float(np.median([run.steps for run in runs]))
    times = [run.elapsed_s for run in runs if isfinite(run.elapsed_s) and run.elapsed_s > 0]
    rates = [run.steps / run.elapsed_s for run in runs if run.steps and run.elapsed_s > 0]
    return Entry(
        label=label,
        env_id=env_id,
        runs=tuple(runs),
        scores=scores,
        score=score,
        success_rate=success_rate,
        mean_return=mean_return,
        mean_length=mean_length,
        steps=steps,
        elapsed_s=float(np.median(times)) if times else nan,
        steps_per_s=float(np.median(rates)) if rates else nan,
        curves=len(curves),
        reached=_reached(curves) if metric == "success_rate" else (),
        curve=_mean_curve(curves, lambda c: c.steps, rng, level, resamples),
        clock=_mean_curve(curves, lambda c: c.elapsed_s, rng, level, resamples),
    )


def aggregates(
    tasks: Sequence[FloatArray],
    rng: np.random.Generator,
    level: float,
    resamples: int,
) -> Aggregates:
    """Mean, interquartile mean, median and optimality gap of the same resamples.

    Over one task the median is that of its runs, over several that of the tasks' means.
    """
    middle = median if len(tasks) == 1 else median_of_tasks
    parts: Sequence[Statistic] = (mean, interquartile_mean, middle, optimality_gap)

    def together(strata: Strata, weights: Weights) -> FloatArray:
        return np.stack([part(strata, weights) for part in parts], axis=-1)

    band = bootstrap_band(together, tasks, rng, level=level, resamples=resamples)
    return Aggregates(
        *(Interval(*map(float, at)) for at in zip(band.estimate, band.low, band.high, strict=True))
    )


def _episodes(
    scored: Sequence[Run], rng: np.random.Generator, level: float, resamples: int
) -> tuple[Interval | None, Interval | None, Interval | None]:
    """Success rate, return and length over runs; a measure that no run has is None."""
    known = [run.evaluation for run in scored if run.evaluation is not None]
    if not known:
        return None, None, None
    values = np.array([(e.success_rate, e.mean_return, e.mean_length) for e in known])  # [R, 3]
    band = mean_band(values, rng, level, resamples)
    found = [
        Interval(*map(float, at)) if isfinite(at[0]) else None
        for at in zip(band.estimate, band.low, band.high, strict=True)
    ]
    if len(known) == 1:
        found[0] = over_episodes(known[0], level) or found[0]
    return found[0], found[1], found[2]


def over_episodes(evaluation: Evaluation | None, level: float) -> Interval | None:
    """A single run has no seeds to resample; what is left is the chance of its episodes."""
    if evaluation is None or evaluation.episodes < 1 or not 0 <= evaluation.success_rate <= 1:
        return None
    successes = round(evaluation.success_rate * evaluation.episodes)
    return wilson_interval(successes, evaluation.episodes, level=level)


def _reached(curves: Sequence[Curve]) -> tuple[Reached, ...]:
    if not curves:
        return ()
    found = []
    for level in REACHED:
        steps = [steps_to_reach(curve, level) for curve in curves]
        count = int(np.isfinite(steps).sum())
        middle = sorted(steps)[(len(steps) - 1) // 2 : len(steps) // 2 + 1]
        found.append(Reached(level, sum(middle) / len(middle), count))
    return tuple(found)


def _mean_curve(
    curves: Sequence[Curve],
    along: Callable[[Curve], FloatArray],
    rng: np.random.Generator,
    level: float,
    resamples: int,
) -> MeanCurve | None:
    """The mean over the stretch where every run is, pointwise resampled."""
    if not curves:
        return None
    grid, values = on_one_grid([along(c) for c in curves], [c.values for c in curves])
    if not grid.size:
        return None

    band = mean_band(values, rng, level, resamples)
    return MeanCurve(grid, band, tuple(thinned(curve) for curve in curves))


def mean_band(
    values: FloatArray,  # [R, K]
    rng: np.random.Generator,
    level: float,
    resamples: int,
) -> Band:
    """Intervals of the means over runs; runs are redrawn as a whole, all K values together."""

    def means(strata: Strata, weights: Weights) -> FloatArray:
        del strata  # they only number the runs
        return np.asarray(weights[0] @ values)

    numbered = [np.arange(len(values), dtype=np.float64)]
    return bootstrap_band(means, numbered, rng, level=level, resamples=resamples)
