"""Worlds that are not ours: any gymnasium id, made to look like ours. Knows no learning.

Every world gets a `Dict` observation space. A world that is not a `Dict` shows the single field
`observation`. minigrid's worlds show `image` (uint8, 0 to 10), `direction` and `mission` as token
ids of `vocabulary.py` in place of text.
"""

import contextlib
import importlib
import io
import warnings
from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from s2lab.envs import vocabulary
from s2lab.envs.registration import WORLDS, why_elsewhere

MISSION_LENGTH = 72  # tokens; the longest mission of BossLevel fits
SYMBOL_HIGH = 10  # the largest type, colour or state code of minigrid's symbolic image


class MissionTokens(gym.ObservationWrapper[dict[str, Any], Any, dict[str, Any]]):
    """minigrid's observation with the mission as `vocabulary` ids, int16 [length]."""

    def __init__(self, env: gym.Env[Any, Any], length: int = MISSION_LENGTH) -> None:
        super().__init__(env)
        space = env.observation_space
        assert isinstance(space, gym.spaces.Dict)
        image = space["image"]
        self._length = length
        self._cached = ("", vocabulary.encode("", length))
        fields: dict[str, gym.Space[Any]] = {
            "image": gym.spaces.Box(0, SYMBOL_HIGH, image.shape, np.uint8),
            "direction": space["direction"],
            "mission": gym.spaces.Box(0, len(vocabulary.words()) - 1, (length,), np.int16),
        }
        self.observation_space = gym.spaces.Dict(fields)

    def observation(self, observation: dict[str, Any]) -> dict[str, Any]:
        """Replace the text; the tokens of the last text are kept, for most steps repeat it."""
        mission = str(observation["mission"])
        if mission != self._cached[0]:
            self._cached = (mission, vocabulary.encode(mission, self._length))
        return {**observation, "mission": self._cached[1].copy()}


class QuietReset(gym.Wrapper[Any, Any, Any, Any]):
    """Keeps the rejected samples that minigrid prints while it builds a level off the terminal."""

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        """Reset without a word."""
        with contextlib.redirect_stdout(io.StringIO()):
            return self.env.reset(**kwargs)


class AsDict(gym.ObservationWrapper[dict[str, Any], Any, Any]):
    """One field called `observation` around an observation that is not a dictionary."""

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        super().__init__(env)
        self.observation_space = gym.spaces.Dict({"observation": env.observation_space})

    def observation(self, observation: Any) -> dict[str, Any]:
        """Wrap the observation."""
        return {"observation": observation}


def register_packages(packages: Sequence[str]) -> None:
    """Import packages whose import registers worlds with gymnasium (minigrid always)."""
    for package in ("minigrid", *packages):
        importlib.import_module(package)


def known_ids() -> list[str]:
    """Every id that can be made, in alphabetical order."""
    return sorted(gym.registry)


def make_single(env_id: str) -> gym.Env[Any, Any]:
    """One world of the id with a `Dict` observation space.

    Raises:
        gymnasium.error.Error: the id is not registered, or its package or files are missing.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*is out of date", category=DeprecationWarning)
        env = gym.make(env_id, disable_env_checker=True)
    _check_files(env_id, env)
    space = env.observation_space
    if not isinstance(space, gym.spaces.Dict):
        return AsDict(env)
    if {"image", "direction", "mission"} <= set(space.spaces) and not isinstance(
        space["mission"], gym.spaces.Box
    ):
        return MissionTokens(QuietReset(env), mission_length(env_id))
    return env


def _check_files(env_id: str, env: gym.Env[Any, Any]) -> None:
    """See at once that a world's package came without what it reads at its first reset."""
    reason = why_elsewhere(env_id)
    if reason is None:
        return
    try:
        env.reset()
    except FileNotFoundError:
        raise gym.error.DependencyNotInstalled(f"{env_id!r} cannot be made: {reason}") from None


def mission_length(env_id: str) -> int:
    """Tokens of a mission: what the native engine shows for the same id, else enough for all."""
    if env_id not in WORLDS:
        return MISSION_LENGTH
    _, level = WORLDS[env_id]
    return level.mission_length


def make_external_vec(
    env_id: str, num_envs: int, autoreset: AutoresetMode = AutoresetMode.SAME_STEP
) -> SyncVectorEnv:
    """`num_envs` worlds of the id, stepped one after the other in this process."""
    return SyncVectorEnv(
        [lambda: make_single(env_id)] * num_envs,
        autoreset_mode=autoreset,
        copy=False,
    )


class ReportSuccess(gym.Wrapper[Any, Any, Any, Any]):
    """Adds `info["is_success"]` at the end of an episode: terminated with a positive reward."""

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Step, and say whether an end was a success."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        if terminated or truncated:
            info = {**info, "is_success": bool(terminated and float(reward) > 0)}
        return observation, reward, terminated, truncated, info
