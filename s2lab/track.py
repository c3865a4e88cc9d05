"""One event stream, three sinks: metrics.jsonl (the source of truth), W&B, the terminal."""

import json
import math
import os
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Literal

from s2lab import durable
from s2lab.progress import Progress
from s2lab.run_folder import RunFolder

Mode = Literal["off", "offline", "online"]


class Tracker:
    """Where a run's numbers go. A context manager; closing twice is harmless."""

    def __init__(
        self,
        run: RunFolder,
        *,
        mode: Mode,
        group: str,
        job_type: str,
        tags: Sequence[str],
        total_steps: int | None,
        quiet: bool = False,
        resume_at: int | None = None,
    ) -> None:
        """Open metrics.jsonl, cut back to `resume_at` bytes when resuming (see `offset`)."""
        self.run = run
        self._file = open(run.metrics_path, "ab", buffering=0)  # noqa: SIM115 - open as long as the run
        self._file.truncate(self._whole_length() if resume_at is None else resume_at)
        self._bar = Progress(total_steps, quiet=quiet)
        self._closed = False

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Append one line; what is not finite is written as null. On disk when this returns."""
        row: dict[str, Any] = {"step": int(step), "time": time.time()}
        for name, value in metrics.items():
            number = float(value)
            row[name] = value if isinstance(value, int) else number
            if not math.isfinite(number):
                row[name] = None
        line = json.dumps(row, allow_nan=False).encode() + b"\n"
        self._append(line)

    def progress(self, step: int, *, success_rate: float | None = None) -> None:
        """Move the bar."""
        self._bar.update(step, success_rate)

    def offset(self) -> int:
        """Bytes in metrics.jsonl up to here, synced to the disk: what a checkpoint remembers."""
        os.fsync(self._file.fileno())
        return os.fstat(self._file.fileno()).st_size

    def artifact(self, path: os.PathLike[str], name: str, kind: str) -> None:
        """Hand a file or folder of the run to W&B."""

    def close(self, summary: Mapping[str, Any] | None = None) -> None:
        """Write the summary, close every sink."""
        if self._closed:
            return
        self._closed = True
        self._bar.close()
        self._file.close()
        if summary is not None:
            self.run.write_summary(summary)

    def __enter__(self) -> "Tracker":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _append(self, line: bytes) -> None:
        before = os.fstat(self._file.fileno()).st_size
        try:
            durable.at_stage("before metrics line")
            self._file.write(line)
        except OSError as error:
            self._file.truncate(before)
            fix = f"s2lab resume {self.run.path}"
            raise durable.cannot_write(self.run.metrics_path, error, fix) from error

    def _whole_length(self) -> int:
        """Bytes up to the end of the last whole line."""
        data = self.run.metrics_path.read_bytes()
        return data.rfind(b"\n") + 1
