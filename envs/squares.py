"""Squares that move in an image, as in the papers on independently controllable features.

One 2 x 2 square in a 12 x 12 image and four moves (Thomas et al. 2017, arXiv 1703.07718); here also
several squares with moves and colours of their own (of squares that look alike no image says which
is which), a brightness that an action toggles, and distractors that move by themselves. A state is
a row of whole numbers, one per factor, so that every score of a representation knows the truth.
Knows no learning.
"""

import math
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

MOVES = ((0, 1), (0, -1), (1, 0), (-1, 0))  # down, up, right, left in (x, y), y downwards
MOVE_NAMES = ("down", "up", "right", "left")
DIM, BRIGHT = 0.5, 1.0  # of a square
LISTED = 1000  # states at most that are listed
EPISODE = 100  # steps until an episode of the environment is cut off

Array = NDArray[Any]


@dataclass(frozen=True)
class Squares:
    """A world of squares; every method works on a batch of states [N, F]."""

    squares: int = 1
    """Squares that the agent moves, each by four actions of its own."""
    distractors: int = 0
    """Squares that take a random step, or none, at every step of the world."""
    toggle: bool = False
    """Whether a last action switches the first square between bright and dim."""
    size: int = 12
    """Pixels on a side of the image."""
    side: int = 2
    """Pixels on a side of a square."""

    def __post_init__(self) -> None:
        for name, least in (("squares", 1), ("distractors", 0), ("side", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")
        if self.side >= self.size:
            raise ValueError(f"side must be below size ({self.size}), got {self.side}")

    @property
    def places(self) -> int:
        """Different x, and different y, of a square."""
        return self.size - self.side + 1

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of an image: a channel for each colour, rows, columns."""
        return self.squares + (self.distractors > 0), self.size, self.size

    @property
    def factor_names(self) -> tuple[str, ...]:
        """Columns of a state: what the agent controls first, then what it does not."""
        mine = [f"{axis}{i}" for i in range(self.squares) for axis in "xy"]
        theirs = [f"distractor_{axis}{i}" for i in range(self.distractors) for axis in "xy"]
        return (*mine, *(("bright",) if self.toggle else ()), *theirs)

    @property
    def controllable(self) -> int:
        """How many of the factors, from the first, an action changes."""
        return 2 * self.squares + self.toggle

    @property
    def action_names(self) -> tuple[str, ...]:
        """Such as `down0`, the first square's first move."""
        moves = [f"{move}{i}" for i in range(self.squares) for move in MOVE_NAMES]
        return (*moves, *(("toggle",) if self.toggle else ()))

    def effect(self, action: int) -> tuple[int, int]:
        """The factor that an action changes, and by how much; 0 for a switch."""
        if action >= 4 * self.squares:
            return 2 * self.squares, 0
        step = MOVES[action % 4]
        axis = 0 if step[0] else 1
        return 2 * (action // 4) + axis, step[axis]

    def sample(self, rng: np.random.Generator, count: int) -> Array:  # int64 [N, F]
        """States drawn uniformly."""
        high = [2 if name == "bright" else self.places for name in self.factor_names]
        return rng.integers(0, high, (count, len(high)))

    def every(self) -> Array | None:  # int64 [N, F]
        """All states, 121 for one square; None where chance moves some or they are too many."""
        high = [2 if name == "bright" else self.places for name in self.factor_names]
        if self.distractors or math.prod(high) > LISTED:
            return None
        return np.indices(high).reshape(len(high), -1).T.copy()

    def factors(self, states: Array) -> Array:  # float64 [N, F]
        """The truth about states: they are nothing else."""
        return states.astype(float)

    def step(self, states: Array, actions: Array, rng: np.random.Generator | None) -> Array:
        """The states after one action each, [N, F]; `rng` moves the distractors."""
        after = states.copy()
        for action in range(len(self.action_names)):
            chosen = actions == action
            factor, change = self.effect(action)
            if change:
                moved = after[chosen, factor] + change
                after[chosen, factor] = np.clip(moved, 0, self.places - 1)
            else:
                after[chosen, factor] ^= 1
        if self.distractors:
            if rng is None:
                raise ValueError("distractors move at random: give a random generator")
            steps = np.array([*MOVES, (0, 0)])
            first = self.controllable
            for i in range(self.distractors):
                columns = slice(first + 2 * i, first + 2 * i + 2)
                moved = after[:, columns] + steps[rng.integers(0, 5, len(after))]
                after[:, columns] = np.clip(moved, 0, self.places - 1)
        return after

    def successors(self, states: Array, rng: np.random.Generator | None) -> Array:  # [N, A, F]
        """The state after every action, from each state."""
        count = len(self.action_names)
        repeated = np.repeat(states, count, axis=0)
        actions = np.tile(np.arange(count), len(states))
        return self.step(repeated, actions, rng).reshape(len(states), count, -1)

    def blocked(self, states: Array) -> Array:  # bool [N, A]
        """Which actions change nothing, because a wall of the image is in the way."""
        found = np.zeros((len(states), len(self.action_names)), np.bool_)
        for action in range(found.shape[1]):
            factor, change = self.effect(action)
            if change:
                edge = 0 if change < 0 else self.places - 1
                found[:, action] = states[:, factor] == edge
        return found

    def images(self, states: Array) -> Array:  # float32 [N, C, size, size], rows are y
        """What the states look like: each square has a channel, all distractors share one."""
        count = len(states)
        images = np.zeros((count, *self.shape), np.float32)
        for i in range(self.squares + self.distractors):
            first = 2 * i if i < self.squares else 2 * i + self.toggle
            value = np.full(count, BRIGHT, np.float32)
            if i == 0 and self.toggle:
                value = np.where(states[:, 2 * self.squares] == 1, BRIGHT, DIM)
            for right in range(self.side):
                for down in range(self.side):
                    x, y = states[:, first] + right, states[:, first + 1] + down
                    images[np.arange(count), min(i, self.squares), y, x] = value
        return images


# World -> its squares.
WORLDS = {
    "square": Squares(),
    "two-squares": Squares(squares=2, distractors=1),
    "toggle-square": Squares(toggle=True),
}


class SquaresEnv(gym.Env[Array, np.int64]):
    """One world of squares as a gymnasium environment without a reward; factors in its infos."""

    metadata = {"render_modes": []}  # noqa: RUF012  # gymnasium's own form

    def __init__(self, world: str = "square", render_mode: str | None = None) -> None:
        if world not in WORLDS:
            raise ValueError(f"unknown world of squares {world!r}; known: {', '.join(WORLDS)}")
        self.squares, self.render_mode = WORLDS[world], render_mode
        self.observation_space = spaces.Box(0.0, 1.0, self.squares.shape, np.float32)
        self.action_space = spaces.Discrete(len(self.squares.action_names))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        """A state drawn uniformly."""
        super().reset(seed=seed)
        self._steps = 0
        self._state = self.squares.sample(self.np_random, 1)
        return self._look()

    def step(self, action: np.int64) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """One move; ValueError for one that there is not."""
        if not self.action_space.contains(action):
            raise ValueError(f"action {action} is not one of 0 to {self.action_space.n - 1}")  # type: ignore[attr-defined]  # it is Discrete
        self._steps += 1
        self._state = self.squares.step(self._state, np.array([action]), self.np_random)
        observation, info = self._look()
        return observation, 0.0, False, self._steps == EPISODE, info

    def _look(self) -> tuple[Array, dict[str, Any]]:
        values = self._state[0].tolist()
        factors = dict(zip(self.squares.factor_names, values, strict=True))
        return self.squares.images(self._state)[0], {"factors": factors}


def register_squares() -> None:
    """Register every world of squares with gymnasium, once."""
    for world in WORLDS:
        name = "".join(part.title() for part in world.split("-"))
        if f"s2lab/{name}-v0" not in gym.registry:
            gym.register(
                f"s2lab/{name}-v0", entry_point="s2lab.envs.squares:SquaresEnv",
                vector_entry_point="s2lab.envs.squares_vector:SquaresVectorEnv",
                kwargs={"world": world},
            )  # fmt: skip


register_squares()
