"""What a reader of a comparison must be told first: few seeds, unequal budgets, odd runs.

Every function returns sentences, none when all is well. Knows no statistics.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from s2lab.reporting.cells import short
from s2lab.reporting.comparison import Entry
from s2lab.reporting.contests import ENOUGH_SEEDS
from s2lab.reporting.runs import Protocol, Run

BUDGET_TOLERANCE = 0.01
_NOT_A_SETTING = frozenset({"seed", "seeds", "run_id", "out", "runs", "root", "track", "project"})


def listed(names: Iterable[str], most: int = 3) -> str:
    """a, b, c and 17 more"""
    known = list(names)
    rest = len(known) - most
    return ", ".join(known[:most]) + (f" and {rest} more" if rest > 0 else "")


def few_seeds(entries: Sequence[Entry]) -> list[str]:
    few = [
        f"{entry.label} on {entry.env_id} has {len(entry.scores)}"
        for entry in entries
        if 0 < len(entry.scores) < ENOUGH_SEEDS and not entry.untrained
    ]
    if not few:
        return []
    return [f"Fewer than five seeds: {listed(few, 6)}. Intervals from so few are too narrow."]


def unequal_budgets(entries: Sequence[Entry]) -> list[str]:
    """By environment; policies that took no step are no contestants here."""
    found = []
    for env_id in dict.fromkeys(entry.env_id for entry in entries):
        steps = {
            entry.label: [run.steps for run in entry.runs]
            for entry in entries
            if entry.env_id == env_id and not entry.untrained
        }
        every = [count for counts in steps.values() for count in counts]
        if every and max(every) > min(every) * (1 + BUDGET_TOLERANCE):
            spans = [
                f"{label} {short(min(c))}" + (f" to {short(max(c))}" if max(c) > min(c) else "")
                for label, c in steps.items()
            ]
            found.append(f"Budgets differ on {env_id}: {listed(spans, 6)} steps.")
    return found


def unfinished(runs: Sequence[Run]) -> list[str]:
    odd = [f"{run.run_id} ({run.status})" for run in runs if run.status != "finished"]
    return [f"Not finished: {listed(odd)}."] if odd else []


def without_score(runs: Sequence[Run], scored: Sequence[Run]) -> list[str]:
    """Runs that were not evaluated, and those whose evaluation holds no number."""
    known = {run.path for run in scored}
    left_out = [run for run in runs if run.path not in known]
    bare = [run.run_id for run in left_out if run.evaluation is None]
    odd = [run.run_id for run in left_out if run.evaluation is not None]
    found = []
    if bare:
        found.append(f"Without an evaluation, and so without a score: {listed(bare)}.")
    if odd:
        found.append(f"The evaluation is not a number, left out: {listed(odd)}.")
    return found


def repeated_seeds(entries: Sequence[Entry]) -> list[str]:
    again = []
    for entry in entries:
        counts = Counter(run.seed for run in entry.runs if run.seed is not None)
        seeds = [str(seed) for seed, count in sorted(counts.items()) if count > 1]
        if seeds:
            again.append(f"{entry.label} on {entry.env_id} ({listed(seeds)})")
    if not again:
        return []
    return [f"Seeds that ran more than once count as independent runs: {listed(again)}."]


def unequal_evaluations(
    runs: Sequence[Run], protocols: Mapping[Path, Protocol], env_id: str
) -> list[str]:
    """Different numbers of episodes, policies or seeds within one environment."""
    episodes = sorted({run.evaluation.episodes for run in runs if run.evaluation is not None})
    found = []
    if len(episodes) > 1:
        found.append(f"Evaluated on {listed(map(str, episodes))} episodes on {env_id}.")
    known = [protocols[run.path] for run in runs if run.path in protocols]
    policies = sorted({protocol.policy for protocol in known})
    if len(policies) > 1:
        found.append(f"Evaluated with {' and '.join(policies)} actions on {env_id}.")
    if len({protocol.seeds for protocol in known}) > 1 and len(episodes) == 1:
        found.append(f"Evaluated on different seeds on {env_id}.")
    return found


def unequal_configs(label: str, configs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Settings that differ among runs that are averaged as one agent."""
    known = [config for config in configs if config]
    names = dict.fromkeys(name for config in known for name in config)
    differing = []
    for name in names:
        values = list(dict.fromkeys(repr(config.get(name)) for config in known))
        if len(values) > 1 and name.rpartition(".")[2] not in _NOT_A_SETTING:
            differing.append(f"{name} ({listed(values)})")
    if not differing:
        return []
    return [f"Runs of {label} are averaged although their settings differ: {listed(differing)}."]


def without_curve(metric: str, names: Sequence[str]) -> list[str]:
    """Runs that trained too short, or otherwise, to have logged what the curves show."""
    return [f"No {metric} was logged, so there is no curve: {listed(names)}."] if names else []


def broken_metrics(notes: Sequence[str]) -> list[str]:
    """`notes` name a run and its damage."""
    return [f"{listed(notes)}."] if notes else []
