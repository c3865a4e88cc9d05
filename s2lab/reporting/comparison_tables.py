"""The tables of a comparison, for pages, papers, spreadsheets and programs alike.

Knows no HTML and no files.
"""

from dataclasses import fields, is_dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from s2lab.reporting.blocks import Cell, Column, Kind, Table
from s2lab.reporting.comparison import Aggregates, Comparison, Entry, Shifted
from s2lab.reporting.curves import Curve


def comparison_tables(comparison: Comparison) -> dict[str, Table]:
    """Every table that has rows, by a short name: the files of `s2lab compare --tables`."""
    entries = list(comparison.entries)
    tables = {
        "overall": overall_table(comparison),
        "agents": agents_table(comparison, entries),
        "scores": scores_table(comparison, entries),
        "efficiency": efficiency_table(comparison, entries),
        "contests": contests_table(comparison, None),
        "shifts": shifts_table(comparison, list(comparison.shifts)),
        "runs": runs_table(comparison),
    }
    return {name: table for name, table in tables.items() if table.rows}


def agents_table(comparison: Comparison, entries: list[Entry]) -> Table:
    """How well, and at what cost."""
    columns = (
        *_names(comparison, entries),
        Column("Runs", "integer", "evaluated runs, one per seed"),
        Column("Success", "percent", "share of evaluation episodes that succeeded"),
        Column("Return", "number", "mean undiscounted return of an episode"),
        Column("Length", "number", "mean number of steps of an episode"),
        Column("Steps", "amount", "environment steps of training, median over runs"),
        Column("Steps/s", "integer", "training speed, median over runs"),
        Column("Wall time", "seconds", "of training, median over runs"),
    )
    rows = tuple(
        (
            *_name(comparison, entries, entry),
            len(entry.scores),
            entry.success_rate,
            entry.mean_return,
            entry.mean_length,
            None if entry.untrained else entry.steps,
            entry.steps_per_s,
            entry.elapsed_s,
        )
        for entry in entries
    )
    return Table(columns, rows, f"Evaluation and cost, {_intervals(comparison)}.")


def scores_table(comparison: Comparison, entries: list[Entry]) -> Table:
    """Four summaries of the scores of each agent's runs."""
    rows = tuple(
        (*_name(comparison, entries, entry), *_aggregates(entry.score))
        for entry in entries
        if entry.score is not None and len(entry.scores) > 1
    )
    columns = (*_names(comparison, entries), *_aggregate_columns(comparison, "of all runs"))
    return Table(columns, rows, f"{_score(comparison)} over runs, {_intervals(comparison)}.")


def overall_table(comparison: Comparison) -> Table:
    """The same over all environments, each of which counts the same."""
    scores = comparison.overall.scores if comparison.overall else {}
    count = len(comparison.overall.environments) if comparison.overall else 0
    rows = tuple((label, *_aggregates(score)) for label, score in scores.items())
    columns = (_label(comparison), *_aggregate_columns(comparison, "of the environments' means"))
    caption = f"{_score(comparison)} over {count} environments, {_intervals(comparison)}."
    return Table(columns, rows, caption)


def efficiency_table(comparison: Comparison, entries: list[Entry]) -> Table:
    """Environment steps until the logged success rate first reached each level."""
    known = [entry for entry in entries if entry.reached]
    levels = [reached.level for reached in known[0].reached] if known else []
    columns = [*_names(comparison, entries), Column("Runs", "integer", "runs with a curve")]
    for level in levels:
        columns += [
            Column(f"Steps to {100 * level:g} %", "amount", "median over runs"),
            Column("Runs there", "integer", f"runs that ever logged {100 * level:g} %"),
        ]
    rows = []
    for entry in known:
        cells: list[Cell] = [*_name(comparison, entries, entry), entry.curves]
        for reached in entry.reached:
            cells += [reached.median_steps, reached.runs]
        rows.append(tuple(cells))
    caption = (
        f"Environment steps until {comparison.curve_metric} first reached a level; ∞ where fewer "
        "than half of the runs did."
    )
    return Table(tuple(columns), tuple(rows), caption)


