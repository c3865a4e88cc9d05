"""Runs of a table in its committed record, one line each, and which of them still count.

A clone without run folders goes on from the record: a run there counts when its label and seed are
wanted and its settings are those of today, a setting that it does not know having its default. So a
table can be filled in several sittings on several machines. Knows no training and no world.
"""

import fcntl
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from s2lab.errors import UserError
from s2lab.reproduce.agent_runs import Contest, Job, Result, Settings, run_contest
from s2lab.reproduce.records import FOLDER, read_record, write_record

SEEDS = 5  # that a row wants
IDLE = ("seed", "log_every", "save_every", "eval_episodes")  # settings that change no result


@dataclass(frozen=True)
class Part:
    """Which part of a table to measure now."""

    seeds: Sequence[int] = tuple(range(SEEDS))
    """Run seeds."""
    only: Sequence[str] = ()
    """Labels, or parts of labels between commas, such as "lstm" or "lstm, 2 M"; all if empty."""
    parallel: int | None = None
    """Runs side by side; all cores by default."""

    def labels(self, known: Sequence[str]) -> list[str]:
        """Those of the labels that are asked for, in order.

        Raises:
            UserError: a word that names none of them.
        """
        wanted = [set(fields(word)) for word in self.only]
        for word, asked in zip(self.only, wanted, strict=True):
            if not any(asked <= set(fields(label)) for label in known):
                parts = dict.fromkeys(part for label in known for part in fields(label))
                raise UserError(
                    f"--only {word!r} names no row; rows are made of: {'; '.join(parts)}"
                )
        return [
            label
            for label in known
            if not wanted or any(asked <= set(fields(label)) for asked in wanted)
        ]

    def jobs(self, labels: Sequence[str]) -> list[Job]:
        """Every seed of every label asked for, row by row."""
        return [(label, seed) for label in self.labels(labels) for seed in self.seeds]


def fields(label: str) -> list[str]:
    """The parts of a label between commas."""
    return [part.strip() for part in label.split(",")]


def measure(
    contest: Contest,
    jobs: Sequence[Job],
    about: Mapping[str, Any],
    *,
    parallel: int | None = None,
    after: Callable[[Path], None] | None = None,
) -> dict[Job, Result] | None:
    """Train and judge what the record does not have yet, and write it into the record.

    Args:
        contest: all rows of the table
        jobs: those to measure now
        about: what the record says besides
        parallel: runs side by side
        after: called with the record's path whenever it was written

    Returns:
        all results that count, those of other sittings too; None when it was interrupted
    """

    def note(results: Mapping[Job, Result]) -> None:
        path = keep(contest, results, about)
        if after is not None:
            after(path)

    if run_contest(contest, jobs, note, known=kept(contest), parallel=parallel) is None:
        return None
    return kept(contest)


def settings_of(config: Settings) -> dict[str, Any]:
    """What a result depends on besides the seed."""
    return {name: value for name, value in config.to_dict().items() if name not in IDLE}


def digest(settings: Mapping[str, Any]) -> str:
    """Sixteen letters that stand for settings."""
    return sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


def same(recorded: Mapping[str, Any], wanted: Settings) -> bool:
    """Whether recorded settings are those wanted; one that was not known then has its default."""
    defaults = settings_of(type(wanted)(env=wanted.env))
    return over(defaults, recorded) == settings_of(wanted)


def over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """`above` with what only `below` has, groups of settings taken apart."""
    merged = {**below, **above}
    for name in ("ppo", "encoder"):
        if name in below and name in above:
            merged[name] = {**below[name], **above[name]}
    return merged


def record_path(name: str) -> Path:
    """Where the record of this name is kept."""
    return FOLDER / f"{name}.json"


def kept(contest: Contest) -> dict[Job, Result]:
    """The runs of the record that count; none where there is no record."""
    path = record_path(contest.name)
    if not path.exists():
        return {}
    record = read_record(path)
    recorded = record["config"].get("settings", {})
    valid = {
        label: digest(settings)
        for label, settings in recorded.items()
        if label in contest.contestants and same(settings, contest.contestants[label])
    }
    return {
        (row["label"], row["seed"]): row
        for row in record["rows"]
        if row["settings"] == valid.get(row["label"])
        and row["layouts"] == contest.layouts
        and set(row["played"]) >= set(contest.played_by(row["label"]))
        and ("looked" in row) == (contest.look is not None)
    }


def keep(contest: Contest, results: Mapping[Job, Result], about: Mapping[str, Any]) -> Path:
    """Write the record: these results, and those that count of the record as it is now."""
    with locked(contest.name):
        every = {**kept(contest), **results}
        settings = {label: settings_of(config) for label, config in contest.contestants.items()}
        marks = {label: digest(found) for label, found in settings.items()}
        order = {label: place for place, label in enumerate(settings)}
        rows = [
            {**every[job], "label": job[0], "seed": job[1], "settings": marks[job[0]]}
            for job in sorted(every, key=lambda job: (order[job[0]], job[1]))
        ]
        present = {row["label"] for row in rows}
        config = {
            **about,
            "layouts": contest.layouts,
            "settings": {label: found for label, found in settings.items() if label in present},
        }
        return write_record(contest.name, config, range(SEEDS), rows, a_line_per_row=True)


@contextmanager
def locked(name: str) -> Iterator[None]:
    """One process at a time: two may fill different rows of one record."""
    folder = Path("runs/reproduce")
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / f".{name}.lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
