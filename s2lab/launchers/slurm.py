"""Runs as a SLURM array, by submitit: preempted jobs are requeued and go on from their checkpoint.

When SLURM warns of preemption or the end of the time, the command is asked to save and stop, and
the job goes into the queue again. submitit pickles the job, which is no more than its words. Knows
no training.
"""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from s2lab.config import TrackMode
from s2lab.errors import UserError
from s2lab.launchers.job import CommandJob, run_job
from s2lab.launchers.options import SlurmOptions


def submit(
    paths: Sequence[Path], options: SlurmOptions, *, track: TrackMode, folder: Path
) -> list[Any]:
    """Submit one array of jobs, one a run; logs and scripts go to `folder`.

    Returns:
        submitit's jobs, in the order of the paths

    Raises:
        UserError: submitit is missing, there is no SLURM, or it refuses the options.
    """
    return submit_jobs([run_job(path, track) for path in paths], options, folder=folder)


def submit_jobs(jobs: Sequence[CommandJob], options: SlurmOptions, *, folder: Path) -> list[Any]:
    """The same for any command of ours."""
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
            return [executor.submit(job) for job in jobs]
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
