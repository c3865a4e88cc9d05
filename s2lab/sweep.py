"""A search over settings by Optuna: trials are runs like any other, kept in one folder.

    STUDY/sweep.json      what is searched          STUDY/journal.log    Optuna's journal
    STUDY/runs/...        one run folder a trial    STUDY/best.yaml      the best one's settings
    STUDY/report.html     what was found            STUDY/wandb.yaml     the same sweep for W&B

Any number of processes and machines may work on one study: the journal is appended to under a lock
held for a write and never while training. A trial is a process `s2lab resume RUN`; its metrics are
reported as they come, and a trial that lags behind is stopped. Whoever was killed is taken up again
by the next that works on the study from the same machine.
"""

import json
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from s2lab import durable
from s2lab.config import RunConfig, TrackMode
from s2lab.errors import UserError
from s2lab.launchers.job import die_with_parent
from s2lab.run_folder import RunFolder
from s2lab.settings import with_settings
from s2lab.sweep_space import Dimension

Sampler = Literal["tpe", "random"]
Pruner = Literal["median", "halving", "none"]
Metric = Literal["success_rate", "mean_return"]
CURVES: dict[Metric, str] = {
    "success_rate": "rollout/success_rate",
    "mean_return": "rollout/ep_rew_mean",
}
POLL_S = 0.25
LOCK_GRACE_S = 5
"""A write takes milliseconds."""
ANYONE = ""
"""The host of a trial that was stopped and waits for whoever comes."""


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


@dataclass
class Active:
    """A trial under way."""

    trial: Any
    run: RunFolder
    process: "subprocess.Popen[bytes]"
    reported: int = -1
    """The last step that Optuna was told of."""
    pruned: bool = False


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
    study = open_study(plan, folder)
    active = [start(trial, run, track, told) for trial, run, told in abandoned(study, folder)]
    try:
        while True:
            while len(active) < parallel:
                made = next_trial(study, plan, folder, create_run, say)
                if made is None:
                    break
                active.append(start(*made, track))
            if not active:
                return study
            time.sleep(POLL_S)
            for each in list(active):
                report(each, plan.metric)
                if each.process.poll() is not None:
                    active.remove(each)
                    say(finish(study, each, plan.metric))
    except KeyboardInterrupt:
        for each in active:
            each.process.send_signal(signal.SIGINT)
        for each in active:
            each.process.wait()
            each.trial.set_user_attr("host", ANYONE)
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
    study: Any, plan: Plan, folder: Path, create_run: CreateRun, say: Callable[[str], None]
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
        for name, value in {"run": run.run_id, "host": platform.node(), "pid": os.getpid()}.items():
            trial.set_user_attr(name, value)
        return trial, run
    return None


def abandoned(study: Any, folder: Path) -> list[tuple[Any, RunFolder, int]]:
    """Trials that were let go, or whose process on this machine is gone; they are ours now.

    The number is the last step that Optuna was told of.
    """
    from optuna.trial import Trial, TrialState

    found = []
    for frozen in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        about = frozen.user_attrs
        if "run" not in about or about["host"] not in (ANYONE, platform.node()):
            continue
        if about["host"] != ANYONE and Path(f"/proc/{about['pid']}").exists():
            continue
        trial = Trial(study, frozen._trial_id)
        trial.set_user_attr("host", platform.node())
        trial.set_user_attr("pid", os.getpid())
        run = RunFolder.open(folder / "runs" / str(about["run"]))
        found.append((trial, run, max(frozen.intermediate_values, default=-1)))
    return found


def start(trial: Any, run: RunFolder, track: TrackMode, reported: int = -1) -> Active:
    """A process that works on the trial's run, and dies with us."""
    words = ["resume", str(run.path), "--quiet", "--track", track]
    process = subprocess.Popen(
        [sys.executable, "-m", "s2lab.cli", *words],
        env={**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=die_with_parent,
    )
    return Active(trial, run, process, reported)


def report(each: Active, metric: Metric) -> None:
    """Tell Optuna what the run has logged since; stop a run that Optuna gives up."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the last line may be half written just now
        rows = each.run.metrics()
    for row in rows:
        step, value = int(row["step"]), row.get(CURVES[metric])
        if step > each.reported and value is not None and value == value:
            each.reported = step
            each.trial.report(value, step)
            if not each.pruned and each.process.poll() is None and each.trial.should_prune():
                each.pruned = True
                each.process.send_signal(signal.SIGINT)


def finish(study: Any, each: Active, metric: Metric) -> str:
    """Tell Optuna how the trial ended; a line about it."""
    from optuna.trial import TrialState

    summary = each.run.summary
    judged = summary.get("eval")
    name = f"trial {each.trial.number}, {each.run.run_id}"
    if summary["status"] == "finished" and judged:
        study.tell(each.trial, float(judged[metric]))
        return f"{name}: {metric} {judged[metric]:.3f}"
    if each.pruned:
        study.tell(each.trial, state=TrialState.PRUNED)
        return f"{name}: stopped at step {summary['steps']:,}, below the others"
    study.tell(each.trial, state=TrialState.FAIL)
    return f"{name}: {summary['status']}"
