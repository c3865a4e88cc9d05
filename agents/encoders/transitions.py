"""What actions make of states, as images that each occur once. Knows no network.

A world is anything with the members of `ControllableWorld`; a state is a row of whole numbers that
only the world can read.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[Any]


class ControllableWorld(Protocol):
    """What learning and judging controllable features needs of a world."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of an image: channels, height, width."""
        ...

    @property
    def action_names(self) -> tuple[str, ...]:
        """Of the A actions."""
        ...

    @property
    def factor_names(self) -> tuple[str, ...]:
        """Of the F factors: those that an action changes first."""
        ...

    @property
    def controllable(self) -> int:
        """How many of the factors, from the first, an action changes."""
        ...

    def sample(self, rng: np.random.Generator, count: int) -> Array:
        """States, int64 [N, ...]."""
        ...

    def every(self) -> Array | None:
        """All states; None where they are too many to list."""
        ...

    def successors(self, states: Array, rng: np.random.Generator | None) -> Array:
        """The state after every action, [N, A, ...]."""
        ...

    def blocked(self, states: Array) -> Array:
        """Which actions change nothing that can be controlled, bool [N, A]."""
        ...

    def factors(self, states: Array) -> Array:
        """The truth about states, float64 [N, F]."""
        ...

    def images(self, states: Array) -> Array:
        """What states look like, float32 [N, C, H, W]."""
        ...


@dataclass(frozen=True)
class Transitions:
    """States and their successors, as images that each occur once."""

    images: Tensor
    """[U, C, H, W], the images that occur."""
    before: Tensor
    """int64 [B], rows of `images`."""
    actions: Tensor
    """int64 [B, D], the actions that were tried: all of them, or some drawn uniformly."""
    after: Tensor
    """int64 [B, D], rows of `images` after each of `actions`."""
    blocked: Tensor
    """bool [B, A], actions that change nothing that can be controlled."""

    def to(self, device: torch.device) -> "Transitions":
        """The same on a device."""
        return Transitions(
            self.images.to(device),
            self.before.to(device),
            self.actions.to(device),
            self.after.to(device),
            self.blocked.to(device),
        )


def transitions(
    world: ControllableWorld, states: Array, rng: np.random.Generator, drawn: int = 0
) -> Transitions:
    """What actions make of `states`: every action, or `drawn` of them for each state, uniformly."""
    rows, count = np.arange(len(states)), len(world.action_names)
    following = world.successors(states, rng)  # [B, A, ...]
    if drawn:
        actions = rng.integers(0, count, (len(states), drawn))  # [B, D]
        following = following[rows[:, None], actions]
    else:
        actions = np.tile(np.arange(count), (len(states), 1))
    moved = (following != states[:, None]).any(-1)  # [B, D]
    after = np.repeat(rows[:, None], moved.shape[1], axis=1)
    after[moved] = len(states) + np.arange(moved.sum())
    return Transitions(
        torch.from_numpy(world.images(np.concatenate([states, following[moved]]))),
        torch.from_numpy(rows),
        torch.from_numpy(actions),
        torch.from_numpy(after),
        torch.from_numpy(world.blocked(states)),
    )


def all_transitions(world: ControllableWorld, states: Array) -> Transitions:
    """The same for all states of a world without chance, whose successors are states again."""
    following = world.successors(states, None)
    place = {row.tobytes(): i for i, row in enumerate(states)}
    after = [[place[row.tobytes()] for row in rows] for rows in following]
    count = len(world.action_names)
    return Transitions(
        torch.from_numpy(world.images(states)),
        torch.arange(len(states)),
        torch.arange(count).repeat(len(states), 1),
        torch.tensor(after),
        torch.from_numpy(world.blocked(states)),
    )
