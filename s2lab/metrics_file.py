"""metrics.jsonl: a JSON object a line, only appended, or cut back by a resume. Knows no sinks.

A line is `{"step": int, "time": unix seconds, "<name>": number or null, ...}`.
"""

import json
import math
import os
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from s2lab import durable
from s2lab.errors import UserError


class MetricsFile:
    """The open file of one run; one writer at a time."""

    def __init__(self, path: Path, *, resume_at: int | None = None) -> None:
        """Open for appending, first cut back to `resume_at` bytes, or to its last whole line.

        Raises UserError when the file cannot be written or is shorter than `resume_at`.
        """
        self.path = path
        try:
            data = path.read_bytes() if path.exists() else b""
            self.last_step_before = _last_step(data)
            """The last step the file had before it was cut; -1 when it had none."""
            end = data.rfind(b"\n") + 1 if resume_at is None else resume_at
            _check_cut(path, data, end)
            self._file = open(path, "ab", buffering=0)  # noqa: SIM115 - open as long as the run
            self._file.truncate(end)
        except OSError as error:
            raise self._failed(error) from error
        self._end = end

    def append(self, step: int, metrics: Mapping[str, float]) -> bytes:
        """Add one line, handed to the system when this returns; gives the line back.

        What is not a finite number is written as null. Raises UserError when the disk is full (the
        file ends with a whole line then) or when another process writes to the same run.
        """
        row: dict[str, Any] = {"step": int(step), "time": round(time.time(), 3)}
        row.update((name, _number(value)) for name, value in metrics.items())
        line = json.dumps(row, allow_nan=False).encode() + b"\n"
        if os.fstat(self._file.fileno()).st_size != self._end:
            raise UserError(
                f"{self.path} was changed by another process: stop it, then "
                f"`s2lab resume {self.path.parent}`"
            )
        try:
            written = 0
            while written < len(line):
                durable.at_stage("metrics line")
                written += os.write(self._file.fileno(), line[written:])
        except OSError as error:
            self._file.truncate(self._end)
            raise self._failed(error) from error
        self._end += len(line)
        return line

    def offset(self) -> int:
        """Bytes up to the end of the last line, all of them synced to the disk."""
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._failed(error) from error
        return self._end

    def close(self) -> None:
        self._file.close()

    def _failed(self, error: OSError) -> UserError:
        return durable.cannot_write(self.path, error, f"`s2lab resume {self.path.parent}`")


def read_metrics(path: Path) -> list[dict[str, float]]:
    """Every line, null read as nan, up to a last line that a crash has cut (with a warning).

    Raises UserError naming the line when one before the last is damaged.
    """
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")
    rest = lines.pop()
    rows = [_row(path, number, line) for number, line in enumerate(lines, 1)]
    if rest:
        warnings.warn(f"{path}:{len(lines) + 1} was cut by a crash; read up to it", stacklevel=2)
    return rows


def _row(path: Path, number: int, line: bytes) -> dict[str, float]:
    try:
        row = json.loads(line)
        return {name: math.nan if value is None else value for name, value in row.items()}
    except (ValueError, AttributeError) as error:
        raise UserError(f"{path}:{number} is damaged: expected a JSON object") from error


def _number(value: float) -> float | int | None:
    """What JSON can hold of a number, numpy's and torch's scalars included."""
    if isinstance(value, int):
        return int(value)
    number = float(value)
    return number if math.isfinite(number) else None


def _check_cut(path: Path, data: bytes, end: int) -> None:
    if end > len(data):
        raise UserError(
            f"{path} has {len(data)} bytes, but the checkpoint was written after byte {end}: put "
            f"the file back, or start a new run"
        )
    if end < 0 or (end > 0 and data[end - 1 : end] != b"\n"):
        raise UserError(f"{path} has no end of a line at byte {end}: the file is not the run's own")


def _last_step(data: bytes) -> int:
    whole = data[: data.rfind(b"\n") + 1].splitlines()
    try:
        return int(json.loads(whole[-1])["step"]) if whole else -1
    except (ValueError, KeyError, TypeError):
        return -1
