"""Trials of a sweep as processes: begun, followed, ended, taken over from workers that are gone.

A worker is whoever works on a study. It touches `.worked-on` in the folders of its runs, so that a
machine that was lost is known by its silence. Taking over is a file that only one can make. Knows
no samplers.
"""

import os
import platform
import secrets
import signal
import subprocess
import sys
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from s2lab.config import TrackMode
from s2lab.launchers.job import die_with_parent
from s2lab.run_folder import RunFolder

Metric = Literal["success_rate", "mean_return"]
CURVES: dict[Metric, str] = {
    "success_rate": "rollout/success_rate",
    "mean_return": "rollout/ep_rew_mean",
}
BEAT, BEAT_EVERY_S = ".worked-on", 20.0
LOST_AFTER_S = 300.0
"""Silence after which a worker of another machine is taken for lost."""
LAST_WORDS, LAST_WORDS_BYTES = "stderr.log", 2000


@dataclass(frozen=True)
class Worker:
    """Whoever works on a study from here, told from all others, earlier ones of this id too."""

    host: str = field(default_factory=platform.node)
    pid: int = field(default_factory=os.getpid)
    token: str = field(default_factory=lambda: secrets.token_hex(6))

    def take(self, trial: Any) -> None:
        """Sign a trial."""
        for name in ("host", "pid", "token"):
            trial.set_user_attr(name, getattr(self, name))

    def let_go(self, trial: Any) -> None:
        """Leave a trial to whoever comes, wherever."""
        trial.set_user_attr("host", "")


@dataclass
class Active:
    """A trial under way."""

    trial: Any
    run: RunFolder
    process: "subprocess.Popen[bytes]"
    reported: int = -1
    """The last step that Optuna was told of."""
    pruned: bool = False
    beat_at: float = 0.0
    """When `.worked-on` was touched last."""


def start(trial: Any, run: RunFolder, track: TrackMode, reported: int = -1) -> Active:
    """A process that works on the trial's run, and dies with us."""
    words = ["resume", str(run.path), "--quiet", "--track", track]
    with open(run.path / LAST_WORDS, "wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "s2lab.cli", *words],
            env={**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"},
            stdout=subprocess.DEVNULL,
            stderr=log,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
    return Active(trial, run, process, reported)


def follow(each: Active, metric: Metric) -> None:
    """Tell Optuna what the run has logged since; stop a run that Optuna gives up."""
    if time.monotonic() - each.beat_at > BEAT_EVERY_S:
        each.beat_at = time.monotonic()
        (each.run.path / BEAT).touch()
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
    said = last_words(each.run)
    if summary["status"] == "finished" and judged:
        study.tell(each.trial, float(judged[metric]))
        return f"{name}: {metric} {judged[metric]:.3f}"
    if each.pruned:
        study.tell(each.trial, state=TrialState.PRUNED)
        return f"{name}: stopped at step {summary['steps']:,}, below the others"
    study.tell(each.trial, state=TrialState.FAIL)
    if summary["status"] == "running":  # it had no time to say so
        each.run.write_summary({"status": "failed"})
    return f"{name}: failed{': ' * bool(said)}{said}"


def last_words(run: RunFolder) -> str:
    """The last line that a trial's process wrote about its troubles."""
    try:
        text = (run.path / LAST_WORDS).read_bytes()[-LAST_WORDS_BYTES:].decode(errors="replace")
    except OSError:
        return ""
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""


def stop(active: list[Active], worker: Worker) -> None:
    """Let every process save, and leave its trial to whoever comes."""
    for each in active:
        each.process.send_signal(signal.SIGINT)
    for each in active:
        each.process.wait()
        worker.let_go(each.trial)


def abandoned(study: Any, folder: Path, worker: Worker) -> list[tuple[Any, RunFolder, int]]:
    """Trials that were let go, or whose worker is gone; they are ours now.

    The number is the last step that Optuna was told of.
    """
    from optuna.trial import Trial, TrialState

    found = []
    for frozen in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        about = frozen.user_attrs
        if "run" not in about or not _is_gone(about, folder, worker):
            continue
        run = RunFolder.open(folder / "runs" / str(about["run"]))
        try:
            (run.path / f".after-{about['token']}").touch(exist_ok=False)
        except FileExistsError:  # another worker was faster
            continue
        (run.path / BEAT).touch()
        trial = Trial(study, frozen._trial_id)
        worker.take(trial)
        found.append((trial, run, max(frozen.intermediate_values, default=-1)))
    return found


def _is_gone(about: dict[str, Any], folder: Path, worker: Worker) -> bool:
    if about["token"] == worker.token and about["host"]:
        return False
    if about["host"] in ("", worker.host):
        known = about["host"] and about["pid"] != worker.pid
        return not (known and Path(f"/proc/{about['pid']}").exists())
    beat = folder / "runs" / str(about["run"]) / BEAT
    try:
        return time.time() - beat.stat().st_mtime > LOST_AFTER_S
    except OSError:
        return False
