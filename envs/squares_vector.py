"""Many worlds of squares at once as a `gymnasium.vector.VectorEnv`. Knows no learning.

One generator draws for all worlds, so that a step is a few array operations however many there are.
Episodes are cut off after `EPISODE` steps and begin anew in the same step or the next.
"""

from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from s2lab.envs.squares import EPISODE, WORLDS

Array = NDArray[Any]


class SquaresVectorEnv(VectorEnv[Any, Any, Any]):
    """N worlds of squares; `info["factors"]` holds int64 [N] for each factor."""

    def __init__(
        self,
        num_envs: int = 1,
        world: str = "square",
        autoreset: AutoresetMode = AutoresetMode.NEXT_STEP,
    ) -> None:
        if world not in WORLDS:
            raise ValueError(f"unknown world of squares {world!r}; known: {', '.join(WORLDS)}")
        if autoreset is AutoresetMode.DISABLED:
            raise ValueError("autoreset must be NEXT_STEP or SAME_STEP, got DISABLED")
        self.squares, self.num_envs = WORLDS[world], num_envs
        self.metadata = {"render_modes": [], "autoreset_mode": autoreset}
        self.single_observation_space = spaces.Box(0.0, 1.0, self.squares.shape, np.float32)
        self.single_action_space = spaces.Discrete(len(self.squares.action_names))
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._now = autoreset is AutoresetMode.SAME_STEP

    def reset(
        self, *, seed: Any = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        """States drawn uniformly; `seed` is one whole number for all worlds."""
        super().reset(seed=seed)
        self._steps = 0
        self._states = self.squares.sample(self.np_random, self.num_envs)
        return self._look()

    def step(self, actions: Any) -> tuple[Array, Array, Array, Array, dict[str, Any]]:
        """One move in every world; ValueError for one that there is not."""
        chosen: Array = np.asarray(actions)
        if not self.action_space.contains(chosen.astype(np.int64)):
            count = len(self.squares.action_names)
            raise ValueError(f"actions {chosen!r} are not {self.num_envs} of 0 to {count - 1}")
        if self._steps == EPISODE:  # in the step after the last
            observation, info = self.reset()
            return observation, *self._ends(False), info
        self._steps += 1
        self._states = self.squares.step(self._states, chosen, self.np_random)
        observation, info = self._look()
        cut = self._steps == EPISODE
        if cut and self._now:
            final, told = observation, info
            observation, info = self.reset()
            everyone = np.ones(self.num_envs, np.bool_)
            info |= {"final_obs": final, "_final_obs": everyone}
            info |= {"final_info": told, "_final_info": everyone}
        return observation, *self._ends(cut), info

    def _ends(self, cut: bool) -> tuple[Array, Array, Array]:
        """Rewards, terminated, truncated."""
        none = np.zeros(self.num_envs, np.bool_)
        return np.zeros(self.num_envs), none, np.full(self.num_envs, cut)

    def _look(self) -> tuple[Array, dict[str, Any]]:
        names = self.squares.factor_names
        factors = {name: self._states[:, i].copy() for i, name in enumerate(names)}
        told = {"factors": factors, "_factors": np.ones(self.num_envs, np.bool_)}
        return self.squares.images(self._states), told
