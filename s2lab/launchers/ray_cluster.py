"""Runs as tasks of a Ray cluster: one whose worker or node is lost goes on from its checkpoint.

The runs folder must be one that all nodes share. A task trains inside its Ray worker, so a worker
that dies takes its training along and two never write to one run; Ray then starts the task again,
and resuming is exact. Knows no training but `resume_run`.
"""

import contextlib
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from s2lab.config import TrackMode
from s2lab.errors import UserError
from s2lab.launchers.job import CommandJob
from s2lab.launchers.options import RayOptions
from s2lab.run_folder import RunFolder

SAVE_WITHIN_S = 60
"""How long runs have to save after a Ctrl-C."""


def run_on_ray(
    paths: Sequence[Path], options: RayOptions, *, address: str, track: TrackMode
) -> list[str]:
    """Work on every run and wait for all.

    Returns:
        The status of each run, `failed` where its retries are used up.

    Raises:
        UserError: Ray is missing, or no cluster answers at the address.
    """
    with contextlib.redirect_stdout(sys.stderr):  # Ray reports lost workers on standard output
        _work(connected(address), paths, options, track)
    return [str(RunFolder.open(path).summary["status"]) for path in paths]


def _work(ray: Any, paths: Sequence[Path], options: RayOptions, track: TrackMode) -> None:
    work = ray.remote(work_on).options(**_claims(options))
    waiting = {work.remote(str(path.resolve()), track): path for path in paths}
    try:
        while waiting:
            (done,), _ = ray.wait(list(waiting), num_returns=1)
            path = waiting.pop(done)
            try:
                ray.get(done)
            except ray.exceptions.RayError:
                _note_failure(path)
    except KeyboardInterrupt:
        for task in waiting:
            ray.cancel(task)  # a KeyboardInterrupt in the worker: it saves and stops
        ray.wait(list(waiting), num_returns=len(waiting), timeout=SAVE_WITHIN_S)


def jobs_on_ray(jobs: Sequence[CommandJob], options: RayOptions, *, address: str) -> int:
    """Run commands that can be said again, such as workers of a sweep; how many failed."""
    with contextlib.redirect_stdout(sys.stderr):
        ray = connected(address)
        work = ray.remote(CommandJob.__call__).options(**_claims(options))
        failed = 0
        for task in [work.remote(job) for job in jobs]:
            try:
                ray.get(task)
            except ray.exceptions.RayError:
                failed += 1
        return failed


def work_on(path: str, track: TrackMode) -> str:
    """Train one run to its end, from wherever its last checkpoint is; its status."""
    import torch

    from s2lab.resume import resume_run

    torch.set_num_threads(1)
    run = RunFolder.open(Path(path))
    if run.summary.get("status") == "finished":  # the worker died after its last word
        return "finished"
    return resume_run(run.path, track=track, quiet=True).status


def _claims(options: RayOptions) -> dict[str, Any]:
    """Ray's words for what a run needs."""
    return {
        "num_cpus": options.cpus,
        "num_gpus": options.gpus,
        "memory": int(options.mem_gb * 2**30) or None,
        "max_retries": options.retries,
    }


def connected(address: str) -> Any:
    """Ray, connected to the cluster at `address`.

    Raises:
        UserError: Ray is missing, or no cluster answers there.
    """
    try:
        import ray
    except ImportError:
        raise UserError(
            "--launcher ray needs Ray: pip install 's2lab[ray]', or --launcher local"
        ) from None
    if not ray.is_initialized():
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, RuntimeError, ValueError) as error:
            why = " ".join(str(error).split())[:200]
            raise UserError(
                f"no Ray cluster answers at {address}: {why}; start one with `ray start --head`, "
                "or name its head with --ray-address host:6379"
            ) from error
    return ray


def _note_failure(path: Path) -> None:
    run = RunFolder.open(path)
    if run.summary.get("status") == "running":
        run.write_summary({"status": "failed"})
