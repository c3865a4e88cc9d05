"""Tables whose rows are agents: contestants x seeds as ordinary run folders, resumable.

A run that exists with the same settings is gone on with, a finished one is judged once, and the
record is written anew after every run, so that stopping loses nothing. What another command has
finished meanwhile is judged, not trained. Knows no table.
"""

from __future__ import annotations

import os
import time
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
POINTS = 50  # of a curve at most

Settings = TrainConfig | BaselineConfig
Job = tuple[str, int]  # label and seed
Result = dict[str, Any]
Look = Callable[[RunFolder], Mapping[str, Any]]


@dataclass(frozen=True)
class Contest:
    """What to train and how to judge it."""

    name: str
    """Folder under runs/reproduce, and name of the record."""
    contestants: Mapping[str, Settings]
    """Label -> settings; the seed is filled in."""
    layouts: int = 1000
    """Unseen layouts that every finished run plays, sampled and greedy; 0 for none."""
    worlds: Mapping[str, tuple[str, ...]] | tuple[str, ...] = ()
    """Other ids to play as well, without training there: the same for all, or by label."""
    look: Look | None = None
    """What else to find out about a finished run; it becomes the result's "looked"."""

    @property
    def folder(self) -> Path:
        """Where its runs live."""
        return WORK / self.name

    def played_by(self, label: str) -> tuple[str, ...]:
        """The world that a contestant trains in, then the others that it is judged in."""
        more = self.worlds.get(label, ()) if isinstance(self.worlds, Mapping) else self.worlds
        return tuple(dict.fromkeys((self.contestants[label].env, *more)))


def run_contest(
    contest: Contest,
    jobs: Sequence[Job],
    note: Callable[[Mapping[Job, Result]], None],
    *,
    known: Mapping[Job, Result] | None = None,
    parallel: int | None = None,
) -> dict[Job, Result] | None:
    """Train and judge every job; None when it was interrupted.

    Args:
        contest: what to train
        jobs: label and seed of each run, in the order in which they shall be done
        note: receives all results so far whenever there is a new one
        known: results from elsewhere, which need no run folder here
        parallel: runs side by side; all cores by default

    Raises:
        UserError: a run failed; the line says how to see why. One that diverged does not: it is
            judged with the weights that it had before, and worth nothing to a search.
    """
    results = {job: known[job] for job in jobs if known and job in known}
    runs = {job: find_or_create(contest, *job) for job in jobs if job not in results}
    for job, run in runs.items():
        if run.summary["status"] == "finished" or diverged(run):
            results[job] = judged(run, contest, job[0])
    if results:
        note(results)
    waiting = [job for job in jobs if job not in results]
    batch = parallel or os.cpu_count() or 1
    for start in range(0, len(waiting), batch):
        now = waiting[start : start + batch]
        left = [job for job in now if runs[job].summary["status"] != "finished"]
        codes = run_side_by_side([runs[job] for job in left], track="off", parallel=parallel)
        if 130 in codes:
            return None
        for job, code in zip(left, codes, strict=True):
            if code and not diverged(runs[job]):
                raise UserError(f"a run failed; for the reason: s2lab resume {runs[job].path}")
        for job in now:
            results[job] = judged(runs[job], contest, job[0])
        note(results)
        print(f"{contest.name}: {len(results)} of {len(jobs)} runs done", flush=True)
    return results


def diverged(run: RunFolder) -> bool:
    """Whether its training exploded and was not gone on with since."""
    return (run.path / training.DIVERGED).exists() and run.summary["status"] != "finished"


def find(contest: Contest, label: str, seed: int) -> RunFolder | None:
    """The run of these settings and this seed, where its folder is here."""
    config = replace(contest.contestants[label], seed=seed)
    for path in sorted(folder_of(contest, label).glob(f"*__s{seed}__*")):
        try:
            run = RunFolder.open(path)
            if read_config(run) == config:
                return run
        except UserError:  # settings of another time
            continue
    return None


def folder_of(contest: Contest, label: str) -> Path:
    """Where the runs of a row live."""
    return contest.folder / "".join(c if c.isalnum() else "-" for c in label)


def find_or_create(contest: Contest, label: str, seed: int) -> RunFolder:
    """The run of these settings and this seed."""
    found = find(contest, label, seed)
    if found is not None:
        return found
    config = replace(contest.contestants[label], seed=seed)
    create: Callable[..., RunFolder] = (
        training.create_run if isinstance(config, TrainConfig) else baselines.create_run
    )
    return create(config, folder_of(contest, label))


def judged(run: RunFolder, contest: Contest, label: str) -> Result:
    """What a finished run is worth: measured once, then read."""
    worlds = contest.played_by(label)
    if (run.path / JUDGED).exists():
        before = run.read_json(JUDGED)
        same = before["layouts"] == contest.layouts and set(before["played"]) == set(worlds)
        same &= ("looked" in before) == (contest.look is not None)
        if same and before.get("diverged", False) == (contest.layouts > 0 and diverged(run)):
            return before
    started, summary, where = time.monotonic(), run.summary, run.environment
    lost = diverged(run)
    found: Result = {
        "layouts": contest.layouts,
        "steps": summary["steps"],
        "training_s": round(summary["elapsed_s"], 2),
        "cpu_s": round(summary["cpu_s"], 2),
        "parameters": parameter_count(run),
        "training_success": 0.0 if lost else late_success(run),
        "curve": [] if lost and not contest.layouts else curve(run),
        "played": {world: play(run, world, contest.layouts) for world in worlds},
        "commit": where.get("commit"),
        "cpu": where.get("cpu"),
    }
    if lost and contest.layouts:
        found["diverged"] = True
    if contest.look is not None:
        found["looked"] = dict(contest.look(run))
    found["judging_s"] = round(time.monotonic() - started, 1)
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
    steps = round(float(lengths.mean()), 3) if lengths.size else None
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
    return round(fmean(rates), 5) if rates else None


def curve(run: RunFolder) -> list[list[float]]:
    """Training success over time, in order: [frames, seconds, success rate, episodes so far].

    The rate is that of the episodes since the point before; SB3's lines know only the last hundred
    episodes, and no number of them (0).
    """
    lines = [line for line in run.metrics() if "rollout/success_rate" in line]
    kept = [line for index, line in enumerate(lines) if due(index, len(lines))]
    points, episodes, successes = list[list[float]](), 0.0, 0.0
    for line in kept:
        rate = line["rollout/success_rate"]
        if line.get("charts/episodes", 0) > episodes:
            ended, won = line["charts/episodes"], line["charts/successes"]
            rate = (won - successes) / (ended - episodes)
            episodes, successes = ended, won
        spent = line.get("time/time_elapsed", 0.0)
        points.append([line["step"], round(spent, 1), round(rate, 4), int(episodes)])
    return points


def due(index: int, count: int) -> bool:
    """Whether line `index` of `count` is among `POINTS` about evenly spread ones, the last too."""
    return (index + 1) * POINTS // max(count, POINTS) > index * POINTS // max(count, POINTS)
