"""The summaries of all runs in a folder, kept in one file that rebuilds itself.

Ten thousand summaries are ten thousand files to open; `.index.json` beside the runs holds what they
said last time. An entry counts only while its summary.json has the same time and size, so the index
can be deleted, be damaged or be written by two machines at once: what is wrong is read again.
Nothing is locked. Knows no statistics and no terminal.
"""

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s2lab import durable

NAME = ".index.json"
FORMAT = 1
WORTH_WRITING = 20
"""Summaries that were read anew before the index is written again."""
KEPT = ("env_id", "agent", "seed", "kind", "status", "steps", "elapsed_s")

Entry = tuple[int, int, dict[str, Any]]


@dataclass(frozen=True)
class Listed:
    """One run as the index knows it."""

    path: Path
    changed_s: float
    """When summary.json was written, unix seconds."""
    summary: dict[str, Any]
    """The fields in KEPT; empty when summary.json is damaged."""


def list_runs(root: Path) -> list[Listed]:
    """Every run folder right inside `root`, sorted by name; `root` alone when it is one itself.

    Raises OSError when `root` cannot be listed; an index that cannot be written is done without.
    """
    if (root / "summary.json").is_file():
        changed_s = (root / "summary.json").stat().st_mtime
        return [Listed(root, changed_s, _summary(root / "summary.json"))]
    known = _read(root)
    found: dict[str, Entry] = {}
    fresh = 0
    for name, changed_ns, size in _stamps(root):
        entry = known.get(name)
        if entry is None or entry[:2] != (changed_ns, size):
            entry = (changed_ns, size, _summary(root / name / "summary.json"))
            fresh += 1
        found[name] = entry
    if fresh >= WORTH_WRITING or len(known) >= len(found) + WORTH_WRITING:
        text = json.dumps({"format": FORMAT, "runs": found}, separators=(",", ":"))
        with contextlib.suppress(OSError):  # a folder that cannot be written can still be read
            durable.replace(root / NAME, text.encode())
    return [Listed(root / name, entry[0] / 1e9, entry[2]) for name, entry in sorted(found.items())]


def _stamps(root: Path) -> Iterator[tuple[str, int, int]]:
    """Name, time in ns and size of every summary.json."""
    with os.scandir(root) as entries:
        for entry in entries:
            try:
                about = os.stat(os.path.join(entry.path, "summary.json"))
            except OSError:
                continue
            yield entry.name, about.st_mtime_ns, about.st_size


def _read(root: Path) -> dict[str, Entry]:
    """What the index says; nothing when it is absent, damaged or of another version."""
    try:
        found = json.loads((root / NAME).read_bytes())
        if found["format"] != FORMAT:
            return {}
        return {
            str(name): (int(changed), int(size), dict(summary))
            for name, (changed, size, summary) in found["runs"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _summary(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
        return {name: found.get(name) for name in KEPT}
    except (OSError, ValueError, AttributeError):
        return {}
