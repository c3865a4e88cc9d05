"""N worlds of one level on the CPU: seeding, resetting and stepping them in nogil shards.

Knows no gymnasium, no torch and no copies: it hands out the arrays that the kernels write.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from s2lab.envs import vocabulary
from s2lab.envs.grid import entries, kernels, random
from s2lab.envs.grid.compiled import INTERPRETED, kernel
from s2lab.envs.grid.level import Family, Level, make_shared
from s2lab.envs.grid.shards import Shards
from s2lab.envs.grid.worlds import Array, make_outputs, make_worlds


@kernel("take_actions")
def _take(actions: Array, taken: Array, count: int) -> bool:
    """Copy [N] actions; whether all are from 0 to `count` - 1."""
    known = True
    for n in range(len(taken)):
        known &= (actions[n] >= 0) & (actions[n] < count)
        taken[n] = actions[n]
    return known


class GridBatch:
    """N worlds of one level and the arrays that they are written to.

    `outputs` and `worlds.tokens` always hold the newest observation; they are written in place.
    """

    def __init__(
        self,
        family: Family,
        level: Level,
        count: int,
        *,
        mode: int = kernels.SAME_STEP,
        view_size: int = 7,
        full: bool = False,
        threads: int = 1,
    ) -> None:
        self.level, self.count, self.mode = level, count, mode
        self.rules, self.tables = make_shared(level, view_size=view_size, full=full)
        words = level.mission_length
        self.worlds = make_worlds(
            count, self.rules, slots=level.slots, words=words, scratch=level.scratch
        )
        self.outputs = make_outputs(count, self.rules, words)
        self.actions = np.zeros(count, np.uint8)
        self._layout: Any = kernels.layout_range(family.layout)
        if not INTERPRETED:
            state = (self.worlds, self.rules, self.tables, self.outputs, self.actions)
            self._held = entries.hold(state)
            self._kernels = entries.addresses(family)
            self.shards = Shards(count, threads, self._held.ctypes.data)
        self.seed([None] * count)

    def seed(self, seeds: Sequence[int | None]) -> None:
        """Seed world i with `seeds[i]`; None takes entropy from the machine."""
        for n, seed in enumerate(seeds):
            self.seed_one(n, seed)

    def seed_one(self, n: int, seed: int | None) -> None:
        """Seed one world."""
        random.seed_world(self.worlds.rng, n, seed)

    def reset(self, mask: Array | None = None) -> None:
        """Begin new episodes, in the worlds of a bool [N] mask only if one is given."""
        self.outputs.fresh[:] = True if mask is None else mask
        for array in (self.outputs.ended, self.outputs.terminated, self.outputs.truncated):
            array[self.outputs.fresh] = False
        self._work(kernels.NEXT_STEP, begin=True)

    def take(self, actions: Array) -> bool:
        """Take note of int64 [N] actions for the next step; whether the level knows them all."""
        return bool(_take(actions, self.actions, self.level.actions))

    def step(self, actions: Array | None = None) -> None:
        """Do [N] actions, or those taken; episodes that ended begin anew as the mode says."""
        if actions is not None:
            self.actions[:] = actions
        self._work(self.mode)

    def step_first(self, count: int) -> None:
        """Do what is in `actions` in the first `count` worlds, none of which begins anew."""
        if INTERPRETED:
            state = (self.worlds, self.rules, self.tables, self.outputs)
            kernels.step_range(*state, self.actions, kernels.DISABLED, 0, count)
        else:
            self.shards.call(self._kernels[0], kernels.DISABLED, count)

    def _work(self, mode: int, begin: bool = False) -> None:
        if INTERPRETED:
            self._interpret(mode, begin)
        else:
            step, lay_out, observe = self._kernels
            self.shards.run((0 if begin else step, lay_out, observe), mode)

    def _interpret(self, mode: int, begin: bool) -> None:
        state = (self.worlds, self.rules, self.tables, self.outputs)
        span = (0, self.count)
        if begin or kernels.step_range(*state, self.actions, mode, *span):
            self._layout(*state[:3], self.outputs.fresh, *span)
            kernels.observe_range(*state[:2], self.outputs, mode, *span)

    def state_dict(self) -> dict[str, dict[str, Array]]:
        """Everything that the next step depends on, and the newest observation."""
        return {
            "worlds": {name: array.copy() for name, array in self.worlds._asdict().items()},
            "outputs": {name: array.copy() for name, array in self.outputs._asdict().items()},
        }

    def load_state_dict(self, saved: Mapping[str, Mapping[str, Array]]) -> None:
        """Take up where `state_dict` was called, in the same buffers.

        Raises:
            ValueError: the state is of other worlds; nothing has changed.
        """
        ours = {"worlds": self.worlds._asdict(), "outputs": self.outputs._asdict()}
        shapes = {part: {k: np.shape(v) for k, v in saved[part].items()} for part in ours}
        if shapes != {
            part: {k: v.shape for k, v in arrays.items()} for part, arrays in ours.items()
        }:
            raise ValueError("the saved worlds are of another level, number or view size")
        for part, arrays in ours.items():
            for name, array in arrays.items():
                array[...] = saved[part][name]

    def mission_text(self, n: int) -> str:
        """The mission of world `n` in words."""
        return vocabulary.decode(self.worlds.tokens[n])

    def close(self) -> None:
        """Let the helper threads go."""
        if not INTERPRETED:
            self.shards.close()
