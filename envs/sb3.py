"""Many worlds of one id as a Stable-Baselines3 `VecEnv`. Knows no algorithms.

Equal, step by step, to SB3's `DummyVecEnv` over the single environments. Everything handed out is a
copy: SB3 keeps the last observation while the next step is made.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import gymnasium
import numpy as np
from stable_baselines3.common.vec_env.base_vec_env import VecEnv

from s2lab.envs.grid.worlds import Array
from s2lab.envs.vector import make_vec

Indices = int | Iterable[int] | None


class GridVecEnv(VecEnv):
    """N worlds of one id for Stable-Baselines3, stepped by the native engine."""

    def __init__(
        self,
        world_id: str,
        num_envs: int = 1,
        *,
        observation: str = "partial",
        view_size: int = 7,
        threads: int | None = None,
        render_mode: str | None = None,
        tile_size: int = 32,
    ) -> None:
        """N worlds.

        Args:
            world_id: minigrid's own id, such as "MiniGrid-FourRooms-v0".
            num_envs: N, how many worlds.
            observation: "partial", what the agent sees, or "full", the whole grid.
            view_size: cells on a side of the partial view, odd, 3 to 15.
            threads: threads to step with; None uses one.
            render_mode: "rgb_array" to draw pictures, None otherwise.
            tile_size: pixels on a side of a cell.

        Raises:
            ValueError: an argument is not one of those allowed.
        """
        if render_mode not in (None, "rgb_array"):
            raise ValueError(f"render_mode is {render_mode!r}; give 'rgb_array' or None")
        self.worlds = make_vec(
            world_id,
            num_envs,
            autoreset="disabled",  # so that the infos of a step and of the reset stay apart
            observation=observation,
            view_size=view_size,
            threads=threads,
        )
        self._chosen_render_mode, self._tile_size = render_mode, tile_size
        self._canvas: Any = None
        self._actions: Any = None
        super().__init__(
            num_envs, self.worlds.single_observation_space, self.worlds.single_action_space
        )
        self.metadata = {"render_modes": ["rgb_array"]}

    def reset(self) -> dict[str, Array]:
        """Begin new episodes everywhere; seeds given to `seed` are used once."""
        seeds = None if all(seed is None for seed in self._seeds) else self._seeds
        observations, info = self.worlds.reset(seed=seeds)
        self.reset_infos = [{"events": events} for events in info["events"].tolist()]
        self._reset_seeds()
        self._reset_options()
        return observations

    def step_async(self, actions: Array) -> None:
        """Keep the actions, whole numbers [N], for `step_wait`."""
        self._actions = actions

    def step_wait(
        self,
    ) -> tuple[dict[str, Array], Array, Array, list[dict[str, Any]]]:
        """Do the actions; ended episodes begin anew, and their infos hold the last observation.

        Returns:
            observations, rewards float32 [N], dones bool [N], one info for each world

        Raises:
            ValueError: wrong shape, type or number of actions; nothing has changed.
        """
        observations, rewards, terminated, truncated, info = self.worlds.step(self._actions)
        dones = terminated | truncated
        infos: list[dict[str, Any]] = [
            {"events": events, "TimeLimit.truncated": False} for events in info["events"].tolist()
        ]
        if dones.any():
            last = observations
            observations, info = self.worlds.reset(options={"reset_mask": dones})
            for n in np.flatnonzero(dones).tolist():
                infos[n]["TimeLimit.truncated"] = bool(truncated[n] and not terminated[n])
                infos[n]["terminal_observation"] = {
                    name: values[n].copy() for name, values in last.items()
                }
                self.reset_infos[n] = {"events": int(info["events"][n])}
        return observations, rewards.astype(np.float32), dones, infos

    def mission_text(self, n: int) -> str:
        """The mission of world `n` in words."""
        return self.worlds.mission_text(n)

    def get_images(self) -> Sequence[Array | None]:
        """A picture of every world, or None for each without a render mode."""
        if self.render_mode is None:
            return [None] * self.num_envs
        if self._canvas is None:
            from s2lab.envs.rendering import Canvas  # loads pygame

            self._canvas = Canvas(self.worlds.batch, tile_size=self._tile_size)
        return [self._canvas.draw(n) for n in range(self.num_envs)]

    def close(self) -> None:
        """Let the helper threads go."""
        self.worlds.close()

    def get_attr(self, attr_name: str, indices: Indices = None) -> list[Any]:
        """An attribute that all worlds share, once for each index."""
        if attr_name == "render_mode":
            return [self._chosen_render_mode for _ in self._get_indices(indices)]
        value = getattr(self.worlds, attr_name)
        return [value for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Indices = None) -> None:
        """Refused: the worlds share their attributes.

        Raises:
            AttributeError: always.
        """
        raise AttributeError(f"{attr_name!r} cannot be set: the worlds share their attributes")

    def env_method(
        self, method_name: str, *args: Any, indices: Indices = None, **kwargs: Any
    ) -> list[Any]:
        """Refused: there is no Python object for each world.

        Raises:
            AttributeError: always.
        """
        raise AttributeError(f"{method_name!r} cannot be called: the worlds are no single objects")

    def env_is_wrapped(
        self, wrapper_class: type[gymnasium.Wrapper[Any, Any, Any, Any]], indices: Indices = None
    ) -> list[bool]:
        """False for each index: these worlds have no wrappers."""
        return [False for _ in self._get_indices(indices)]
