"""Observations of demonstrations, made again by the engine. Knows no learning.

Episodes are played side by side, the longest first, so that those still running are always the
first worlds of the batch and no step is done in vain.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from s2lab.envs.demonstrations import Demonstrations
from s2lab.envs.grid import kernels
from s2lab.envs.grid.cpu import GridBatch
from s2lab.envs.registration import find_world
from s2lab.envs.seed_sequences import generator_states

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Episodes:
    """What demonstrators saw and did, episode after episode, S steps in all."""

    starts: Array  # int64 [E], where each episode begins
    lengths: Array  # int64 [E]
    image: Array  # uint8 [S, W, H, 3]
    direction: Array  # int64 [S]
    mission: Array  # int16 [E, L]
    actions: Array  # uint8 [S]
    success: Array  # bool [E], the last action ended the episode with a reward


class Replay:
    """Plays episodes of a set of demonstrations again."""

    def __init__(self, demos: Demonstrations, *, worlds: int = 2048, view_size: int = 7) -> None:
        """Worlds for the demonstrations' id.

        Raises:
            ValueError: there is no such world here.
        """
        family, level = find_world(demos.env_id)
        self.demos, self._count = demos, max(1, worlds)
        self._actions = np.asarray(demos.actions)  # a plain view of the mapped file
        self._batch = GridBatch(
            family, level, self._count, mode=kernels.DISABLED, view_size=view_size
        )

    def play(self, episodes: Array) -> Episodes:
        """The episodes with these numbers, in their order.

        Raises:
            ValueError: an episode's mission is not the engine's: it was recorded in another world.
        """
        records = self.demos.records[np.asarray(episodes)]
        lengths = records["length"].astype(np.int64)
        starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
        steps, shape = int(lengths.sum()), self._batch.outputs.image.shape[1:]
        done = Episodes(
            starts,
            lengths,
            np.empty((steps, *shape), np.uint8),
            np.empty(steps, np.int64),
            np.ascontiguousarray(records["mission"]),
            np.empty(steps, np.uint8),
            np.zeros(len(records), np.bool_),
        )
        order = np.argsort(-lengths, kind="stable")
        for first in range(0, len(order), self._count):
            self._play_together(done, records, order[first : first + self._count])
        return done

    def _play_together(self, done: Episodes, records: Array, chosen: Array) -> None:
        """Play the chosen episodes, the longest of them first."""
        batch, count = self._batch, len(chosen)
        batch.worlds.rng[:count] = generator_states(records["seed"][chosen])
        batch.reset()
        if not np.array_equal(batch.worlds.tokens[:count], done.mission[chosen]):
            raise ValueError(f"{self.demos.path} was recorded in other worlds than these")
        lengths, starts = done.lengths[chosen], done.starts[chosen]
        recorded = records["start"][chosen].astype(np.int64)
        images = done.image.reshape(len(done.image), -1)  # a row of bytes per step copies fastest
        seen = batch.outputs.image.reshape(self._count, -1)
        running = count
        for t in range(int(lengths[0])):
            rows = starts[:running] + t
            images[rows] = seen[:running]
            done.direction[rows] = batch.outputs.direction[:running]
            batch.actions[:running] = done.actions[rows] = self._actions[recorded[:running] + t]
            batch.step_first(running)
            going_on = int(np.searchsorted(-lengths, -(t + 1)))  # episodes longer than t + 1
            last = slice(going_on, running)
            won = batch.outputs.terminated[last] & (batch.outputs.reward[last] > 0)
            done.success[chosen[last]] = won
            running = going_on
