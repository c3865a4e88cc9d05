"""Several runs side by side as processes of this machine. Knows no training.

One torch thread per process is fastest on small networks, so the runs share the cores and each
keeps one. A child is `s2lab resume RUN`, which starts a run that has no checkpoint yet; the parent
reads the children's metrics.jsonl to draw their progress.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from s2lab.config import TrackMode, read_config
from s2lab.launchers.job import die_with_parent
from s2lab.run_folder import RunFolder

POLL_S = 0.5  # seconds between two looks at the children
PLAIN_S = 10.0  # seconds between two plain lines when the output is no terminal
TAIL_BYTES = 4096  # of metrics.jsonl, enough for its last line


@dataclass
class Child:
    """A run and the process that works on it."""

    run: RunFolder
    total_steps: int
    process: subprocess.Popen[bytes] | None = None
    task: TaskID | None = None
    started: float = field(default_factory=time.monotonic)

    @property
    def code(self) -> int | None:
        """The exit code, once there is one."""
        return None if self.process is None else self.process.poll()


def run_side_by_side(
    runs: Sequence[RunFolder], *, track: TrackMode, parallel: int | None = None, quiet: bool = False
) -> list[int]:
    """Work on every run, at most `parallel` (all cores by default) at a time.

    Returns:
        The exit code of each run: 0 finished, 130 interrupted.
    """
    limit = parallel or os.cpu_count() or 1
    children = [Child(run, read_config(run).steps) for run in runs]
    console = Console(stderr=True)
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[success]}"),
        console=console,
        disable=quiet or not console.is_terminal,
    )
    said = time.monotonic()
    with progress:
        for child in children:
            child.task = progress.add_task(
                label(child.run), total=child.total_steps, rate="", success=""
            )
        try:
            while any(child.code is None for child in children):
                start_waiting(children, limit, track)
                time.sleep(POLL_S)
                for child in children:
                    show(progress, child)
                if not console.is_terminal and not quiet and time.monotonic() - said > PLAIN_S:
                    said = time.monotonic()
                    at_work = [c for c in children if c.process is not None and c.code is None]
                    print("  ".join(map(plain, at_work)), file=sys.stderr)
        except KeyboardInterrupt:
            stop(children)
    codes = [130 if child.code is None else child.code for child in children]
    for child, code in zip(children, codes, strict=True):
        note_end(child.run, code)
    return codes


def start_waiting(children: Sequence[Child], limit: int, track: TrackMode) -> None:
    """Start the next runs while fewer than `limit` are at work."""
    for child in children:
        at_work = sum(c.process is not None and c.code is None for c in children)
        if child.process is None and at_work < limit:
            command = [sys.executable, "-m", "s2lab.cli", "resume", str(child.run.path)]
            environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
            child.started = time.monotonic()
            # A group of its own: a Ctrl-C reaches the child once, from here, and not twice.
            child.process = subprocess.Popen(
                [*command, "--quiet", "--track", track],
                env=environment,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
                preexec_fn=die_with_parent,
            )


def stop(children: Sequence[Child]) -> None:
    """Ask every child to save and wait for it."""
    for child in children:
        if child.process is not None and child.code is None:
            with contextlib.suppress(ProcessLookupError):
                child.process.send_signal(signal.SIGINT)
    for child in children:
        if child.process is not None:
            child.process.wait()


def note_end(run: RunFolder, code: int) -> None:
    """What a process could not say of its run: one that was killed, or stopped before it began."""
    if run.summary.get("status") == "running":
        run.write_summary({"status": "interrupted" if code == 130 else "failed"})


def label(run: RunFolder) -> str:
    """Such as `lstm s0`."""
    summary = run.summary
    return f"{summary['agent']} s{summary['seed']}"


def show(progress: Progress, child: Child) -> None:
    """Move one bar to the last line of its metrics."""
    step, fps, success = last_metrics(child.run.metrics_path)
    assert child.task is not None
    progress.update(
        child.task,
        completed=child.total_steps if child.code == 0 else min(step, child.total_steps),
        rate=f"{fps:,.0f} steps/s" if fps else "",
        success="" if success is None else f"success {success:.0%}",
    )


def plain(child: Child) -> str:
    """One run in a few words."""
    step, fps, success = last_metrics(child.run.metrics_path)
    if not step:
        return f"{label(child.run)}: {'waiting' if child.process is None else 'starting'}"
    left = max(child.total_steps - step, 0) / fps if fps else 0
    words = (
        f"{label(child.run)}: {step:,}/{child.total_steps:,} steps, {fps:,.0f}/s, ETA {left:.0f} s"
    )
    return words if success is None else f"{words}, success {success:.0%}"


def last_metrics(path: Path) -> tuple[int, float, float | None]:
    """Step, steps per second and success rate of the last whole line that has them."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return 0, 0.0, None
    for line in reversed(lines):
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue
        if "time/fps" in row:
            return row["step"], row["time/fps"] or 0.0, row.get("rollout/success_rate")
    return 0, 0.0, None
