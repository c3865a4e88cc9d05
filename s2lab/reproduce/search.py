"""Equal tuning: as many settings tried for one contestant as for any other, at the same budget.

Chosen by success in training, late in the budget, on one seed that no row of a table has; layouts
that a table is judged on are never played. A record of its own keeps what was tried. Knows no task.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from s2lab.reproduce.agent_runs import Contest, Job, Settings
from s2lab.reproduce.kept_runs import kept, measure
from s2lab.reproduce.records import markdown

SEED = 1000


def choose(
    name: str, options: Mapping[str, Sequence[Settings]], *, parallel: int | None = None
) -> dict[str, int] | None:
    """The place of the settings with the most training success, for every contestant.

    Args:
        name: of the record
        options: contestant -> settings to try
        parallel: runs side by side

    Returns:
        contestant -> place in its options, the first of equals; None when interrupted
    """
    tried = {
        label_of(contestant, place): settings
        for contestant, several in options.items()
        for place, settings in enumerate(several)
    }
    contest = Contest(name, tried, layouts=0)
    jobs: list[Job] = [(label, SEED) for label in tried]
    results = measure(contest, jobs, {"search": True}, parallel=parallel)
    if results is None:
        return None
    return {
        contestant: best([success(results, contestant, place) for place in range(len(several))])
        for contestant, several in options.items()
    }


def known(name: str, options: Mapping[str, Sequence[Settings]]) -> dict[str, int]:
    """`choose` for those whose every option is on record, without training anything.

    A part of a table needs it for the rows that it leaves alone: a record keeps a row whose
    settings are those of today.
    """
    chosen = {}
    for contestant, several in options.items():
        labels = {label_of(contestant, place): each for place, each in enumerate(several)}
        results = kept(Contest(name, labels, layouts=0))
        if len(results) == len(several):
            rates = [success(results, contestant, place) for place in range(len(several))]
            chosen[contestant] = best(rates)
    return chosen


def label_of(contestant: str, place: int) -> str:
    """Such as "lstm, option 2"."""
    return f"{contestant}, option {place}"


def success(results: Mapping[Job, Mapping[str, Any]], contestant: str, place: int) -> float:
    """Training success of one option; 0 where no episode ended late enough to tell."""
    return results[label_of(contestant, place), SEED]["training_success"] or 0.0


def best(rates: Sequence[float]) -> int:
    """The place of the highest, the first of equals."""
    return rates.index(max(rates))


def table(record: Mapping[str, Any]) -> str:
    """What was tried and how it trained, as Markdown."""
    settings = record["config"]["settings"]
    groups = {label: tuned(found) for label, found in settings.items()}
    varied = varying(list(groups.values()))
    lines = []
    for row in record["rows"]:
        rate = row["training_success"]
        shown = "" if rate is None else f"{rate:.3f}"
        spent = f"{row['cpu_s'] / 60:.1f}"
        tried = [groups[row["label"]].get(name, "") for name in varied]
        lines.append([row["label"], f"{row['steps']:,}", *tried, shown, spent])
    head = ["tried", "frames", *varied, "training success", "CPU minutes"]
    return f"{markdown(head, lines)}\n\nOne seed; success over the last fifth of training."


def tuned(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Those settings of a run that a search may try."""
    return {**settings["ppo"], "bare_floor": settings.get("encoder", {}).get("bare_floor", "")}


def varying(groups: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of settings that are not the same everywhere."""
    return [name for name in groups[0] if len({group[name] for group in groups}) > 1]
