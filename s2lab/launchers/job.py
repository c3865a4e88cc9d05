"""A command of ours as a job of a cluster: stopped gently, begun again where it was.

Knows no cluster: submitit and Ray call it.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from s2lab.config import TrackMode
from s2lab.run_folder import RunFolder

SAVE_WITHIN_S = 75
"""Of the 90 seconds between SLURM's warning and the kill."""
POLL_S = 0.2


class CommandJob:
    """Runs `s2lab WORDS` until it ends by itself; a command that can be said again."""

    def __init__(self, words: Sequence[str], run: Path | None = None) -> None:
        """`run` is a run folder that, once finished, leaves nothing to do."""
        self.words, self.run, self.folder = list(words), run, os.getcwd()
        self.process: subprocess.Popen[bytes] | None = None

    def __call__(self) -> int:
        """The exit code, which is 0. Raises RuntimeError for any other."""
        if self.run and RunFolder.open(self.run).summary.get("status") == "finished":
            return 0
        self.process = subprocess.Popen(
            [sys.executable, "-m", "s2lab.cli", *self.words],
            cwd=self.folder,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"},
            start_new_session=True,  # a cluster's warning is for us; the command gets a Ctrl-C
            preexec_fn=die_with_parent,
        )
        while (code := self.process.poll()) is None:  # `wait` would hold a lock in a signal handler
            time.sleep(POLL_S)
        if code != 0:
            raise RuntimeError(f"s2lab {' '.join(self.words)} ended with {code}")
        return code

    def checkpoint(self) -> Any:
        """Called by submitit before a requeue: let the command save, then say it again."""
        from submitit.helpers import DelayedSubmission

        if self.process is not None and not _ended(self.process.pid):
            os.kill(self.process.pid, signal.SIGINT)
            until = time.monotonic() + SAVE_WITHIN_S
            while not _ended(self.process.pid) and time.monotonic() < until:
                time.sleep(POLL_S)
            if not _ended(self.process.pid):  # the checkpoint before is good
                os.kill(self.process.pid, signal.SIGKILL)
        return DelayedSubmission(self.again())

    def again(self) -> "CommandJob":
        """The same, not begun."""
        job = CommandJob(self.words, self.run)
        job.folder = self.folder
        return job


def run_job(path: Path, track: TrackMode) -> CommandJob:
    """Work on one run until it is finished."""
    path = path.resolve()
    return CommandJob(["resume", str(path), "--quiet", "--track", track], path)


def die_with_parent() -> None:
    """For a child before it begins: no orphan goes on writing to a run. Linux only."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _ended(child: int) -> bool:
    """Whether a child process has ended, without taking its exit code from who waits for it."""
    try:
        found = os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return True
    return found is not None
