"""Equal tuning: as many settings tried for one contestant as for any other, at the same budget.

Chosen by success in training on seeds that no row of a table has, one where nothing else is said:
late in the budget, or, where it counts how soon, over the whole of it. Layouts that a table is
judged on are never played. A record of its own keeps what was tried. Knows no task.
"""

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from s2lab.reproduce.agent_runs import Contest, Job, Settings
from s2lab.reproduce.kept_runs import kept, measure
from s2lab.reproduce.records import markdown

SEED = 1000
SEEDS = (SEED,)
Rate = Callable[[Mapping[str, Any]], float]
Results = Mapping[Job, Mapping[str, Any]]


def late(result: Mapping[str, Any]) -> float:
    """Training success over the last fifth of the budget; 0 where the last episode ended before."""
    return result["training_success"] or 0.0


def whole(result: Mapping[str, Any]) -> float:
    """Training success over the whole budget, from points evenly spread: higher when it is sooner.

    Before its first episodes ended a run has no success, which counts as 0.
    """
    earlier = 0
    area = 0.0
    for frames, _, rate, _ in result["curve"]:
        area += rate * (frames - earlier)
        earlier = frames
    return area / earlier if earlier else 0.0


@dataclass(frozen=True)
class Judging:
    """How options are compared: by the mean of `rate` over seeds, of equals the first."""

    seeds: Sequence[int] = SEEDS
    """That every option is tried on."""
    rate: Rate = late
    """What a run is worth."""
    runoff: Sequence[int] = ()
    """Further seeds for the two best, of which the better over all its seeds is taken."""


ONCE = Judging()


def choose(
    name: str,
    options: Mapping[str, Sequence[Settings]],
    *,
    asked: Container[str] | None = None,
    parallel: int | None = None,
    judging: Judging = ONCE,
) -> dict[str, int] | None:
    """The place of the settings with the most training success, for every contestant.

    Args:
        name: of the record
        options: every contestant -> settings to try; a record keeps only what is in here
        asked: contestants whose missing options are to be tried now; all by default
        parallel: runs side by side
        judging: on which seeds, and by what

    Returns:
        contestant -> place in its options, of those asked for and of those whose every option was
        on record; None when interrupted
    """
    contest = contest_of(name, options)
    wanted = {who: several for who, several in options.items() if asked is None or who in asked}
    jobs = [
        job
        for who, several in wanted.items()
        for place in range(len(several))
        for job in jobs_of(who, place, judging.seeds)
    ]
    results = measure(contest, jobs, {"search": True}, parallel=parallel)
    if results is not None and judging.runoff:
        jobs += [
            job
            for who, several in wanted.items()
            for place in finalists(results, who, len(several), judging)
            for job in jobs_of(who, place, judging.runoff)
        ]
        results = measure(contest, jobs, {"search": True}, parallel=parallel)
    return None if results is None else best_of(results, options, judging)


def known(
    name: str, options: Mapping[str, Sequence[Settings]], judging: Judging = ONCE
) -> dict[str, int]:
    """`choose` for those whose every option is on record, without training anything.

    A part of a table needs it for the rows that it leaves alone: a record keeps a row whose
    settings are those of today.
    """
    return best_of(kept(contest_of(name, options)), options, judging)


def best_of(
    results: Results, options: Mapping[str, Sequence[Settings]], judging: Judging = ONCE
) -> dict[str, int]:
    """Contestant -> the place of what trained best, where every result is there."""
    found: dict[str, int] = {}
    for who, several in options.items():
        every = [job for k in range(len(several)) for job in jobs_of(who, k, judging.seeds)]
        if not all(job in results for job in every):
            continue
        places = (
            finalists(results, who, len(several), judging)
            if judging.runoff
            else [*range(len(several))]
        )
        seeds = (*judging.seeds, *judging.runoff)
        if all(job in results for place in places for job in jobs_of(who, place, seeds)):
            rates = [mean_rate(results, who, place, seeds, judging.rate) for place in places]
            found[who] = places[best(rates)]
    return found


def finalists(results: Results, who: str, count: int, judging: Judging) -> list[int]:
    """The places of the two best of somebody's options, in their order."""
    rates = [mean_rate(results, who, k, judging.seeds, judging.rate) for k in range(count)]
    return sorted(sorted(range(count), key=lambda k: -rates[k])[:2])


def mean_rate(results: Results, who: str, place: int, seeds: Sequence[int], rate: Rate) -> float:
    """Of one option over seeds."""
    return fmean(rate(results[job]) for job in jobs_of(who, place, seeds))


def jobs_of(who: str, place: int, seeds: Sequence[int]) -> list[Job]:
    """One option's runs."""
    return [(label_of(who, place), seed) for seed in seeds]


def contest_of(name: str, options: Mapping[str, Sequence[Settings]]) -> Contest:
    """A contestant for every option."""
    tried = {
        label_of(contestant, place): settings
        for contestant, several in options.items()
        for place, settings in enumerate(several)
    }
    return Contest(name, tried, layouts=0)


def label_of(contestant: str, place: int) -> str:
    """Such as "lstm, option 2"."""
    return f"{contestant}, option {place}"


def best(rates: Sequence[float]) -> int:
    """The place of the highest, the first of equals."""
    return rates.index(max(rates))


def table(record: Mapping[str, Any]) -> str:
    """What was tried and how it trained, as Markdown."""
    settings = record["config"]["settings"]
    groups = {label: tuned(found) for label, found in settings.items()}
    varied = varying(list(groups.values()))
    rows: dict[str, list[Mapping[str, Any]]] = {}
    for row in record["rows"]:
        rows.setdefault(row["label"], []).append(row)
    lines = []
    for label, found in rows.items():
        rates = [row["training_success"] for row in found]
        shown = ", ".join("" if rate is None else f"{rate:.3f}" for rate in rates)
        soon = ", ".join(f"{whole(row):.3f}" for row in found)
        spent = f"{sum(row['cpu_s'] for row in found) / 60:.1f}"
        tried = [groups[label].get(name, "") for name in varied]
        lines.append([label, f"{found[0]['steps']:,}", *tried, shown, soon, spent])
    head = ["tried", "frames", *varied, "success late", "success over all", "CPU minutes"]
    seeds = max(len(found) for found in rows.values())
    words = "One seed" if seeds == 1 else f"Up to {seeds} seeds, one after another"
    return f"{markdown(head, lines)}\n\n{words}; success over the last fifth and all of training."


def tuned(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Those settings of a run that a search may try."""
    floor = settings.get("encoder", {}).get("bare_floor", "")
    normalised = settings.get("options", {}).get("normalize_advantage", "")
    return {**settings["ppo"], "bare_floor": floor, "normalize_advantage": normalised}


def varying(groups: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of settings that are not the same everywhere."""
    return [name for name in groups[0] if len({group[name] for group in groups}) > 1]
