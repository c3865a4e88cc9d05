"""Run folders as a comparison needs them: found by name or glob, each read once and lightly.

Ten thousand folders take seconds, so only summary.json is opened for every run; configurations and
evaluated seeds are read for the few runs that ask. Knows no statistics.
"""

import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from glob import glob, has_magic
from pathlib import Path
from typing import Any

from s2lab.errors import UserError
from s2lab.run_folder import FORMAT


class DamagedRun(UserError):
    """A folder whose files cannot be read; others can still be compared."""


@dataclass(frozen=True)
class Evaluation:
    """Means over the episodes of one evaluation; nan where nothing was measured."""

    episodes: int
    success_rate: float
    mean_return: float
    mean_length: float


@dataclass(frozen=True)
class Run:
    """One run folder's summary."""

    path: Path
    run_id: str
    kind: str
    env_id: str
    agent: str
    seed: int | None
    status: str
    steps: int
    """Environment steps taken."""
    elapsed_s: float
    evaluation: Evaluation | None


@dataclass(frozen=True)
class Protocol:
    """How a run was evaluated: sampled or greedy actions, and on which seeds."""

    policy: str
    seeds: tuple[int, ...]


def find_runs(patterns: Iterable[str | Path]) -> list[Path]:
    """Folders that hold a summary.json: named, matched by a glob, or right inside a named folder.

    What a shell makes of `runs/*` may name what holds no run, as long as something holds one.
    Raises UserError when there is no run at all, none is given, or a name or glob leads nowhere.
    """
    found: dict[str, None] = {}
    names = list(map(str, patterns))
    if not names:
        raise UserError("name run folders or a glob, such as s2lab compare 'runs/*FourRooms*'")
    matching = {name: [match for match in _expand(name) if _is_run(match)] for name in names}
    for name, matches in matching.items():
        if not matches and not (any(matching.values()) and os.path.exists(name)):
            raise UserError(_nothing_at(name))
        found.update(dict.fromkeys(os.path.abspath(name) for name in matches))
    return [Path(name) for name in sorted(found)]


def read_run(path: Path) -> Run:
    """The summary of one run. Raises DamagedRun; UserError for a newer format."""
    summary = read_object(path / "summary.json")
    written = summary.get("format")
    if isinstance(written, int) and written > FORMAT:
        raise UserError(
            f"{path} was written by a newer s2lab (format {written}, this one reads up to "
            f"{FORMAT}): upgrade s2lab"
        )
    steps, elapsed_s = number(summary.get("steps")), number(summary.get("elapsed_s"))
    seed = summary.get("seed")
    return Run(
        path=path,
        run_id=printable(path.name),
        kind=printable(summary.get("kind", "train")),
        env_id=printable(summary.get("env_id", "?")),
        agent=printable(summary.get("agent", "?")),
        seed=seed if isinstance(seed, int) else None,
        status=printable(summary.get("status", "?")),
        steps=int(steps) if math.isfinite(steps) else 0,
        elapsed_s=elapsed_s,
        evaluation=_evaluation(path, summary.get("eval")),
    )


def read_config(path: Path) -> dict[str, Any]:
    """config.yaml flattened to dotted names; empty where there is none or it is damaged."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        with open(path / "config.yaml", encoding="utf-8") as file:
            config = yaml.load(file, Loader=loader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return dict(_flattened(config, "")) if isinstance(config, dict) else {}


def read_protocol(path: Path) -> Protocol | None:
    """From eval.json; None where there is none that can be read."""
    try:
        found = read_object(path / "eval.json")
    except DamagedRun:
        return None
    seeds = found.get("seeds")
    known = tuple(seeds) if isinstance(seeds, list) else ()
    return Protocol(printable(found.get("policy", "?")), known)


def read_environment(path: Path) -> dict[str, Any]:
    """environment.json; empty where there is none or it is damaged."""
    try:
        return read_object(path / "environment.json")
    except DamagedRun:
        return {}


def number(value: object) -> float:
    """A number as float; nan for null, text, booleans and what else is none."""
    return (
        float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    )


def printable(value: object) -> str:
    """Text from disk on one line: control characters would reach a terminal as commands."""
    text = str(value)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


def _expand(pattern: str) -> Iterator[str]:
    pattern = os.path.expanduser(pattern)
    named = _is_run(pattern) or not has_magic(pattern)
    for match in [pattern] if named else glob(pattern):
        if _is_run(match) or not os.path.isdir(match):
            yield match
        else:
            yield from (entry.path for entry in os.scandir(match) if entry.is_dir())


def _is_run(name: str) -> bool:
    return os.path.isfile(os.path.join(name, "summary.json"))


def _nothing_at(pattern: str) -> str:
    parent = Path(pattern).expanduser().parent
    around = sorted(entry.name for entry in parent.iterdir()) if parent.is_dir() else []
    runs = [name for name in around if _is_run(str(parent / name))]
    if runs:
        hint = f"{parent} holds {len(runs)} run{'s' * (len(runs) > 1)}, such as {runs[0]}"
    else:
        hint = f"{parent} holds no run" if parent.is_dir() else f"{parent} does not exist"
    return f"no run folder matches {printable(pattern)!r}; {printable(hint)}"


def read_object(path: Path) -> dict[str, Any]:
    """One JSON object. Raises DamagedRun."""
    try:
        with open(path, "rb") as file:
            found = json.loads(file.read())
    except OSError as error:
        raise DamagedRun(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise DamagedRun(f"{path} is damaged: {error}") from error
    if not isinstance(found, dict):
        raise DamagedRun(f"{path} is damaged: expected an object")
    return found


def _evaluation(path: Path, summary: object) -> Evaluation | None:
    if not isinstance(summary, dict):
        summary = _means(path)
    return None if summary is None else evaluation_of(summary)


def evaluation_of(summary: Mapping[str, object]) -> Evaluation:
    """Means by name as an evaluation; nan for what is no number."""
    episodes = number(summary.get("episodes"))
    return Evaluation(
        int(episodes) if math.isfinite(episodes) else 0,
        number(summary.get("success_rate")),
        number(summary.get("mean_return")),
        number(summary.get("mean_length")),
    )


def _means(path: Path) -> dict[str, float] | None:
    """eval.json's means, for a run whose summary was never told of them."""
    if not (path / "eval.json").exists():
        return None
    try:
        return means_of(read_object(path / "eval.json"))
    except DamagedRun:
        return None


def means_of(found: Mapping[str, Any]) -> dict[str, float]:
    """An evaluation's lists, an entry per episode, as their means."""

    def mean_of(name: str) -> float:
        values = found.get(name)
        numbers = [number(value) for value in values] if isinstance(values, list) else []
        return math.fsum(numbers) / len(numbers) if numbers else math.nan

    success = found.get("success")
    return {
        "episodes": len(success) if isinstance(success, list) else 0,
        "success_rate": mean_of("success"),
        "mean_return": mean_of("return"),
        "mean_length": mean_of("length"),
    }


def _flattened(config: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in config.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            yield from _flattened(value, f"{name}.")
        else:
            yield name, value
