"""Lockstep with minigrid where a part of a mission counts once the agent says `done`.

A program of its own, because minigrid reads BABYAI_DONE_ACTIONS when it is imported:

    BABYAI_DONE_ACTIONS=1 python tests/envs/done_actions.py STEPS ID ...
"""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import lockstep
import numpy as np
from explorer import DONE, Explorer
from minigrid.envs.babyai.core import verifier

from s2lab.envs.registration import find_world


def instructions(instruction: Any) -> Iterator[Any]:
    """The parts of one of minigrid's missions."""
    if isinstance(instruction, verifier.SeqInstr):
        yield from instructions(instruction.instr_a)
        yield from instructions(instruction.instr_b)
    else:
        yield instruction


class Speaker:
    """An explorer that mostly says `done` when it has done something, and at times when not."""

    def __init__(self, seed: int) -> None:
        self._explorer, self._random = Explorer(seed, 7), np.random.default_rng(seed)

    def choose(self, env: Any) -> int:
        """The next action."""
        fulfilled = any(part.lastStepMatch for part in instructions(env.instrs))
        if self._random.random() < (0.7 if fulfilled else 0.01):
            return DONE
        while (action := self._explorer.choose(env)) == DONE:
            pass
        return action


def play(world_id: str, steps: int) -> Counter[str]:
    """Play and compare; count what happened."""
    pair = lockstep.Lockstep(world_id, 7)
    speaker = Speaker(7)
    for _ in range(steps):
        pair.step(speaker.choose(pair.env))
    return pair.counts


def main(words: list[str]) -> None:
    """Print what happened in each id's world."""
    assert verifier.use_done_actions, "set BABYAI_DONE_ACTIONS=1"
    lockstep.find_world = lambda world_id: find_world(world_id, done_actions=True)
    steps, world_ids = int(words[0]), words[1:]
    print(json.dumps({world_id: play(world_id, steps) for world_id in world_ids}))


if __name__ == "__main__":
    main(sys.argv[1:])
