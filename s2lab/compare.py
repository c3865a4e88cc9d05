"""Run folders in, a comparison out: agents side by side, with intervals and plain words.

Seeds are the runs that the statistics resample, environments their strata. Knows no HTML and writes
nothing: `s2lab.reporting` turns a comparison into tables and pages.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf, isfinite
from pathlib import Path
from statistics import fmean

import numpy as np

from s2lab.errors import UserError, unknown
from s2lab.reporting import cautions
from s2lab.reporting.comparison import Comparison, Contest, Entry, Metric, Overall, Profile
from s2lab.reporting.contests import above_chance, hold_contests, verdict
from s2lab.reporting.entries import aggregates, make_entry, score_of
from s2lab.reporting.recordings import NOTHING_RECORDED, Recordings, read_recordings
from s2lab.reporting.runs import (
    DamagedRun,
    Run,
    find_runs,
    printable,
    read_config,
    read_environment,
    read_protocol,
    read_run,
)
from s2lab.reporting.shifts import compare_shifts
from s2lab.stats import FloatArray, Strata, Weights, bootstrap_band, performance_profile

LOOK_CLOSELY_UP_TO = 1000
"""With more runs, configurations, evaluated seeds, shifts and curves are left unread unless asked
for."""
EACH_ENVIRONMENT_UP_TO = 5
"""With more environments, pairs are compared over all of them only."""


def compare(
    paths: str | Path | Iterable[str | Path],
    by: str | None = None,
    *,
    metric: Metric = "success_rate",
    against: str | None = None,
    curves: bool | None = None,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Comparison:
    """Compare the runs in folders or globs.

    Args:
        paths: run folders, folders of runs, or globs of either.
        by: what tells contestants apart: `agent` (the default), `kind`, or a setting in
            config.yaml by its dotted name. Runs of several environments need it said.
        metric: the score of a run, from its evaluation.
        against: the label that each other one is compared with; all pairs without it.
        curves: read learning curves; by default for up to a thousand runs.
        level: of every interval.
        resamples: of every bootstrap.
        seed: of every random number; the same runs give the same comparison.

    Raises:
        UserError: nothing matches, runs come from a newer version, several environments without
            `by`, or no run has what `by` names.
    """
    found = find_runs([paths] if isinstance(paths, str | Path) else paths)
    runs, warnings = _read(found)
    _check_environments(runs, by)
    by = by or "agent"
    groups = _grouped(runs, by)
    closely = len(runs) <= LOOK_CLOSELY_UP_TO
    recordings = NOTHING_RECORDED
    if closely if curves is None else curves:
        recordings = read_recordings(runs, metric)
    elif curves is None:
        warnings.append(f"Learning curves of {len(runs):,} runs were left unread.")
    rng = np.random.default_rng(seed)
    entries = [
        make_entry(env_id, label, members, metric, recordings, rng, level, resamples)
        for (env_id, label), members in sorted(groups.items())
    ]
    labels = _best_first(entries)
    if against is not None and against not in labels:
        raise unknown("label", against, labels, f"labels come from --by {by}")
    entries.sort(key=lambda entry: (entry.env_id, labels.index(entry.label)))
    tasks = _tasks(entries, labels)
    several = len({entry.env_id for entry in entries}) > 1
    contests = _contests(entries, tasks, rng, against, level, resamples)
    warnings += _cautions(entries, tasks, metric, recordings, closely)
    shifts, unlike = compare_shifts(
        sorted(groups.items()) if closely else (), metric, rng, level, resamples
    )
    warnings += unlike
    members = {label: [r for e in entries if e.label == label for r in e.runs] for label in labels}
    configs = {
        label: [read_config(run.path) for run in kept[: None if closely else 1]]
        for label, kept in members.items()
    }
    for label, known in configs.items():
        warnings += cautions.unequal_configs(label, known)
    return Comparison(
        by=by,
        metric=metric,
        level=level,
        labels=tuple(labels),
        entries=tuple(entries),
        overall=_overall(tasks, rng, level, resamples),
        contests=tuple(contests),
        curve_metric=recordings.metric,
        profile=_profile(tasks, metric, rng, level, resamples),
        shifts=tuple(sorted(shifts, key=lambda s: (s.env_id, s.shift, labels.index(s.label)))),
        verdicts=(
            *(verdict(c, metric, level, say_where=several) for c in contests),
            *above_chance(entries, say_where=several),
        ),
        warnings=tuple(warnings),
        configs={label: known[0] for label, known in configs.items()},
        environment=read_environment(runs[0].path),
    )


@dataclass(frozen=True)
class Tasks:
    """Scores of the agents that were evaluated in every environment."""

    environments: tuple[str, ...]
    scores: dict[str, list[FloatArray]]
    """By label, best first: one array `# [R_m]` per environment."""
    left_out: tuple[str, ...]
    """Labels that lack an environment."""


def _read(paths: Sequence[Path]) -> tuple[list[Run], list[str]]:
    """All runs that can be read, and a warning about those that cannot."""
    runs, damaged = [], []
    for path in paths:
        try:
            runs.append(read_run(path))
        except DamagedRun as error:
            damaged.append(str(error))
    if not runs:
        raise UserError(f"no run can be read: {damaged[0]}")
    return runs, [f"Left out: {cautions.listed(damaged)}."] if damaged else []


def _check_environments(runs: Sequence[Run], by: str | None) -> None:
    environments = sorted({run.env_id for run in runs})
    if by is None and len(environments) > 1:
        raise UserError(
            f"these runs are of {len(environments)} environments "
            f"({cautions.listed(environments)}): say what to compare with --by agent, or narrow "
            "the pattern"
        )


def _grouped(runs: Sequence[Run], by: str) -> dict[tuple[str, str], list[Run]]:
    """Runs by environment and label. Raises UserError when no run has what `by` names."""
    if by in ("agent", "kind"):
        labels = [str(getattr(run, by)) for run in runs]
    else:
        labels = _setting_labels(runs, by)
    groups: dict[tuple[str, str], list[Run]] = {}
    for run, label in zip(runs, labels, strict=True):
        groups.setdefault((run.env_id, label), []).append(run)
    return groups


def _setting_labels(runs: Sequence[Run], by: str) -> list[str]:
    configs = [read_config(run.path) for run in runs]
    if not any(by in config for config in configs):
        known = {"agent", "kind", *(name for config in configs for name in config)}
        raise unknown("setting", by, known, "any setting of config.yaml by its dotted name")
    several = len({run.agent for run in runs}) > 1
    return [
        (f"{run.agent}, " if several else "") + printable(f"{by}={config.get(by, 'unset')}")
        for run, config in zip(runs, configs, strict=True)
    ]


def _best_first(entries: Sequence[Entry]) -> list[str]:
    """Labels by falling mean score over their environments; those without a score come last."""
    means: dict[str, list[float]] = {entry.label: [] for entry in entries}
    for entry in entries:
        if entry.score is not None:
            means[entry.label].append(entry.score.mean.estimate)
    return sorted(means, key=lambda label: (-fmean(means[label] or [-inf]), label))


def _tasks(entries: Sequence[Entry], labels: Sequence[str]) -> Tasks:
    environments = tuple(dict.fromkeys(entry.env_id for entry in entries if entry.scores))
    scores = {(e.label, e.env_id): np.array(e.scores) for e in entries if e.scores}
    complete = [
        label
        for label in labels
        if environments and all((label, env) in scores for env in environments)
    ]
    return Tasks(
        environments,
        {label: [scores[label, env] for env in environments] for label in complete},
        tuple(label for label in labels if label not in complete),
    )


def _contests(
    entries: Sequence[Entry],
    tasks: Tasks,
    rng: np.random.Generator,
    against: str | None,
    level: float,
    resamples: int,
) -> list[Contest]:
    """Over all environments first, then within each; policies that never trained stay out."""
    trained = {entry.label for entry in entries if not entry.untrained}
    rounds: list[tuple[str | None, dict[str, list[FloatArray]]]] = []
    if len(tasks.environments) > 1:
        rounds.append((None, {k: v for k, v in tasks.scores.items() if k in trained}))
    several = len(tasks.environments) > EACH_ENVIRONMENT_UP_TO
    for env in () if several else tasks.environments:
        here = {
            e.label: [np.array(e.scores)]
            for e in entries
            if e.env_id == env and e.scores and e.label in trained
        }
        rounds.append((env, here))
    return [
        contest
        for env, scores in rounds
        for contest in hold_contests(
            scores, env, rng, against=against, level=level, resamples=resamples
        )
    ]


def _overall(
    tasks: Tasks, rng: np.random.Generator, level: float, resamples: int
) -> Overall | None:
    if len(tasks.environments) < 2 or not tasks.scores:
        return None
    return Overall(
        tasks.environments,
        {
            label: aggregates(scores, rng, level, resamples)
            for label, scores in tasks.scores.items()
        },
    )


def _profile(
    tasks: Tasks, metric: Metric, rng: np.random.Generator, level: float, resamples: int
) -> Profile | None:
    """None when no agent has the three runs that a distribution takes at the least."""
    if not any(sum(task.size for task in scores) >= 3 for scores in tasks.scores.values()):
        return None
    every = np.concatenate([task for scores in tasks.scores.values() for task in scores])
    ends = (0.0, 1.0) if metric == "success_rate" else (float(every.min()), float(every.max()))
    thresholds = np.linspace(*ends, 101)

    def shares(strata: Strata, weights: Weights) -> FloatArray:
        return performance_profile(strata, thresholds, weights)

    bands = {
        label: bootstrap_band(shares, scores, rng, level=level, resamples=resamples)
        for label, scores in tasks.scores.items()
    }
    return Profile(thresholds, bands)


def _cautions(
    entries: Sequence[Entry],
    tasks: Tasks,
    metric: Metric,
    recordings: Recordings,
    closely: bool,
) -> list[str]:
    runs = [run for entry in entries for run in entry.runs]
    protocols = {run.path: read_protocol(run.path) for run in runs} if closely else {}
    known = {path: protocol for path, protocol in protocols.items() if protocol is not None}
    found = [
        *cautions.few_seeds(entries),
        *cautions.unequal_budgets(entries),
        *cautions.repeated_seeds(entries),
        *cautions.without_score(runs, [run for run in runs if isfinite(score_of(run, metric))]),
        *cautions.unfinished(runs),
    ]
    for env_id in tasks.environments:
        here = [run for run in runs if run.env_id == env_id]
        found += cautions.unequal_evaluations(here, known, env_id)
    if len(tasks.environments) > 1 and tasks.left_out:
        names = cautions.listed(tasks.left_out)
        found.append(f"Not in the totals, for lack of an environment: {names}.")
    found += cautions.without_curve(recordings.metric, recordings.without)
    return [*found, *cautions.broken_metrics(recordings.notes)]