def contests_table(comparison: Comparison, env_id: str | None) -> Table:
    """Who beats whom; in one environment, or with None in all of them and overall."""
    contests = [c for c in comparison.contests if env_id is None or c.env_id == env_id]
    places = len({contest.env_id for contest in contests}) > 1
    columns = (
        *([Column("Environment")] if places else []),
        Column(_title(comparison)),
        Column("against"),
        Column("Difference", _kind(comparison), f"of the mean {comparison.metric_name}"),
        Column("Wins", "percent", "probability that a run beats a run of the other; a tie is half"),
        Column("p", "p", "permutation test after Holm's correction"),
    )
    rows: list[tuple[Cell, ...]] = []
    for contest in contests:
        place = [contest.env_id or "all"] if places else []
        figures = (contest.difference, contest.improvement, contest.p_value)
        rows.append((*place, contest.ours, contest.theirs, *figures))
    return Table(columns, tuple(rows), f"Pairs, {_intervals(comparison)}.")


def shifts_table(comparison: Comparison, shifts: list[Shifted]) -> Table:
    """What agents lose from the train to the test side of a shift."""
    kind = _kind(comparison)
    several = len({shifted.env_id for shifted in shifts}) > 1
    columns = (
        *([Column("Environment")] if several else []),
        Column("Shift"),
        _label(comparison),
        Column("Runs", "integer", "evaluated runs, one per seed"),
        Column("Train side", kind),
        Column("Test side", kind),
        Column("Change", kind, "test minus train, of the same runs"),
    )
    rows: list[tuple[Cell, ...]] = []
    for shifted in shifts:
        place = [shifted.env_id] if several else []
        figures = (shifted.train, shifted.test, shifted.change)
        rows.append((*place, shifted.shift, shifted.label, len(shifted.test_scores), *figures))
    caption = f"{_score(comparison)} on both sides of a shift, {_intervals(comparison)}."
    return Table(columns, tuple(rows), caption)


def runs_table(comparison: Comparison) -> Table:
    columns = (
        Column("Run"),
        Column(_title(comparison)),
        Column("Environment"),
        Column("Seed", "integer"),
        Column("Status"),
        Column("Steps", "amount"),
        Column("Success", "percent"),
        Column("Return", "number"),
        Column("Length", "number"),
        Column("Wall time", "seconds"),
    )
    rows = []
    for entry in comparison.entries:
        for run in entry.runs:
            known = run.evaluation
            episode: tuple[Cell, ...] = (None,) * 3
            if known is not None:
                episode = (known.success_rate, known.mean_return, known.mean_length)
            place = (run.run_id, entry.label, run.env_id, run.seed, run.status, run.steps)
            rows.append((*place, *episode, run.elapsed_s))
    return Table(columns, tuple(rows))


def comparison_record(comparison: Comparison) -> dict[str, Any]:
    """The whole comparison for `--json`: plain values, nan and infinities as null."""
    record = _plain(comparison)
    assert isinstance(record, dict)
    return {"format": 1, **record}


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        kept = [f for f in fields(value) if not isinstance(getattr(value, f.name), Curve)]
        return {f.name: _plain(getattr(value, f.name)) for f in kept}
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [_plain(item) for item in value if not isinstance(item, Curve)]
    if isinstance(value, float):
        return float(value) if isfinite(value) else None
    if isinstance(value, Path):
        return str(value)
    return value if isinstance(value, int | str | bool | None) else str(value)


def _title(comparison: Comparison) -> str:
    return comparison.by.capitalize() if comparison.by in ("agent", "kind") else "Setting"


def _label(comparison: Comparison) -> Column:
    return Column(_title(comparison))


def _names(comparison: Comparison, entries: list[Entry]) -> list[Column]:
    return ([Column("Environment")] if _several(entries) else []) + [_label(comparison)]


def _name(comparison: Comparison, entries: list[Entry], entry: Entry) -> list[str]:
    return ([entry.env_id] if _several(entries) else []) + [entry.label]


def _several(entries: list[Entry]) -> bool:
    return len({entry.env_id for entry in entries}) > 1


def _aggregate_columns(comparison: Comparison, median_of: str) -> tuple[Column, ...]:
    kind = _kind(comparison)
    return (
        Column("Mean", kind),
        Column("IQM", kind, "interquartile mean: of the middle half of all runs"),
        Column("Median", kind, median_of),
        Column("Optimality gap", kind, "how far runs stay below 1 on average; less is better"),
    )


def _aggregates(score: Aggregates | None) -> tuple[Any, ...]:
    if score is None:
        return (None,) * 4
    return (score.mean, score.interquartile_mean, score.median, score.optimality_gap)


def _kind(comparison: Comparison) -> Kind:
    return "percent" if comparison.metric == "success_rate" else "number"


def _score(comparison: Comparison) -> str:
    return comparison.metric_name.capitalize()


def _intervals(comparison: Comparison) -> str:
    return f"with {100 * comparison.level:g} % intervals"
