"""What surrounds training, ours or SB3's: tracker, stop request, checkpoints, the final word.

Knows no algorithm. A session is opened on a run folder, fed with steps, and closed with a status.
"""

import time
import warnings
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from s2lab import __version__, checkpoint
from s2lab.clock import Every, StopRequest
from s2lab.config import BaselineConfig, RunConfig, TrackMode
from s2lab.errors import UserError
from s2lab.machine import memory_mib
from s2lab.run_folder import RunFolder
from s2lab.track import Tracker

WINDOW = 100  # episodes that running means look back on, as in SB3


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    path: Path
    """The run folder."""
    status: str
    """finished or interrupted."""
    steps: int
    """Environment steps taken."""


class Session:
    """A context manager around one stretch of one run."""

    def __init__(
        self,
        run: RunFolder,
        config: RunConfig,
        *,
        track: TrackMode,
        quiet: bool,
        saved: checkpoint.Checkpoint | None,
    ) -> None:
        progress: Mapping[str, Any] = saved.parts["progress"] if saved else {}
        self.run, self.config = run, config
        self.stop = StopRequest()
        self.start_step = saved.step if saved else 0
        self.resumes = int(progress.get("resumes", -1)) + 1
        self.step = self.start_step
        self.episodes: deque[tuple[float, int, bool]] = deque(
            (tuple(entry) for entry in progress.get("episodes", ())), maxlen=WINDOW
        )
        self.elapsed_before_s = float(progress.get("elapsed_s", 0.0))
        self.cpu_before_s = float(progress.get("cpu_s", 0.0))
        self.episode_count = int(progress.get("episode_count", 0))
        self.success_count = int(progress.get("success_count", 0))
        self._best = float(progress.get("best", -1.0))
        self._logged = -1
        self._status = "failed"
        self._started, self._cpu_started = time.monotonic(), time.process_time()
        self._log_due = Every(config.log_every, self.step)
        self._save_due = Every(config.save_every, self.step)
        kind = "baseline" if isinstance(config, BaselineConfig) else "train"
        self.tracker = Tracker(
            run,
            mode=track,
            group=config.group,
            job_type=kind,
            tags=[__version__, str(run.environment.get("commit") or "no-commit")],
            total_steps=config.steps,
            quiet=quiet,
            resume_at=int(progress["metrics_bytes"]) if saved else 0,
        )

    def __enter__(self) -> "Session":
        self.stop.__enter__()
        self.run.write_summary({"status": "running"})
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop.__exit__(kind, error, trace)
        if isinstance(error, KeyboardInterrupt):
            self._status = "interrupted"
        spent = {"elapsed_s": self.elapsed_s, "cpu_s": self.cpu_s}
        summary: dict[str, Any] = {"status": self._status, "steps": self.step, **spent}
        try:
            if self._status == "finished":
                summary["eval"] = self._evaluate()
        except BaseException as trouble:  # the last checkpoint is written: a resume only evaluates
            stopped = isinstance(trouble, KeyboardInterrupt)
            summary["status"] = "interrupted" if stopped else "failed"
            raise
        finally:
            self.tracker.close(summary)

    @property
    def elapsed_s(self) -> float:
        """Seconds of training, over all stretches."""
        return self.elapsed_before_s + time.monotonic() - self._started

    @property
    def cpu_s(self) -> float:
        """Processor seconds of training, over all stretches."""
        return self.cpu_before_s + time.process_time() - self._cpu_started

    def clocks(self) -> dict[str, float]:
        """Seconds by the wall and by the processor, under the names of metrics."""
        return {"time/time_elapsed": self.elapsed_s, "time/cpu_s": self.cpu_s}

    def own_figures(self) -> dict[str, float | None]:
        """What a run knows better than an algorithm that starts anew on a resume.

        The success rate is None before twenty episodes: the first to end are short and lucky.
        """
        counts = len(self.episodes) >= WINDOW // 5
        return {"rollout/success_rate": self.success_rate if counts else None, **self.clocks()}

    @property
    def success_rate(self) -> float | None:
        """Over the last hundred episodes; None before the first."""
        if not self.episodes:
            return None
        return sum(episode[2] for episode in self.episodes) / len(self.episodes)

    def advance(self, step: int, episodes: Iterable[tuple[float, int, bool]]) -> None:
        """Note the step reached and the episodes (return, length, success) that ended."""
        ended = list(episodes)
        self.step = step
        self.episodes.extend(ended)
        self.episode_count += len(ended)
        self.success_count += sum(success for _, _, success in ended)
        self.tracker.progress(step, success_rate=self.success_rate)

    def due(self) -> bool:
        """Whether a line of metrics is due at this step; true once."""
        return self._log_due(self.step)

    def log(self, metrics: Mapping[str, float], *, always: bool = False) -> None:
        """Write a line of metrics when one is due."""
        if not (self._log_due(self.step) or (always and self.step > self._logged)):
            return
        self._logged = self.step
        line = dict(metrics)
        if self.episodes:
            returns, lengths, _ = zip(*self.episodes, strict=True)
            line["rollout/ep_rew_mean"] = sum(returns) / len(returns)
            line["rollout/ep_len_mean"] = sum(lengths) / len(lengths)
            line["charts/episodic_return"] = returns[-1]
            line["charts/episodes"] = self.episode_count
            line["charts/successes"] = self.success_count
        stretch = time.monotonic() - self._started
        line["time/fps"] = (self.step - self.start_step) / max(stretch, 1e-9)
        own = self.own_figures()
        line |= {name: value for name, value in own.items() if value is not None}
        line["time/memory_mib"] = memory_mib()
        self.tracker.log(self.step, line)

    def save(self, parts: Mapping[str, Any], *, always: bool = False) -> None:
        """Write a checkpoint when one is due; `best` is the one with the most training success."""
        if not (self._save_due(self.step) or always):
            return
        full = len(self.episodes) == WINDOW
        best = full and (self.success_rate or 0.0) > self._best
        if best:
            self._best = self.success_rate or 0.0
        progress = {
            "metrics_bytes": self.tracker.offset(),
            "episodes": [list(episode) for episode in self.episodes],
            "elapsed_s": self.elapsed_s,
            "cpu_s": self.cpu_s,
            "episode_count": self.episode_count,
            "success_count": self.success_count,
            "resumes": self.resumes,
            "best": self._best,
        }
        parts = {**parts, "progress": progress}
        checkpoint.save(self.run.checkpoints, self.step, parts, best=best)

    def finish(self, parts: Mapping[str, Any], done: bool | None = None) -> Outcome:
        """The last checkpoint; finished when `done`, or by default when the budget is spent,
        otherwise interrupted."""
        self.log({}, always=True)
        self.save(parts, always=True)
        if done is None:
            done = self.step >= self.config.steps
        self._status = "finished" if done else "interrupted"
        return Outcome(self.run.path, self._status, self.step)

    def _evaluate(self) -> dict[str, float | int] | None:
        if not self.config.eval_episodes:
            return None
        from s2lab.evaluate import evaluate_run

        result = evaluate_run(self.run.path, episodes=self.config.eval_episodes).summary()
        names = {
            "success_rate": "eval/success_rate",
            "mean_return": "eval/mean_reward",
            "mean_length": "eval/mean_ep_length",
        }
        self.tracker.log(self.step, {names[key]: result[key] for key in names})
        return result


def last_checkpoint(run: RunFolder) -> checkpoint.Checkpoint | None:
    """The newest good checkpoint; None when none was written yet.

    Raises:
        UserError: checkpoints exist and all are damaged.
    """
    if not checkpoint.exists(run.checkpoints):
        return None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = checkpoint.load(run.checkpoints)
    for warning in caught:
        print(f"warning: {warning.message}", flush=True)
    return found


def check_device(device: str) -> str:
    """`auto` becomes cuda where there is one.

    Raises:
        UserError: neither auto, cpu nor cuda, or cuda on a machine without it.
    """
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device not in ("cpu", "cuda"):
        raise UserError(f"device must be auto, cpu or cuda, got {device!r}")
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("device cuda: torch finds no CUDA GPU here; use --device cpu")
    return device
