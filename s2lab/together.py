"""One run in several processes: `torchrun --nproc-per-node 2 -m s2lab.cli train ...`.

The first process writes the run folder; the others learn with it from worlds of their own. The
settings are those of the whole: `num_envs` worlds are dealt out to the processes. Processes talk
over gloo or nccl, and what they tell each other is trusted as their own memory is. Knows no
learning.
"""

import atexit
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from s2lab.clock import Every, StopRequest
from s2lab.errors import UserError
from s2lab.session import Outcome

if TYPE_CHECKING:
    from s2lab.agents.ppo_config import PPOConfig
    from s2lab.checkpoint import Checkpoint, Stateful
    from s2lab.config import TrainConfig

T = TypeVar("T")


def count() -> int:
    """How many processes torchrun started for this run; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def join() -> int:
    """Meet the other processes, once; returns this one's rank, 0 without torchrun."""
    if count() == 1:
        return 0
    import torch
    from torch import distributed

    if not distributed.is_initialized():
        cuda = torch.cuda.is_available()
        if cuda:
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
        distributed.init_process_group("cpu:gloo,cuda:nccl" if cuda else "gloo")
        atexit.register(distributed.destroy_process_group)
    return distributed.get_rank()


def by_the_first(make: Callable[[], list[Path]]) -> list[Path]:
    """Paths that the first process makes, known to all.

    Raises:
        UserError: what the first process met.
    """
    if count() == 1:
        return make()
    from torch import distributed

    told: list[Any] = [None, None]
    if join() == 0:
        try:
            told[0] = [str(path) for path in make()]
        except UserError as error:
            told[1] = str(error)
    distributed.broadcast_object_list(told)
    if told[0] is None:
        raise UserError(told[1])
    return [Path(path) for path in told[0]]


def portion(config: "PPOConfig") -> "PPOConfig":
    """This process's share of the worlds.

    Raises:
        UserError: they cannot be dealt out evenly.
    """
    if count() == 1:
        return config
    if config.num_envs % count():
        raise UserError(f"num_envs ({config.num_envs}) must be a multiple of {count()} processes")
    try:
        return replace(config, num_envs=config.num_envs // count())
    except ValueError as error:
        raise UserError(f"for each of {count()} processes, {error}") from None


def gathered(values: list[T]) -> list[T]:
    """The lists of all processes, one after the other."""
    if count() == 1:
        return values
    from torch import distributed

    found: list[Any] = [None] * count()
    distributed.all_gather_object(found, values)
    return [value for part in found for value in part]


class OneOfAll:
    """A part of a checkpoint of which every process has its own; all save at the same moments."""

    def __init__(self, part: "Stateful") -> None:
        self.part = part

    def state_dict(self) -> dict[str, Any]:
        """Rank -> its state."""
        return {str(rank): state for rank, state in enumerate(gathered([self.part.state_dict()]))}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Take this process's own.

        Raises:
            UserError: the checkpoint is of another number of processes.
        """
        if len(saved) != count() or str(join()) not in saved:
            raise UserError(
                f"the checkpoint is of a run in {len(saved)} processes, this is one of {count()}: "
                f"torchrun --nproc-per-node {len(saved)} -m s2lab.cli resume"
            )
        self.part.load_state_dict(saved[str(join())])


class Follower:
    """What a `Session` is to the processes that write nothing."""

    def __init__(self, config: "TrainConfig", path: Path, saved: "Checkpoint | None") -> None:
        self.config, self.path = config, path
        self.stop = StopRequest()
        self.step = saved.step if saved else 0
        progress: Mapping[str, Any] = saved.parts["progress"] if saved else {}
        self.resumes = int(progress.get("resumes", -1)) + 1
        self._save_due = Every(config.save_every, self.step)

    def __enter__(self) -> "Follower":
        self.stop.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self.stop.__exit__(*error)

    def advance(self, step: int, episodes: object) -> None:
        """Note the step reached."""
        self.step = step

    def log(self, metrics: object) -> None:
        """Nothing: the first process writes."""

    def save(self, parts: "Mapping[str, Stateful]", *, always: bool = False) -> None:
        """Hand the first process what it saves, when it saves."""
        if self._save_due(self.step) or always:
            for part in parts.values():
                if isinstance(part, OneOfAll):
                    part.state_dict()

    def finish(self, parts: "Mapping[str, Stateful]") -> Outcome:
        """As `Session.finish`."""
        self.save(parts, always=True)
        done = self.step >= self.config.steps
        return Outcome(self.path, "finished" if done else "interrupted", self.step)
