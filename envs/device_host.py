"""Worlds on a GPU for a learner that keeps its books in numpy: only observations stay there.

Rewards, ends and events come to the host in one piece each step, which waits for it; the last
observations of the episodes that ended come row by row, as gymnasium lays them out. Knows no
learning.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from gymnasium.vector import VectorEnv
from torch import Tensor

from s2lab.envs.vector import GridVectorEnv

Array = npt.NDArray[Any]


class HostEnds(VectorEnv[Any, Any, Any]):
    """A `DeviceVectorEnv` whose rewards, ends and infos are numpy's."""

    def __init__(self, worlds: GridVectorEnv) -> None:
        self.worlds, self.num_envs, self.metadata = worlds, worlds.num_envs, worlds.metadata
        self.single_observation_space = worlds.single_observation_space
        self.single_action_space = worlds.single_action_space
        self.observation_space, self.action_space = worlds.observation_space, worlds.action_space

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """As `DeviceVectorEnv.reset`."""
        shown, info = self.worlds.reset(seed=seed, options=options)
        return shown, {name: value.cpu().numpy() for name, value in info.items()}

    def step(self, actions: Any) -> tuple[dict[str, Any], Any, Any, Any, dict[str, Any]]:
        """As `GridVectorEnv.step`, with observations on the device."""
        shown, reward, terminated, truncated, info = self.worlds.step(actions)
        told = [reward, terminated, truncated, info["events"].view(torch.int16)]
        if "_final_obs" in info:
            told.append(info["_final_obs"])
        numbers = torch.stack([one.to(torch.float64) for one in told]).cpu().numpy()  # [4 or 5, N]
        ends = numbers[1] != 0, numbers[2] != 0
        infos: dict[str, Any] = {
            "events": numbers[3].astype(np.uint16),
            "_events": np.ones(self.num_envs, np.bool_),
        }
        if len(numbers) > 4 and numbers[4].any():
            infos.update(self._finals(info["final_obs"], numbers[4] != 0, infos["events"]))
        return shown, numbers[0], *ends, infos

    def _finals(self, final: Mapping[str, Tensor], mask: Array, events: Array) -> dict[str, Any]:
        ended = np.flatnonzero(mask)
        index = torch.from_numpy(ended).to(final["image"].device)
        rows = {name: field[index].cpu().numpy() for name, field in final.items()}
        final_obs = np.full(self.num_envs, None, object)
        for i, n in enumerate(ended.tolist()):
            final_obs[n] = {name: field[i] for name, field in rows.items()}
        kept = np.where(mask, events, 0).astype(np.uint16)
        return {
            "final_obs": final_obs,
            "_final_obs": mask,
            "final_info": {"events": kept, "_events": mask},
            "_final_info": mask,
        }

    def state_dict(self) -> dict[str, Any]:
        """As `DeviceVectorEnv.state_dict`."""
        return self.worlds.state_dict()

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """As `DeviceVectorEnv.load_state_dict`."""
        self.worlds.load_state_dict(saved)

    def mission_text(self, n: int) -> str:
        """The mission of world `n` in words."""
        return self.worlds.mission_text(n)

    def close_extras(self, **kwargs: Any) -> None:
        """Close the worlds."""
        self.worlds.close()
