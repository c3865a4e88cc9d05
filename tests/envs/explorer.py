"""A player of minigrid's own environments that gets things done: it walks, opens, carries, solves.

Reads the full state of a minigrid environment and plans on it, so that a comparison meets doors,
keys, boxes and successes and not walls alone. Knows nothing of the engine under test.
"""

from collections import deque
from typing import Any

import numpy as np

LEFT, RIGHT, FORWARD, PICKUP, DROP, TOGGLE, DONE = range(7)
STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))
Cell = tuple[int, int]


class Explorer:
    """Chooses actions: some at random, most towards a thing that it picks to deal with."""

    def __init__(self, seed: int, actions: int, randomness: float = 0.15) -> None:
        self._random = np.random.default_rng(seed)
        self._actions, self._randomness = actions, randomness
        self._target: Cell | None = None
        self._patience = 0
        self._laying_down = False

    def choose(self, env: Any) -> int:
        """The next action in an unwrapped minigrid environment."""
        if self._random.random() < self._randomness:
            return int(self._random.integers(self._actions))
        ahead = env.grid.get(*env.front_pos)
        if ahead is not None and ahead.type == "lava" and self._random.random() < 0.1:
            return FORWARD
        if self._laying_down and env.carrying is not None:
            self._laying_down = ahead is not None
            return DROP if ahead is None else RIGHT
        self._patience -= 1
        if self._target is None or self._patience < 0 or env.grid.get(*self._target) is None:
            self._target, self._patience = self._pick_target(env), 60
        if self._target is None:
            return int(self._random.integers(self._actions))
        action = self._towards(env, self._target)
        if action is None:
            self._target = None
            action = int(self._random.integers(self._actions))
        return action if action < self._actions else int(self._random.integers(self._actions))

    def _pick_target(self, env: Any) -> Cell | None:
        """Something to deal with: the more the mission speaks of it, the likelier."""
        cells, weights = [], []
        for x in range(env.width):
            for y in range(env.height):
                thing = env.grid.get(x, y)
                if thing is None or thing.type in ("wall", "lava", "floor"):
                    continue
                weight = 1.0
                if thing.type == "goal" or f"{thing.color} {thing.type}" in env.mission:
                    weight = 6.0
                elif thing.type in env.mission or thing.type == "key":
                    weight = 3.0
                cells.append((x, y))
                weights.append(weight)
        if not cells:
            return None
        chances = np.array(weights) / sum(weights)
        return cells[int(self._random.choice(len(cells), p=chances))]

    def _towards(self, env: Any, target: Cell) -> int | None:
        """The next action on the shortest way, or the deed once the target is ahead."""
        start = (int(env.agent_pos[0]), int(env.agent_pos[1]))
        ahead = self._ahead(start, env.agent_dir)
        if ahead == target:
            return self._deed(env, env.grid.get(*target))
        step = self._first_step(env, start, target)
        if step is None or step == start:
            return None
        turn = (STEPS.index((step[0] - start[0], step[1] - start[1])) - env.agent_dir) % 4
        if turn:
            return LEFT if turn == 3 else RIGHT
        thing = env.grid.get(*step)
        if thing is None or thing.can_overlap():
            return FORWARD
        return self._deed(env, thing)

    def _deed(self, env: Any, thing: Any) -> int:
        """What to do with a thing ahead."""
        if thing.type == "goal":
            return FORWARD
        if thing.type == "door":
            if thing.is_open and self._random.random() < 0.5:
                self._target = None
                return FORWARD
            if env.mission.startswith("go to") and self._random.random() < 0.5:
                return DONE
            return TOGGLE
        if env.mission.startswith("go to") and self._random.random() < 0.5:
            return DONE
        wanted = f"{thing.color} {thing.type}" in env.mission
        if thing.type == "box" and self._random.random() < (0.1 if wanted else 0.5):
            return TOGGLE
        if env.carrying is not None:
            self._laying_down = True
            return RIGHT
        self._target = None
        return PICKUP

    @staticmethod
    def _ahead(position: Cell, direction: int) -> Cell:
        return position[0] + STEPS[direction][0], position[1] + STEPS[direction][1]

    def _first_step(self, env: Any, start: Cell, target: Cell) -> Cell | None:
        """The first cell on a shortest way; things in the way may be dealt with on the way."""
        before: dict[Cell, Cell] = {start: start}
        queue = deque([start])
        while queue:
            here = queue.popleft()
            if here == target:
                while before[here] != start:
                    here = before[here]
                return here
            for direction in range(4):
                there = self._ahead(here, direction)
                if there in before or not (
                    0 <= there[0] < env.width and 0 <= there[1] < env.height
                ):
                    continue
                thing = env.grid.get(*there)
                if there == target or self._passable(env, thing):
                    before[there] = here
                    queue.append(there)
        return None

    @staticmethod
    def _passable(env: Any, thing: Any) -> bool:
        if thing is None or thing.type in ("goal", "floor"):
            return True
        if thing.type == "door":
            key = env.carrying
            matches = key is not None and key.type == "key" and key.color == thing.color
            return not thing.is_locked or matches
        return thing.type in ("key", "ball", "box")
