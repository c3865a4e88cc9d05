"""One event stream, three sinks: metrics.jsonl (the source of truth), W&B, the terminal.

Knows no trainer and no metric by name; refuses to let a sink other than the first stop a run.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, get_args

from s2lab.errors import UserError
from s2lab.metrics_file import MetricsFile
from s2lab.progress import Progress
from s2lab.run_folder import RunFolder
from s2lab.track_results import hand_over
from s2lab.track_wandb import WandbSink, identity_of, last_tracked_step

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
        """Open every sink; `resume_at` is the `offset` of the checkpoint that training resumes at.

        `group`, `job_type` and `tags` are W&B's; `total_steps` is the bar's end (None: unknown).
        Raises UserError when metrics.jsonl cannot be written or cut.
        """
        if mode not in get_args(Mode):
            raise UserError(f"unknown track mode {mode!r}: off, offline or online")
        self.run = run
        self._metrics = MetricsFile(run.metrics_path, resume_at=resume_at)
        self._bar = Progress(total_steps, quiet=quiet)
        self._wandb: WandbSink | None = None
        self._closed = False
        after_step = last_tracked_step(run, self._metrics.last_step_before)
        if mode != "off":
            self._wandb = WandbSink(
                run.path,
                lambda: identity_of(run),
                mode=mode,
                group=group,
                job_type=job_type,
                tags=tags,
                after_step=after_step,
                say=self._bar.say,
            )

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Append one line at environment step `step`; a number that is not finite becomes null.

        The line is in the file when this returns. Raises UserError when the disk is full.
        """
        line = self._metrics.append(step, metrics)
        if self._wandb is not None:
            self._wandb.row(line)

    def progress(self, step: int, *, success_rate: float | None = None) -> None:
        """Move the bar; cheap enough for every rollout."""
        self._bar.update(step, success_rate)

    def offset(self) -> int:
        """Bytes of metrics.jsonl up to here, synced to the disk: what a checkpoint remembers."""
        return self._metrics.offset()

    def artifact(self, path: Path, name: str, kind: str) -> None:
        """Hand W&B a file or folder (a checkpoint, a table); it stays where it is on disk."""
        if self._wandb is not None:
            self._wandb.artifact(Path(path), name, kind)

    def close(self, summary: Mapping[str, Any] | None = None) -> None:
        """Write the summary's fields over those in summary.json, then close every sink."""
        self._close(summary, failed=False)

    def __enter__(self) -> "Tracker":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close(None, failed=error is not None)

    def _close(self, summary: Mapping[str, Any] | None, *, failed: bool) -> None:
        if self._closed:
            return
        self._closed = True
        self._bar.close()
        self._metrics.close()
        try:
            if summary is not None:
                self.run.write_summary(summary)
        finally:
            if self._wandb is not None:
                hand_over(self.run, self._wandb)
                self._wandb.close(summary, failed=failed)
