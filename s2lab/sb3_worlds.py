"""Worlds as Stable-Baselines3 takes them, from the native engine or from the world's own package.

Both say when an episode was a success, count its return and length, and start from the same seeds:
world i of a run has the same seed as in our own training. Knows no algorithm.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import gymnasium as gym
import numpy as np
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv, VecEnvWrapper

from s2lab.action_masks import effective_actions
from s2lab.agents.visits import VisitCounts
from s2lab.envs.choose import is_native
from s2lab.envs.external import ReportSuccess, make_single, register_packages
from s2lab.envs.sb3 import GridVecEnv

Backend = Literal["native", "minigrid"]


def sb3_worlds(
    env_id: str,
    num_envs: int,
    *,
    backend: Backend,
    imports: Sequence[str],
    masked: bool,
    count_bonus: float = 0.0,
) -> VecEnv:
    """`num_envs` worlds, not seeded yet; ids that the engine lacks come from their own package."""
    register_packages(imports)
    worlds: VecEnv
    if backend == "native" and is_native(env_id):
        worlds = NativeEnds(GridVecEnv(env_id, num_envs))
    else:
        worlds = DummyVecEnv([lambda: _single(env_id)] * num_envs)
    if count_bonus:
        worlds = Counted(worlds, VisitCounts(count_bonus))
    return Masked(worlds) if masked else worlds


def _single(env_id: str) -> gym.Env[Any, Any]:
    return Monitor(ReportSuccess(make_single(env_id)))


class NativeEnds(VecEnvWrapper):
    """Says what SB3's Monitor and `ReportSuccess` say when an episode ends."""

    def __init__(self, venv: VecEnv) -> None:
        super().__init__(venv)
        self._returns = np.zeros(venv.num_envs)  # [N]
        self._lengths = np.zeros(venv.num_envs, np.int64)  # [N]

    def reset(self) -> Any:
        """Begin, and count from nought."""
        self._returns[:] = 0
        self._lengths[:] = 0
        return self.venv.reset()

    def step_wait(self) -> Any:
        """Step; `info["episode"]` and `info["is_success"]` at the end of an episode.

        A success is terminated with a positive reward. Returns have six decimals, as in Monitor.
        """
        observations, rewards, dones, infos = self.venv.step_wait()
        self._returns += rewards
        self._lengths += 1
        for n in np.flatnonzero(dones).tolist():
            cut = infos[n]["TimeLimit.truncated"]
            infos[n]["is_success"] = bool(not cut and rewards[n] > 0)
            infos[n]["episode"] = {
                "r": round(float(self._returns[n]), 6),
                "l": int(self._lengths[n]),
                "t": 0.0,
            }
        self._returns[dones] = 0
        self._lengths[dones] = 0
        return observations, rewards, dones, infos


class Counted(VecEnvWrapper):
    """Adds the bonus of our own training for what was seldom seen, after returns are counted."""

    def __init__(self, venv: VecEnv, visits: VisitCounts) -> None:
        super().__init__(venv)
        self.visits = visits

    def reset(self) -> Any:
        """Begin; nothing has been reached yet."""
        return self.venv.reset()

    def step_wait(self) -> Any:
        """Step; rewards are the world's plus the bonus."""
        observations, rewards, dones, infos = self.venv.step_wait()
        fields: Any = observations if isinstance(observations, dict) else {"": observations}
        reached = {name: field[None] for name, field in fields.items()}
        bonus = self.visits.bonus(reached, dones[None])[0].numpy()  # [N]
        return observations, rewards + bonus, dones, infos


class Masked(VecEnvWrapper):
    """Answers sb3-contrib's question for the actions that change anything."""

    _seen: Any = None

    def reset(self) -> Any:
        """Begin, and keep what is seen."""
        self._seen = self.venv.reset()
        return self._seen

    def step_wait(self) -> Any:
        """Step, and keep what is seen."""
        self._seen, rewards, dones, infos = self.venv.step_wait()
        return self._seen, rewards, dones, infos

    def has_attr(self, attr_name: str) -> bool:
        """There are masks."""
        return attr_name == "action_masks" or bool(super().has_attr(attr_name))

    def env_method(
        self, method_name: str, *args: Any, indices: int | Iterable[int] | None = None, **kw: Any
    ) -> list[Any]:
        """`action_masks`: one bool [7] per world."""
        if method_name == "action_masks":
            return list(effective_actions(self._seen))
        return self.venv.env_method(method_name, *args, indices=indices, **kw)
