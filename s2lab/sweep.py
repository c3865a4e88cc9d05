"""A search over settings by Optuna: trials are runs like any other, kept in one folder.

    STUDY/sweep.json      what is searched          STUDY/journal.log    Optuna's journal
    STUDY/runs/...        one run folder a trial    STUDY/best.yaml      the best one's settings
    STUDY/report.html     what was found            STUDY/wandb.yaml     the same sweep for W&B

Any number of processes and machines may work on one study: the journal is appended to under a lock
held for a write and never while training. A trial is a process `s2lab resume RUN`; its metrics are
reported as they come, and a trial that lags behind is stopped. What a worker had begun that was
killed or lost is taken up by another (`sweep_trials`).
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from s2lab import durable
from s2lab.config import RunConfig, TrackMode
from s2lab.errors import UserError
from s2lab.run_folder import RunFolder
from s2lab.settings import with_settings
from s2lab.sweep_space import Dimension
from s2lab.sweep_trials import Active, Metric, Worker, abandoned, finish, follow, start, stop

Sampler = Literal["tpe", "random"]
Pruner = Literal["median", "halving", "none"]
POLL_S = 0.25
LOOK_AROUND_EVERY_S = 30.0
"""Between two looks for trials that others have left."""
LOCK_GRACE_S = 5
"""A write takes milliseconds."""


@dataclass(frozen=True)
class Plan:
    """What is searched."""

    base: RunConfig
    """Settings of every trial; `steps` is the budget of each."""
    space: tuple[Dimension, ...]
    """What varies."""
    trials: int
    """How many in all, over all who work on the study."""
    metric: Metric = "success_rate"
    """Of the final evaluation, to be raised."""
    sampler: Sampler = "tpe"
    """Tree-structured Parzen estimator (Bergstra et al. 2011), or at random."""
    pruner: Pruner = "median"
    """Stop a trial below the median of the others' curves, or by successive halving, or never."""

    def to_json(self) -> dict[str, Any]:
        """What two who share a study must agree on."""
        return {
            "format": 1,
            "base": self.base.to_dict(),
            "space": {d.name: d.to_wandb() for d in self.space},
            "metric": self.metric,
            "sampler": self.sampler,
            "pruner": self.pruner,
        }


CreateRun = Callable[[Any, Path], RunFolder]


def run_sweep(
    plan: Plan,
    folder: Path,
    create_run: CreateRun,
    *,
    parallel: int,
    track: TrackMode,
    say: Callable[[str], None],
) -> Any:
    """Work on the study until its trials are used up; returns Optuna's study.

    Args:
        plan: what is searched
        folder: of the study, made if it is new
        create_run: makes the run folder of a configuration, such as `training.create_run`
        parallel: trials at a time
        track: W&B for the trials
        say: takes one line at the end of every trial

    Raises:
        UserError: Optuna is missing, the folder cannot be written or holds another search.
    """
    study, worker = open_study(plan, folder), Worker()
    active: list[Active] = []
    looked_at = -LOOK_AROUND_EVERY_S
    try:
        while True:
            if len(active) < parallel and time.monotonic() - looked_at >= LOOK_AROUND_EVERY_S:
                looked_at = time.monotonic()
                left = abandoned(study, folder, worker)
                active += [start(trial, run, track, told) for trial, run, told in left]
            while len(active) < parallel:
                made = next_trial(study, plan, folder, create_run, worker, say)
                if made is None:
                    break
                active.append(start(*made, track))
            if not active:
                return study
            time.sleep(POLL_S)
            for each in list(active):
                follow(each, plan.metric)
                if each.process.poll() is not None:
                    follow(each, plan.metric)
                    active.remove(each)
                    say(finish(study, each, plan.metric))
    except KeyboardInterrupt:
        stop(active, worker)
        raise


def open_study(plan: Plan, folder: Path) -> Any:
    """Optuna's study in the folder, new or joined. Raises UserError: see `run_sweep`."""
    optuna = load_optuna()
    said = plan.to_json()
    path = folder / "sweep.json"
    if path.exists():
        known = json.loads(path.read_bytes())
        changed = [name for name in said if known.get(name) != said[name]]
        if changed:
            raise UserError(
                f"{folder} is a sweep with another {' and '.join(changed)}; name a new folder "
                "with --study, or repeat the words of the first"
            )
    else:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            durable.replace(path, (json.dumps(said, indent=2) + "\n").encode())
        except OSError as error:
            raise durable.cannot_write(folder, error, "name another --study") from error
    storage = read_storage(folder)
    joined = len(optuna.study.get_all_study_names(storage)) and len(storage.get_all_trials(0))
    seed = plan.base.seed + joined
    samplers = {"tpe": optuna.samplers.TPESampler, "random": optuna.samplers.RandomSampler}
    pruners = {
        "median": lambda: optuna.pruners.MedianPruner(
            n_startup_trials=4, n_warmup_steps=plan.base.steps // 4
        ),
        "halving": lambda: optuna.pruners.SuccessiveHalvingPruner(
            min_resource=max(1, plan.base.steps // 8), reduction_factor=3
        ),
        "none": optuna.pruners.NopPruner,
    }
    return optuna.create_study(
        storage=storage,
        study_name="sweep",
        direction="maximize",
        sampler=samplers[plan.sampler](seed=seed),
        pruner=pruners[plan.pruner](),
        load_if_exists=True,
    )


def load_optuna() -> Any:
    """Optuna, told to be quiet. Raises UserError when it is missing."""
    try:
        import optuna
    except ImportError:
        raise UserError("s2lab sweep needs Optuna: pip install 's2lab[sweep]'") from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def read_storage(folder: Path) -> Any:
    """The journal of a study; a lock left by a process that was killed is broken after a while."""
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

    path = str(folder.resolve() / "journal.log")
    lock = JournalFileOpenLock(path, grace_period=LOCK_GRACE_S)
    return JournalStorage(JournalFileBackend(path, lock_obj=lock))


def next_trial(
    study: Any,
    plan: Plan,
    folder: Path,
    create_run: CreateRun,
    worker: Worker,
    say: Callable[[str], None],
) -> tuple[Any, RunFolder] | None:
    """The next trial and its run folder; None when all are used up."""
    from optuna.trial import TrialState

    while len(study.get_trials(deepcopy=False)) < plan.trials:
        trial = study.ask()
        if trial.number >= plan.trials:  # another machine was faster
            study.tell(trial, state=TrialState.FAIL)
            return None
        chosen = {dimension.name: dimension.suggest(trial) for dimension in plan.space}
        try:
            run = create_run(with_settings(plan.base, chosen), folder / "runs")
        except UserError as error:
            study.tell(trial, state=TrialState.FAIL)
            say(f"trial {trial.number}: these settings do not go together: {error}")
            continue
        worker.take(trial)
        trial.set_user_attr("run", run.run_id)
        return trial, run
    return None
