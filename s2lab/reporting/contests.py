"""Who beats whom, and how to say it: contests between agents and their verdicts in words.

Knows no files and no tables.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from math import isnan

import numpy as np

from s2lab.reporting.blocks import Kind
from s2lab.reporting.cells import limits_text, value_text
from s2lab.reporting.comparison import Contest, Entry, Metric
from s2lab.significance import holm, permutation_test
from s2lab.stats import FloatArray, Interval, contest_intervals

ENOUGH_SEEDS = 5
ALL_PAIRS_UP_TO = 4
"""With more agents only the best, or the one asked for, meets each of the others."""
SIGNIFICANT = 0.05

Scores = Mapping[str, Sequence[FloatArray]]
"""By label, best first: one array of run scores per task."""


def hold_contests(
    scores: Scores,
    env_id: str | None,
    rng: np.random.Generator,
    *,
    against: str | None = None,
    level: float = 0.95,
    resamples: int = 2000,
) -> list[Contest]:
    """All pairs of few agents, or the first (or `against`) with each other one."""
    contests = []
    for ours, theirs in _pairs(list(scores), against):
        x, y = scores[ours], scores[theirs]
        intervals = contest_intervals(x, y, rng, level=level, resamples=resamples)
        contests.append(
            Contest(
                env_id,
                ours,
                theirs,
                *intervals,
                permutation_test(x, y, rng),
                tested=0,
                seeds=min(task.size for task in [*x, *y]),
            )
        )
    adjusted = holm([contest.p_value for contest in contests])
    return [
        replace(contest, p_value=p, tested=len(contests))
        for contest, p in zip(contests, adjusted, strict=True)
    ]


def verdict(contest: Contest, metric: Metric, level: float, *, say_where: bool = True) -> str:
    """One sentence: what the runs allow to be said, and no more."""
    ours, theirs = contest.ours, contest.theirs
    gap, wins = contest.difference, contest.improvement.estimate
    if gap.estimate < 0:
        ours, theirs, gap, wins = theirs, ours, _turned(gap), 1 - wins
    place = f" on {contest.env_id}" if say_where and contest.env_id is not None else ""
    by, test = _difference(gap, metric, level), _test(contest)
    if contest.seeds == 1:
        return (
            f"{ours} and {theirs}{place} differ by {by}, but with a single seed on a side this "
            "says nothing about the next one."
        )
    if contest.p_value < SIGNIFICANT and contest.seeds >= ENOUGH_SEEDS:
        odds = value_text(wins, "percent")
        return f"{ours} is better than {theirs}{place} by {by}; it wins {odds} of pairs ({test})."
    if contest.p_value < SIGNIFICANT or gap.low > 0:
        caution = "the difference is suggestive, not significant"
        if contest.seeds < ENOUGH_SEEDS:
            caution = f"{contest.seeds} seeds suggest a difference and do not establish it"
        return f"{ours} leads {theirs}{place} by {by}; {caution} ({test})."
    return f"No difference between {ours} and {theirs}{place} is shown: {by} ({test})."


def above_chance(entries: Sequence[Entry], *, say_where: bool = True) -> list[str]:
    """Which agents are clearly above a policy that never trained, environment by environment."""
    found = []
    for chance in entries:
        if not chance.untrained or chance.score is None:
            continue
        level = chance.score.mean
        top = level.estimate if isnan(level.high) else level.high
        above: list[str] = []
        not_above: list[str] = []
        for entry in entries:
            if entry.env_id == chance.env_id and entry.score is not None and not entry.untrained:
                low = entry.score.mean.low
                (above if low > top else not_above).append(entry.label)
        place = f" on {chance.env_id}" if say_where else ""
        if above:
            found.append(f"Clearly above {chance.label}{place}: {', '.join(above)}.")
        if not_above:
            found.append(f"Not shown to be above {chance.label}{place}: {', '.join(not_above)}.")
    return found


def _pairs(labels: list[str], against: str | None) -> list[tuple[str, str]]:
    if against in labels:
        return [(label, against) for label in labels if label != against]
    if len(labels) <= ALL_PAIRS_UP_TO:
        return list(combinations(labels, 2))
    return [(labels[0], other) for other in labels[1:]]


def _difference(difference: Interval, metric: Metric, level: float) -> str:
    kind: Kind = "percent" if metric == "success_rate" else "number"
    value = value_text(difference, kind)
    if metric == "success_rate":
        value = value.removesuffix(" %") + " points"
    limits = limits_text(difference, kind)
    return f"{value} ({100 * level:g} % interval {limits})" if limits else value


def _test(contest: Contest) -> str:
    p = "p < 0.001" if contest.p_value < 0.001 else f"p = {contest.p_value:.2g}"
    several = f", corrected for {contest.tested} comparisons" if contest.tested > 1 else ""
    return f"permutation test, {p}{several}"


def _turned(interval: Interval) -> Interval:
    return Interval(-interval.estimate, -interval.high, -interval.low)
