"""Tables whose rows are agents: contestants x seeds as ordinary run folders, resumable.

A run that exists with the same settings is gone on with, a finished one is judged once, and the
record is written anew after every run, so that stopping loses nothing. Knows no table.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from s2lab import baselines, checkpoint, training
from s2lab.config import BaselineConfig, TrainConfig, read_config
from s2lab.errors import UserError
from s2lab.evaluate import evaluate
from s2lab.launch import run_side_by_side
from s2lab.policy import Mode, load
from s2lab.run_folder import RunFolder
from s2lab.seeds import table_seeds, torch_seed

if TYPE_CHECKING:
    import numpy as np

    from s2lab.evaluate import Evaluation

WORK = Path("runs/reproduce")
JUDGED = "table.json"  # in a run's folder: what the table needs of it
SLOTS = 250  # layouts played side by side
LATE = 0.8  # of the budget; training success is read from there on

Settings = TrainConfig | BaselineConfig
Job = tuple[str, int]  # label and seed


@dataclass(frozen=True)
class Contest:
    """What to train and how to judge it."""

    name: str
    """Folder under runs/reproduce, and name of the record."""
    contestants: Mapping[str, Settings]
    """Label -> settings; the seed is filled in."""
    layouts: int = 1000
    """Unseen layouts that every finished run plays, sampled and greedy; 0 for none."""
    worlds: tuple[str, ...] = ()
    """Other ids to play as well, without training there."""

    @property
    def folder(self) -> Path:
        """Where its runs live."""
        return WORK / self.name


def run_contest(
    contest: Contest,
    jobs: Sequence[Job],
    note: Callable[[Mapping[Job, dict[str, Any]]], None],
    *,
    parallel: int | None = None,
) -> dict[Job, dict[str, Any]] | None:
    """Train and judge every job; None when it was interrupted.

    Args:
        contest: what to train
        jobs: label and seed of each run, in the order in which they shall be done
        note: receives all results so far whenever there is a new one
        parallel: runs side by side; all cores by default

    Raises:
        UserError: a run failed; the line says how to see why.
    """
    runs = {job: find_or_create(contest, *job) for job in jobs}
    results: dict[Job, dict[str, Any]] = {}
    for job, run in runs.items():
        if run.summary["status"] == "finished":
            results[job] = judged(run, contest)
    if results:
        note(results)
    waiting = [job for job in jobs if job not in results]
    batch = parallel or os.cpu_count() or 1
    for start in range(0, len(waiting), batch):
        now = waiting[start : start + batch]
        codes = run_side_by_side([runs[job] for job in now], track="off", parallel=parallel)
        if 130 in codes:
            return None
        for job, code in zip(now, codes, strict=True):
            if code:
                raise UserError(f"a run failed; for the reason: s2lab resume {runs[job].path}")
            results[job] = judged(runs[job], contest)
        note(results)
        print(f"{contest.name}: {len(results)} of {len(jobs)} runs done", flush=True)
    return results


def find_or_create(contest: Contest, label: str, seed: int) -> RunFolder:
    """The run of these settings and this seed."""
    config = replace(contest.contestants[label], seed=seed)
    folder = contest.folder / "".join(c if c.isalnum() else "-" for c in label)
    for path in sorted(folder.glob(f"*__s{seed}__*")):
        try:
            run = RunFolder.open(path)
            if read_config(run) == config:
                return run
        except UserError:  # settings of another time
            continue
    create: Callable[..., RunFolder] = (
        training.create_run if isinstance(config, TrainConfig) else baselines.create_run
    )
    return create(config, folder)


def judged(run: RunFolder, contest: Contest) -> dict[str, Any]:
    """What a finished run is worth: measured once, then read."""
    worlds = (read_config(run).env, *contest.worlds)
    if (run.path / JUDGED).exists():
        known = run.read_json(JUDGED)
        if known["layouts"] == contest.layouts and set(known["played"]) == set(worlds):
            return known
    found = {
        "layouts": contest.layouts,
        "steps": run.summary["steps"],
        "training_s": round(run.summary["elapsed_s"], 1),
        "parameters": parameter_count(run),
        "training_success": late_success(run),
        "played": {world: play(run, world, contest.layouts) for world in worlds},
    }
    run.write_json(JUDGED, found)
    return found


def play(run: RunFolder, world_id: str, layouts: int) -> dict[str, dict[str, float | None]]:
    """Success and steps per success on the table's layouts, sampled and greedy."""
    from gymnasium.vector import AutoresetMode

    from s2lab.envs.choose import vector_worlds

    found: dict[str, dict[str, float | None]] = {}
    modes: tuple[Mode, ...] = ("sampled", "greedy") if layouts else ()
    for mode in modes:
        policy = load(run.path, "latest", mode, torch_seed(run.summary["seed"], "evaluation"))
        worlds = vector_worlds(world_id, min(SLOTS, layouts), AutoresetMode.DISABLED)
        try:
            found[mode] = outcome(evaluate(policy, worlds, table_seeds(layouts)))
        finally:
            worlds.close()
    return found


def outcome(result: Evaluation) -> dict[str, float | None]:
    """Success rate, and steps of the episodes that succeeded; None when none did."""
    lengths: np.ndarray[Any, Any] = result.lengths[result.success]
    steps = float(lengths.mean()) if lengths.size else None
    return {"success": float(result.success.mean()), "steps_per_success": steps}


def parameter_count(run: RunFolder) -> int:
    """Numbers in the policy's weights."""
    saved = checkpoint.load(run.checkpoints)
    return sum(int(part.numel()) for part in saved.parts["model"].values())


def late_success(run: RunFolder) -> float | None:
    """Mean success rate of training over the last fifth of the budget: what selection may use."""
    steps = read_config(run).steps
    rates = [
        row["rollout/success_rate"]
        for row in run.metrics()
        if "rollout/success_rate" in row and row["step"] >= LATE * steps
    ]
    return fmean(rates) if rates else None
