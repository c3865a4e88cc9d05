"""Behaviour cloning of recurrent agents. Knows no files, no bots and no command line.

    order of episodes -> slab -> streams -> windows of steps -> weights

Every pass reads all episodes in a new order. A slab of them is made at a time; it is cut into
streams of whole episodes one after another, which are read side by side, a window of steps per
update. The core's state is carried from window to window and cleared where an episode starts, so
that no step is padding and memory is learnt over whole episodes, with gradients over one window.
"""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from s2lab.agents.actor_critic import ActorCritic, State
from s2lab.agents.cloning_config import CloningConfig

Array = npt.NDArray[Any]


class Diverged(ArithmeticError):
    """A loss that is no number."""


@dataclass(frozen=True)
class Shown:
    """Episodes one after another, S steps in all, as the demonstrator saw them."""

    starts: Array  # int64 [E]
    observation: dict[str, Array]  # fields [S, ...]
    actions: Array  # int64 [S]


@dataclass(frozen=True)
class Windows:
    """A slab cut into streams of `length` steps each."""

    rows: Array  # int64 [length, B], which step of the slab
    first: Array  # bool [length, B], an episode starts here


def cut_into_streams(starts: Array, steps: int, streams: int, unroll: int) -> Windows:
    """Streams of equal length that begin where an episode begins.

    Args:
        starts: int64 [E], where episodes begin
        steps: S
        streams: as many at most; fewer when there are too few steps
        unroll: the length is a multiple of it, unless there are fewer steps

    Returns:
        windows without a step twice; what does not fill them waits for another pass's order
    """
    count = max(1, min(streams, steps // unroll))
    wanted = np.arange(count) * steps // count
    begins = [0]
    for begin in starts[np.minimum(np.searchsorted(starts, wanted), len(starts) - 1)].tolist():
        if begin - begins[-1] >= unroll and steps - begin >= unroll:
            begins.append(begin)
    length = int(np.diff([*begins, steps]).min())
    rows = np.array(begins) + np.arange(length // unroll * unroll or length)[:, None]
    is_start = np.zeros(steps, np.bool_)
    is_start[starts] = True
    return Windows(rows, is_start[rows])


class Cloning:
    """The learner: its demonstrations, its network, its optimiser."""

    def __init__(
        self,
        model: ActorCritic,
        config: CloningConfig,
        *,
        lengths: Array,  # int64 [E], of every episode
        show: Callable[[Array], Shown],
        total_steps: int,
        seed: int,
        device: str = "cpu",
    ) -> None:
        """`show` makes the episodes with the given numbers.

        Raises:
            ValueError: there are no episodes.
        """
        if not len(lengths):
            raise ValueError("there are no episodes to learn from; record some")
        self.model, self.config, self.total_steps = model.to(device), config, total_steps
        self.device, self._show, self._seed = torch.device(device), show, seed
        self.optimizer = torch.optim.Adam(model.parameters(), config.lr, fused=True)
        self.step, self.slab, self.window = 0, 0, 0
        self.state: State = ()
        per_slab = max(1, int(config.slab_steps / max(1.0, float(np.mean(lengths)))))
        self._episodes, self._per_slab = len(lengths), min(per_slab, len(lengths))
        self._data: tuple[int, Shown, Windows] | None = None
        self.best, self.best_success, self.since_best = self._weights(), -1.0, 0

    # -- data -----------------------------------------------------------------------------------

    @property
    def slabs_per_pass(self) -> int:
        """How many slabs hold every episode once."""
        return -(-self._episodes // self._per_slab)

    def _chosen(self, slab: int) -> Array:
        """The episodes of a slab, counted over all passes."""
        turn, part = divmod(slab, self.slabs_per_pass)
        order = np.random.default_rng((self._seed, turn)).permutation(self._episodes)
        return order[part * self._per_slab : (part + 1) * self._per_slab]

    def _slab(self) -> tuple[Shown, Windows]:
        if self._data is None or self._data[0] != self.slab:
            shown = self._show(self._chosen(self.slab))
            config = self.config
            cut = cut_into_streams(shown.starts, len(shown.actions), config.streams, config.unroll)
            self._data = (self.slab, shown, cut)
        return self._data[1:]

    def _batch(self) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        """Observation fields [T, B, ...], actions [T, B], resets [T, B] of the next window."""
        shown, cut = self._slab()
        if self.window * self.config.unroll >= len(cut.rows):
            self.slab, self.window = self.slab + 1, 0
            shown, cut = self._slab()
        span = slice(self.window * self.config.unroll, (self.window + 1) * self.config.unroll)
        rows = cut.rows[span]
        if self.window == 0:
            self.state = self.model.initial_state(rows.shape[1], self.device)
        self.window += 1
        observation = {
            name: torch.from_numpy(field[rows]).to(self.device)
            for name, field in shown.observation.items()
        }
        actions = torch.from_numpy(shown.actions[rows]).to(self.device)
        return observation, actions, torch.from_numpy(cut.first[span]).to(self.device)

    # -- learning -------------------------------------------------------------------------------

    def update(self) -> dict[str, float]:
        """One gradient step; returns losses and the share of steps where the agent would have done
        what the demonstrator did.

        Raises:
            Diverged: the loss is no number; the weights have not moved.
        """
        config, head = self.config, self.model.actions
        observation, actions, resets = self._batch()
        numbers, _, state = self.model(observation, self.state, resets)
        self.state = tuple(part.detach() for part in state)
        log_probs, entropies = head.log_prob_and_entropy(numbers, actions)
        loss = -log_probs.mean() - config.entropy_coef * entropies.mean()
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), config.max_grad_norm)
        if not bool(torch.isfinite(loss) & torch.isfinite(norm)):
            raise Diverged(f"the loss became {loss.item()} at step {self.step}")
        for group in self.optimizer.param_groups:
            group["lr"] = config.lr * self.rate()
        self.optimizer.step()
        self.step += actions.shape[0] * actions.shape[1]
        agreed = (head.sample(numbers.detach(), None) == actions).float().mean()
        return {
            "train/loss": loss.item(),
            "train/entropy_loss": -entropies.mean().item(),
            "train/accuracy": agreed.item(),
            "train/grad_norm": norm.item(),
            "train/learning_rate": config.lr * self.rate(),
        }

    def rate(self) -> float:
        """Factor on the learning rate, from 1 to `lr_end` along a cosine."""
        done = min(1.0, self.step / self.total_steps)
        return self.config.lr_end + (1 - self.config.lr_end) * (1 + float(np.cos(np.pi * done))) / 2

    def judge(self, success: float) -> None:
        """Keep the weights if no validation was better; count those since the best."""
        self.since_best += 1
        if success > self.best_success:
            self.best, self.best_success, self.since_best = self._weights(), success, 0

    def take_best(self) -> None:
        """The network gets the weights of the best validation."""
        self.model.load_state_dict(self.best)

    def _weights(self) -> dict[str, Tensor]:
        return copy.deepcopy(self.model.state_dict())

    # -- checkpoints ----------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """What going on exactly needs besides the weights."""
        return {
            "optimizer": self.optimizer.state_dict(),
            "place": [self.step, self.slab, self.window],
            "state": list(self.state),
            "best": self.best,
            "best_success": self.best_success,
            "since_best": self.since_best,
        }

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Take up where `state_dict` was called."""
        self.optimizer.load_state_dict(dict(saved["optimizer"]))
        self.step, self.slab, self.window = (int(number) for number in saved["place"])
        self.state = tuple(part.to(self.device) for part in saved["state"])
        self.best = dict(saved["best"])
        self.best_success, self.since_best = float(saved["best_success"]), int(saved["since_best"])
