"""Many worlds of one id on a GPU as a `gymnasium.vector.VectorEnv`; nothing leaves the device.

As on the CPU, but for what would make the host wait for the GPU:

* everything that is handed out is a torch tensor on the device, masks (`_events`, `_final_obs`)
  too; with `copy=False` rewards and ends are live buffers as well.
* `infos["final_obs"]` and `infos["final_info"]` are in every step of SAME_STEP: tensors [N, ...],
  whose rows mean something where `_final_obs` is True.
* actions that are in the device's memory are looked at there. A world whose action is out of range,
  or which has ended (autoreset "disabled"), is not stepped: it stays as it is and gets no reward. A
  later `step` or `reset`, or `check`, which waits, raises what the host has then heard of it.
  Actions in the host's memory are looked at before anything is stepped.

Observations have the world as their innermost axis in memory, though their first to index: steps
are two to four times as fast so (`make gpu-check`). `.contiguous()` turns one around.

Steps may be captured in a CUDA graph, after one that is not: pass actions in a tensor that stays
where it is, use `copy=False`, and call `check` after replaying. Knows no layouts.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
from gymnasium.vector import AutoresetMode
from torch import Tensor

from s2lab.envs.batches import checked
from s2lab.envs.device import DeviceBatch, Plan
from s2lab.envs.grid.cpu import GridBatch
from s2lab.envs.seeding import seeds_of
from s2lab.envs.vector import GridVectorEnv


def make_device_batch(
    world_id: str,
    num_envs: int,
    *,
    device: str,
    threads: int | None = None,
    plan: Plan | None = None,
    **options: Any,
) -> DeviceBatch:
    """Worlds on a GPU; `options` are those of `batches.checked`.

    Raises:
        ValueError: an argument is not one of those allowed.
    """
    if threads is not None:
        raise ValueError(f"threads is {threads!r}; leave it out: a GPU has one for each world")
    family, level, rest = checked(world_id, num_envs, **options)
    return DeviceBatch(family, level, int(num_envs), device=device, plan=plan, **rest)


class DeviceVectorEnv(GridVectorEnv):
    """N worlds on a GPU; make one with `make_vec(..., device="cuda")`."""

    def __init__(self, batch: DeviceBatch, mode: AutoresetMode, *, copy: bool) -> None:
        # The same fields in tensors.
        super().__init__(cast(GridBatch, batch), mode, torch=False, copy=copy)
        self.device = batch.device
        self.device_batch = batch
        self._all = torch.ones(self.num_envs, dtype=torch.bool, device=batch.device)

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Begin new episodes in all worlds, or in those of `options["reset_mask"]`, bool [N].

        Worlds given a seed are seeded first; the others go on drawing where they were. A mask on
        the device makes the host wait only where seeds are given.

        Raises:
            ValueError: wrong seeds or mask, or an earlier step's wrong action; nothing has changed.
        """
        self._complain()
        batch = self.device_batch
        given = None if options is None else options.get("reset_mask")
        on_host = self._host_mask(given, seed is not None)
        if seed is not None:
            seeds = seeds_of(seed, self.num_envs)
            named = range(self.num_envs) if on_host is None else np.flatnonzero(on_host).tolist()
            chosen = [n for n in named if seeds[n] is not None]
            batch.seed_worlds(chosen, [seeds[n] for n in chosen])
        mask = None if given is None else torch.as_tensor(given, device=self.device)
        batch.reset(mask)
        self._begun = True
        chosen_worlds = self._all if mask is None else mask
        events = (self._tensors().events * chosen_worlds).view(torch.uint16)
        return self._observations(), {"events": events, "_events": chosen_worlds.clone()}

    def _host_mask(self, mask: Any, needed: bool) -> Any:
        """A mask in the host's memory, checked; one on the device stays there unless needed."""
        if mask is None:
            return None
        if isinstance(mask, Tensor):
            if tuple(mask.shape) != (self.num_envs,) or mask.dtype != torch.bool:
                raise ValueError(
                    f"reset_mask is {tuple(mask.shape)}, {mask.dtype}; give bool {self.num_envs}"
                )
            if self._begun and not needed:
                return None
            mask = mask.cpu().numpy()
        return self._reset_mask({"reset_mask": mask})

    def step(self, actions: Any) -> tuple[dict[str, Any], Any, Any, Any, dict[str, Any]]:
        """Do one action in every world, without waiting for it.

        Args:
            actions: whole numbers [N], each from 0 to the number of actions - 1; a tensor on the
                device, or anything on the host, which is then copied.

        Raises:
            ValueError: wrong shape, type or number, and nothing has changed; or an action of an
                earlier step was wrong, and that world was not stepped.
        """
        chosen = self._placed(actions)
        outputs = self._tensors()
        self.device_batch.step(chosen)
        events = self._out(outputs.events).view(torch.uint16)
        infos: dict[str, Any] = {"events": events, "_events": self._all}
        if self._mode is AutoresetMode.SAME_STEP:
            infos.update(self._final(events))
        ends = [self._out(x) for x in (outputs.reward, outputs.terminated, outputs.truncated)]
        return self._observations(), ends[0], ends[1], ends[2], infos

    def _placed(self, actions: Any) -> Tensor:
        """Actions that may be stepped, as far as the host can tell without waiting."""
        self._complain()
        if isinstance(actions, Tensor) and actions.device == self.device:
            return self._in_shape(actions)
        if isinstance(actions, Tensor) and actions.device.type != "cpu":
            raise ValueError(f"actions are on {actions.device}, the worlds on {self.device}")
        whole = self._checked(actions)
        self._check_known(actions)
        return torch.from_numpy(whole)

    def _in_shape(self, actions: Tensor) -> Tensor:
        if tuple(actions.shape) != (self.num_envs,):
            raise ValueError(f"actions have shape {tuple(actions.shape)}; give {(self.num_envs,)}")
        if actions.is_floating_point() or actions.is_complex() or actions.dtype == torch.bool:
            raise ValueError(f"actions are of type {actions.dtype}; give whole numbers")
        if not self._begun:
            raise ValueError("step before the first reset; call reset()")
        return actions

    def _final(self, events: Tensor) -> dict[str, Any]:
        """The last observations of the episodes that ended, valid where `_final_obs` is True."""
        outputs = self._tensors()
        mask = self._out(outputs.fresh)
        final = {
            "image": self._out(outputs.final_image),
            "direction": self._out(outputs.final_direction),
            "mission": self._out(outputs.final_tokens),
        }
        return {
            "final_obs": final,
            "_final_obs": mask,
            "final_info": {"events": events, "_events": mask},
            "_final_info": mask,
        }

    def _tensors(self) -> Any:
        return self.device_batch.outputs

    def _out(self, array: Any) -> Any:
        return array.clone() if self._copy else array

    def _observations(self) -> dict[str, Any]:
        return {name: self._out(tensor) for name, tensor in self._live.items()}

    def check(self) -> None:
        """Wait for every step that was begun.

        Raises:
            ValueError: a world was not stepped, because its action was wrong or it had ended.
        """
        self.device_batch.wait()
        self._complain()

    def _complain(self) -> None:
        said = self.device_batch.complaint()
        if said is not None:
            raise ValueError(f"{said}; that world was not stepped, the others were")

    def state_dict(self) -> dict[str, Any]:
        """The worlds as they are, in the host's memory; worlds on the CPU take it up as well."""
        self.check()
        return super().state_dict()

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Go on exactly where `state_dict` was called, on whichever device that was.

        Raises:
            ValueError: the state is of other worlds; nothing has changed.
        """
        super().load_state_dict(saved)

    def close_extras(self, **kwargs: Any) -> None:
        """Wait for the last step."""
        self.device_batch.close()
