"""N worlds of one level on the CPU: seeding, resetting and stepping them in nogil shards.

Knows no gymnasium, no torch and no copies: it hands out the arrays that the kernels write.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from s2lab.envs import vocabulary
from s2lab.envs.grid import kernels, missions, random
from s2lab.envs.grid.compiled import call_compiled
from s2lab.envs.grid.level import Family, Level
from s2lab.envs.grid.shards import Shards
from s2lab.envs.grid.worlds import (
    Array,
    Tables,
    make_outputs,
    make_rules,
    make_worlds,
    reward_table,
)


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
        templates = missions.template_table(level.missions)
        self.tables = Tables(
            params=np.array([*level.params, 0], np.int32),
            templates=templates,
            limits=np.array(level.limits, np.int32),
            rewards=reward_table(level.limits),
        )
        self.rules = make_rules(
            level.width,
            level.height,
            view_size=view_size,
            see_through_walls=level.see_through_walls,
            full=full,
            ending=level.ending,
        )
        words = level.mission_length
        self.worlds = make_worlds(
            count, self.rules, slots=level.slots, words=words, scratch=level.scratch
        )
        self.outputs = make_outputs(count, self.rules, words)
        self.shards = Shards(count, threads)
        self._layout: Any = kernels.layout_range(family.name, family.layout)
        self._compile(family.name)
        self.seed([None] * count)

    def _compile(self, name: str) -> None:
        """Make every kernel ready, on no worlds at all."""
        actions = np.zeros(self.count, np.int64)
        state = (self.worlds, self.rules, self.tables)
        call_compiled(kernels.step_range, "step", *state, self.outputs, actions, self.mode, 0, 0)
        call_compiled(kernels.observe_range, "observe", *state[:2], self.outputs, self.mode, 0, 0)
        call_compiled(self._layout, f"layout_{name}", *state, self.outputs.fresh, 0, 0)

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
        self.shards.run(lambda start, stop: self._begin(kernels.NEXT_STEP, start, stop))

    def step(self, actions: Array) -> None:
        """Do int64 [N] actions; episodes that ended begin anew as the mode says."""

        def work(start: int, stop: int) -> None:
            state = (self.worlds, self.rules, self.tables, self.outputs)
            if kernels.step_range(*state, actions, self.mode, start, stop):
                self._begin(self.mode, start, stop)

        self.shards.run(work)

    def _begin(self, mode: int, start: int, stop: int) -> None:
        self._layout(self.worlds, self.rules, self.tables, self.outputs.fresh, start, stop)
        kernels.observe_range(self.worlds, self.rules, self.outputs, mode, start, stop)

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
        self.shards.close()
