"""One episode of a policy with everything kept: pictures, observations, actions, events.

Knows no files and nothing of what is inside a policy.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from s2lab.errors import UserError
from s2lab.policy import Policy

TILE = 24  # pixels on a side of a drawn cell


@dataclass(frozen=True)
class Episode:
    """What was seen and done, T steps long."""

    env_id: str
    """The world's id."""
    seed: int
    """The world's seed."""
    mission: str
    """In words; empty where the world has none."""
    frames: list[NDArray[np.uint8]]
    """Pictures [height, width, 3]: before every step, and after the last."""
    observations: dict[str, NDArray[Any]]
    """Fields [T, ...], before every step."""
    actions: NDArray[Any]  # [T]
    rewards: NDArray[np.float64]  # [T]
    events: NDArray[np.uint16] | None
    """[T], bits of `s2lab.envs.spaces.EVENT_BITS`; None for worlds that tell none."""
    success: bool
    """Terminated with a positive last reward."""


def play_episode(policy: Policy, env_id: str, seed: int) -> Episode:
    """Play one episode to its end.

    Raises:
        UserError: a world that draws no pictures.
    """
    env = drawable_world(env_id)
    shown, _ = env.reset(seed=seed)
    mission = str(getattr(env.unwrapped, "mission", ""))
    state, reset = policy.initial_state(1), np.ones(1, np.bool_)
    frames, fields = [picture(env)], list[Mapping[str, Any]]()
    actions, rewards, events = list[Any](), list[float](), list[int | None]()
    over = success = False
    while not over:
        fields.append({name: np.array(field) for name, field in shown.items()})
        batch = {name: np.asarray(field)[None] for name, field in shown.items()}
        chosen, state = policy.step(batch, state, reset)
        reset = np.zeros(1, np.bool_)
        shown, reward, terminated, truncated, info = env.step(chosen[0])
        over, success = terminated or truncated, bool(terminated and float(reward) > 0)
        actions.append(chosen[0])
        rewards.append(float(reward))
        events.append(info.get("events"))
        frames.append(picture(env))
    env.close()
    known = None if None in events else np.array(events, np.uint16)
    observations = {name: np.stack([field[name] for field in fields]) for name in fields[0]}
    kept = np.array(actions), np.array(rewards), known
    return Episode(env_id, seed, mission, frames, observations, *kept, success)


def picture(env: gym.Env[Any, Any]) -> NDArray[np.uint8]:
    """What a world looks like now, [height, width, 3]."""
    drawn: Any = env.render()
    return np.asarray(drawn, np.uint8)


def drawable_world(env_id: str) -> gym.Env[Any, Any]:
    """One world that draws itself, with the observations that agents are trained on.

    Raises:
        UserError: it cannot draw.
    """
    from s2lab.envs.choose import is_native
    from s2lab.envs.external import AsDict, MissionTokens, QuietReset, mission_length
    from s2lab.envs.single import GridEnv

    if is_native(env_id):
        return GridEnv(env_id, render_mode="rgb_array", tile_size=TILE)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            env = gym.make(env_id, render_mode="rgb_array", disable_env_checker=True)
    except (TypeError, ValueError, gym.error.Error) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{env_id} draws no pictures (rgb_array): {reason}") from None
    if env.render_mode != "rgb_array":
        raise UserError(f"{env_id} draws no pictures: it has no render mode rgb_array")
    space = env.observation_space
    if not isinstance(space, gym.spaces.Dict):
        return AsDict(env)
    if {"image", "direction", "mission"} <= set(space.spaces):
        return MissionTokens(QuietReset(env), mission_length(env_id))
    return env


def event_flags(episode: Episode) -> dict[str, NDArray[np.bool_]]:
    """bool [T] for each event that happened at least once."""
    from s2lab.envs.spaces import EVENT_BITS

    if episode.events is None:
        return {}
    flags = {name: (episode.events & bit) != 0 for name, bit in EVENT_BITS.items()}
    return {name: flag for name, flag in flags.items() if flag.any()}
