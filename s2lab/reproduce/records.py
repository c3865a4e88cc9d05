"""Measured results on disk: settings, seeds, figures, versions, machine. Knows no experiment."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from s2lab import durable
from s2lab.errors import UserError
from s2lab.machine import describe_machine

FORMAT = 1
FOLDER = Path("runs/records")
"""Where records are kept, below the folder the command runs in."""


def write_record(
    name: str,
    config: Mapping[str, Any],
    seeds: Sequence[int],
    rows: Sequence[Mapping[str, Any]],
    folder: Path = FOLDER,
    *,
    a_line_per_row: bool = False,
) -> Path:
    """Write `<name>.json` beside and rename it; returns its path. Raises `UserError`."""
    record = {
        "format": FORMAT,
        "name": name,
        "config": dict(config),
        "seeds": list(seeds),
        "rows": [dict(row) for row in rows],
        "written": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": describe_machine() | {"hostname": None, "command": None},
    }
    path = folder / f"{name}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        text = as_lines(record) if a_line_per_row else json.dumps(record, indent=1)
        durable.replace(path, (text + "\n").encode())
    except OSError as error:
        raise durable.cannot_write(path, error, "run it where runs/records can be made") from None
    return path


def as_lines(record: Mapping[str, Any]) -> str:
    """JSON with a line for each row, so that two sittings' rows are two lines of a diff."""
    mark = "rows to be filled in"
    text = json.dumps({**record, "rows": mark}, indent=1)
    rows = ",\n".join(f"  {json.dumps(row)}" for row in record["rows"])
    return text.replace(f'"{mark}"', f"[\n{rows}\n ]" if rows else "[]")


def read_record(path: Path) -> dict[str, Any]:
    """Read a record. Raises `UserError` on a missing, broken or newer file."""
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not a readable record: {error}") from None
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise UserError(f"{path}: not a record of format {FORMAT}; measure it again")
    return record


def rows_so_far(name: str, config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of a record of the same protocol, to go on from; none where there is none."""
    path = FOLDER / f"{name}.json"
    record = read_record(path) if path.exists() else {}
    return list(record["rows"]) if record.get("config") == dict(config) else []


def markdown(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)
