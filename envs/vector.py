"""Many worlds of one id as a `gymnasium.vector.VectorEnv`, in numpy or torch.

The rim around `grid.cpu`: checks what comes in, copies what goes out. Knows no layouts.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from s2lab.envs.batches import MODES, autoreset_mode, choose_device, make_batch
from s2lab.envs.grid.cpu import GridBatch
from s2lab.envs.seeding import seeds_of
from s2lab.envs.shifts import MissionFilter
from s2lab.envs.spaces import observation_space

Array = npt.NDArray[Any]


def make_vec(
    world_id: str,
    num_envs: int = 1,
    *,
    seed: int | Sequence[int] | None = None,
    autoreset: str | AutoresetMode = "same_step",
    observation: str = "partial",
    view_size: int = 7,
    output: str | None = None,
    copy: bool = True,
    device: str = "cpu",
    threads: int | None = None,
    shift: str | None = None,
    split: str | None = None,
    missions: MissionFilter | None = None,
    done_actions: bool = False,
) -> "GridVectorEnv":
    """N worlds of one id, stepped together.

    Args:
        world_id: minigrid's own id, such as "MiniGrid-FourRooms-v0".
        num_envs: N, how many worlds.
        seed: seeds world i with `seed + i` for its first reset; a sequence seeds each.
        autoreset: when an ended episode begins anew: gymnasium's mode or its name in lower case.
        observation: "partial", what the agent sees, or "full", the whole grid.
        view_size: cells on a side of the partial view, odd, 3 to 15.
        output: "numpy" or "torch"; None is numpy with `device="cpu"`, else torch.
        copy: hand out copies; False hands out the live buffers, valid until the next step.
        device: "cpu", "cuda", or "auto": a GPU where one works and torch is the output; see
            `device_vector.py` for what differs on a GPU.
        threads: threads to step with; None uses one.
        shift: a named shift of `s2lab.envs.shifts`, for worlds that it is defined for.
        split: "train" or "test", with a shift.
        missions: which missions a BabyAI world may have.
        done_actions: whether a part of a BabyAI mission counts once the agent says `done`.

    Raises:
        ValueError: an argument is not one of those allowed.
    """
    chosen = choose_device(device, output)
    mode = autoreset_mode(autoreset)
    options: dict[str, Any] = {"mode": MODES[mode], "observation": observation}
    options |= {"view_size": view_size, "done_actions": done_actions}
    options |= {"shift": shift, "split": split, "missions": missions}
    env: GridVectorEnv
    if chosen == "cpu":
        batch = make_batch(world_id, num_envs, threads=1 if threads is None else threads, **options)
        in_torch = output == "torch" or (output is None and device != "cpu")
        env = GridVectorEnv(batch, mode, torch=in_torch, copy=copy)
    else:
        from s2lab.envs.device_vector import DeviceVectorEnv, make_device_batch

        placed = make_device_batch(world_id, num_envs, device=chosen, threads=threads, **options)
        env = DeviceVectorEnv(placed, mode, copy=copy)
    if seed is not None:
        env.batch.seed(seeds_of(seed, env.num_envs))
    return env


class GridVectorEnv(VectorEnv[Any, Any, Any]):
    """N worlds behind gymnasium's vector interface; make one with `make_vec`."""

    def __init__(self, batch: GridBatch, mode: AutoresetMode, *, torch: bool, copy: bool) -> None:
        self.batch, self.num_envs, self._copy = batch, batch.count, copy
        self.metadata = {"render_modes": [], "autoreset_mode": mode}
        self._mode = mode
        outputs = batch.outputs
        shape = outputs.image.shape[1:]
        self.single_observation_space = observation_space(shape, batch.worlds.tokens.shape[1])
        self.single_action_space = spaces.Discrete(batch.level.actions)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._wrap = _tensor_maker() if torch else _same
        self._live = {
            "image": outputs.image,  # uint8 [N, W, H, 3]
            "direction": outputs.direction,  # int64 [N]
            "mission": batch.worlds.tokens,  # int16 [N, L]
        }
        self._live_out = {name: self._wrap(array) for name, array in self._live.items()}
        self._everyone = np.ones(self.num_envs, np.bool_)
        self._begun = False

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Begin new episodes in all worlds, or in those of `options["reset_mask"]`, bool [N].

        Worlds given a seed are seeded first; the others go on drawing where they were.

        Raises:
            ValueError: wrong seeds or mask; nothing has changed.
        """
        mask = self._reset_mask(options)
        if seed is not None:
            for n, one in enumerate(seeds_of(seed, self.num_envs)):
                if one is not None and (mask is None or mask[n]):
                    self.batch.seed_one(n, one)
        self.batch.reset(mask)
        self._begun = True
        chosen = self._everyone if mask is None else mask
        events = np.where(chosen, self.batch.outputs.events, 0).astype(np.uint16)
        return self._observations(), {"events": self._wrap(events), "_events": chosen.copy()}

    def _reset_mask(self, options: dict[str, Any] | None) -> Array | None:
        if options is None or "reset_mask" not in options:
            return None
        mask = options["reset_mask"]
        shape, dtype = (self.num_envs,), np.dtype(np.bool_)
        if not isinstance(mask, np.ndarray) or mask.shape != shape or mask.dtype != dtype:
            raise ValueError(f"reset_mask is {mask!r}; give a bool array of shape {shape}")
        if not mask.any():
            raise ValueError("reset_mask names no world; set at least one entry to True")
        if not self._begun and not mask.all():
            raise ValueError("the first reset must begin every world; leave reset_mask out")
        return mask

    def step(self, actions: Any) -> tuple[dict[str, Any], Any, Any, Any, dict[str, Any]]:
        """Do one action in every world.

        Args:
            actions: whole numbers [N], each from 0 to the number of actions - 1.

        Raises:
            ValueError: wrong shape, type or number, or an ended world; nothing has changed.
        """
        self._take(actions)
        outputs = self.batch.outputs
        self.batch.step()
        infos: dict[str, Any] = {"events": self._out(outputs.events), "_events": self._everyone}
        if self._mode is AutoresetMode.SAME_STEP and np.count_nonzero(outputs.fresh):
            infos.update(self._finals(np.flatnonzero(outputs.fresh)))
        rewards = self._wrap(outputs.reward.copy())
        terminated = self._wrap(outputs.terminated.copy())
        truncated = self._wrap(outputs.truncated.copy())
        return self._observations(), rewards, terminated, truncated, infos

    def _take(self, actions: Any) -> None:
        if not self.batch.take(self._checked(actions)):
            self._check_known(actions)
        if self._mode is AutoresetMode.DISABLED and self.batch.outputs.ended.any():
            ended = np.flatnonzero(self.batch.outputs.ended).tolist()
            raise ValueError(f'worlds {ended} have ended; reset them with options["reset_mask"]')

    def _checked(self, actions: Any) -> Array:
        """Whole numbers [N], whichever they are."""
        given: Array = np.asarray(actions)
        if given.shape != (self.num_envs,):
            raise ValueError(f"actions have shape {given.shape}; give {(self.num_envs,)}")
        if given.dtype.kind not in "iu":
            raise ValueError(f"actions are of type {given.dtype}; give whole numbers")
        if not self._begun:
            raise ValueError("step before the first reset; call reset()")
        return np.ascontiguousarray(given, np.int64)

    def _check_known(self, actions: Any) -> None:
        given, count = np.asarray(actions), self.batch.level.actions
        wrong = given[(given < 0) | (given >= count)]
        if len(wrong):
            raise ValueError(f"action {wrong[0]} is not one of 0 to {count - 1}")

    def _finals(self, ended: Array) -> dict[str, Any]:
        """The last observations of the episodes that ended, as gymnasium lays them out."""
        outputs = self.batch.outputs
        images = self._wrap(outputs.final_image[ended])
        directions = outputs.final_direction[ended]
        missions = self._wrap(outputs.final_tokens[ended])
        final_obs = np.full(self.num_envs, None, object)
        parts = zip(ended.tolist(), images, directions, missions, strict=True)
        for n, image, direction, mission in parts:
            final_obs[n] = {"image": image, "direction": direction, "mission": mission}
        mask = outputs.fresh.copy()
        events = np.where(mask, outputs.events, 0).astype(np.uint16)
        return {
            "final_obs": final_obs,
            "_final_obs": mask,
            "final_info": {"events": self._wrap(events), "_events": mask},
            "_final_info": mask,
        }

    def _out(self, array: Array) -> Any:
        return self._wrap(array.copy() if self._copy else array)

    def _observations(self) -> dict[str, Any]:
        if self._copy:
            return {name: self._wrap(array.copy()) for name, array in self._live.items()}
        return dict(self._live_out)

    def state_dict(self) -> dict[str, Any]:
        """The worlds as they are, their random streams included."""
        return {"batch": self.batch.state_dict(), "begun": self._begun}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Go on exactly where `state_dict` was called.

        Raises:
            ValueError: the state is of other worlds; nothing has changed.
        """
        self.batch.load_state_dict(saved["batch"])
        self._begun = bool(saved["begun"])

    def mission_text(self, n: int) -> str:
        """The mission of world `n` in words."""
        return self.batch.mission_text(n)

    def close_extras(self, **kwargs: Any) -> None:
        """Let the helper threads go."""
        self.batch.close()


def _same(array: Array) -> Any:
    return array


def _tensor_maker() -> Callable[[Array], Any]:
    import torch

    return torch.from_numpy
