"""Runs as a SLURM array, by submitit: preempted jobs are requeued and go on from their checkpoint.

A job is a process `s2lab resume RUN`. When SLURM warns of preemption or the end of the time, the
run is asked to save and stop, and the job goes into the queue again. submitit pickles the job,
which is no more than the path of a run. Knows no training.
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
from s2lab.errors import UserError
from s2lab.launchers.options import SlurmOptions

SAVE_WITHIN_S = 75
"""Of the 90 seconds between SLURM's warning and the kill."""
POLL_S = 0.2


class RunJob:
    """Work on one run until it is finished; callable by submitit."""

    def __init__(self, path: Path, track: TrackMode) -> None:
        self.path, self.track = path, track
        self.process: subprocess.Popen[bytes] | None = None

    def __call__(self) -> int:
        """Train to the end; the exit code of `s2lab resume`."""
        from s2lab.run_folder import RunFolder

        if RunFolder.open(self.path).summary.get("status") == "finished":
            return 0
        words = ["resume", str(self.path), "--quiet", "--track", self.track]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "s2lab.cli", *words],
            env={**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"},
            start_new_session=True,  # SLURM's warning is for us; the run gets a Ctrl-C
        )
        while (code := self.process.poll()) is None:  # `wait` would hold a lock in a signal handler
            time.sleep(POLL_S)
        if code != 0:
            raise RuntimeError(f"s2lab resume {self.path} ended with {code}")
        return code

    def checkpoint(self) -> Any:
        """Called by submitit before a requeue: save, then begin again from there."""
        from submitit.helpers import DelayedSubmission

        if self.process is not None and not _ended(self.process.pid):
            os.kill(self.process.pid, signal.SIGINT)
            until = time.monotonic() + SAVE_WITHIN_S
            while not _ended(self.process.pid) and time.monotonic() < until:
                time.sleep(POLL_S)
            if not _ended(self.process.pid):  # the checkpoint before is good
                os.kill(self.process.pid, signal.SIGKILL)
        return DelayedSubmission(RunJob(self.path, self.track))


def _ended(child: int) -> bool:
    """Whether a child process has ended, without taking its exit code from who waits for it."""
    try:
        found = os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return True
    return found is not None


def submit(
    paths: Sequence[Path], options: SlurmOptions, *, track: TrackMode, folder: Path
) -> list[Any]:
    """Submit one array of jobs, one a run; logs and scripts go to `folder`.

    Returns:
        submitit's jobs, in the order of the paths

    Raises:
        UserError: submitit is missing, there is no SLURM, or it refuses the options.
    """
    return submit_calls([RunJob(path.resolve(), track) for path in paths], options, folder=folder)


def submit_calls(calls: Sequence[Any], options: SlurmOptions, *, folder: Path) -> list[Any]:
    """The same for anything that submitit can call and, if it has `checkpoint`, requeue."""
    try:
        import submitit
    except ImportError:
        raise UserError(
            "--launcher slurm needs submitit: pip install 's2lab[slurm]', or --launcher local"
        ) from None
    folder.mkdir(parents=True, exist_ok=True)
    try:
        executor = submitit.AutoExecutor(
            folder=folder, cluster=options.cluster, slurm_max_num_timeout=options.requeues
        )
        executor.update_parameters(**_parameters(options))
        with executor.batch():
            return [executor.submit(call) for call in calls]
    except (RuntimeError, ValueError, subprocess.CalledProcessError, OSError) as error:
        why = " ".join(str(error).split())
        raise UserError(f"SLURM did not take the jobs: {why}; try --launcher local") from error
    except submitit.core.utils.FailedJobError as error:
        raise UserError(f"SLURM did not take the jobs: {' '.join(str(error).split())}") from error


def _parameters(options: SlurmOptions) -> dict[str, Any]:
    """submitit's words; its local executor takes the first three and leaves those with a prefix."""
    slurm: dict[str, Any] = {
        "slurm_array_parallelism": options.at_once,
        "slurm_additional_parameters": {"requeue": True},
        "slurm_cpus_per_task": options.cpus,
        "slurm_mem": f"{options.mem_gb}GB",
    }
    for name in ("partition", "account"):
        if value := getattr(options, name):
            slurm[f"slurm_{name}"] = value
    if options.setup:
        slurm["slurm_setup"] = [options.setup]
    return {
        "name": "s2lab",
        "timeout_min": options.timeout_min,
        "gpus_per_node": options.gpus,
        **slurm,
    }
