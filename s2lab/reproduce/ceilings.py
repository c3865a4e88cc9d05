"""How well a world of walls, floor and one goal can be played: two scripted players, no learning.

One knows the whole grid and walks the shortest way; one knows what its view has shown so far,
never forgets it, and looks where a step shows most. A pose is (direction, x, y), directions as
minigrid numbers them: 0 east, 1 south, 2 west, 3 north. Knows no agents.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2lab.envs.grid.cells import EMPTY, GOAL, UNSEEN, WALL
from s2lab.envs.vector import GridVectorEnv, make_vec

STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))  # x and y of one step in each direction
LEFT, RIGHT, FORWARD = range(3)
VIEW = 7  # cells on a side of the view

Array = NDArray[Any]


def distances(
    free: Array,  # bool [N, W, H]
    starts: Array,  # bool [N, 4, W, H]
) -> Array:  # int [N, 4, W, H]
    """Fewest turns and steps from a start pose to every pose; -1 where none leads."""
    found = np.full(starts.shape, -1, np.int32)
    front, length = starts & free[:, None], 0
    while front.any():
        found[front] = length
        ahead = np.roll(front, 1, axis=1) | np.roll(front, -1, axis=1)
        for direction, step in enumerate(STEPS):
            ahead[:, direction] |= np.roll(front[:, direction], step, axis=(1, 2))
        front, length = ahead & free[:, None] & (found < 0), length + 1
    return found


def distances_to(free: Array, ends: Array) -> Array:
    """The same from every pose to an end: the way back is the way there, seen from behind."""
    return np.roll(distances(free, np.roll(ends, 2, axis=1)), 2, axis=1)


def shortest_ways(world_id: str, seeds: Sequence[int]) -> Array:  # int [N]
    """Steps to the goal of each seed's world for who knows the grid; -1 where it is walled off."""
    worlds = make_vec(world_id, len(seeds), observation="full")
    image = worlds.reset(seed=list(seeds))[0]["image"]
    kinds, (direction, x, y) = image[..., 0], pose(worlds)  # [N, W, H], [N] each
    everyone = np.arange(len(seeds))
    free = (kinds == EMPTY) | (kinds == GOAL)
    free[everyone, x, y] = True
    ends = np.repeat((kinds == GOAL)[:, None], 4, axis=1)
    ways: Array = distances_to(free, ends)[everyone, direction, x, y]
    return ways


def pose(worlds: GridVectorEnv) -> tuple[Array, Array, Array]:
    """Every agent's direction, x and y, int [N] each."""
    now = worlds.batch.worlds
    return now.agent_dir.astype(int), now.agent_x.astype(int), now.agent_y.astype(int)


def explore(world_id: str, seeds: Sequence[int]) -> Array:  # int [N]
    """Steps to the goal of each seed's world for who forgets nothing it saw; -1 for a time-out."""
    worlds = make_vec(world_id, len(seeds))
    seen = worlds.reset(seed=list(seeds))[0]["image"]
    rules = worlds.batch.level
    known = np.zeros((len(seeds), rules.width, rules.height), np.uint8)  # types of cells
    lengths = np.full(len(seeds), -1)
    playing = np.arange(len(seeds))
    for step in range(1, rules.max_steps + 1):
        here = tuple(part[playing] for part in pose(worlds))
        known[playing] = remember(known[playing], seen[playing, ..., 0], *here)
        actions = np.zeros(len(seeds), np.int64)
        actions[playing] = plan(known[playing], *here)
        observation, rewards, terminated, truncated, _ = worlds.step(actions)
        seen = observation["image"]
        ended = terminated[playing] | truncated[playing]
        won = playing[terminated[playing] & (rewards[playing] > 0)]
        lengths[won] = step
        playing = playing[~ended]
        if not playing.size:
            break
    return lengths


def remember(known: Array, kinds: Array, direction: Array, x: Array, y: Array) -> Array:
    """The map `known` with what the views `kinds`, [N, 7, 7], show; the agent's cell is floor."""
    known, everyone = known.copy(), np.arange(len(known))
    ahead = np.array(STEPS)[direction]  # [N, 2]
    right = np.stack([-ahead[:, 1], ahead[:, 0]], axis=1)
    for across in range(VIEW):
        for down in range(VIEW):
            far, aside = VIEW - 1 - down, across - VIEW // 2
            at_x = x + far * ahead[:, 0] + aside * right[:, 0]
            at_y = y + far * ahead[:, 1] + aside * right[:, 1]
            kind = kinds[:, across, down]
            shown = (kind != UNSEEN) & (far + abs(aside) > 0)
            known[everyone[shown], at_x[shown], at_y[shown]] = kind[shown]
    known[everyone, x, y] = EMPTY
    return known


def plan(known: Array, direction: Array, x: Array, y: Array) -> Array:  # int [N]
    """The next action: to the goal if it is on the map, else to the most unknown cells per step."""
    everyone = np.arange(len(known))
    free = (known == EMPTY) | (known == GOAL)
    starts = np.zeros((len(known), 4, *known.shape[1:]), np.bool_)
    starts[everyone, direction, x, y] = True
    far = distances(free, starts)
    shows = unknown_in_view(known) + 1e6 * (known == GOAL)[:, None]
    worth = np.where(far > 0, shows / np.maximum(far, 1), 0.0)
    best = worth.reshape(len(known), -1).argmax(axis=1)
    ends = np.zeros_like(starts)
    ends.reshape(len(known), -1)[everyone, best] = True
    left = distances_to(free, ends)  # [N, 4, W, H]
    step = np.array(STEPS)[direction]
    after = np.stack(
        [
            left[everyone, (direction - 1) % 4, x, y],
            left[everyone, (direction + 1) % 4, x, y],
            left[everyone, direction, x + step[:, 0], y + step[:, 1]],
        ]
    )  # [3, N], steps left after each action, -1 into a wall
    action: Array = np.where(after < 0, np.iinfo(np.int32).max, after).argmin(axis=0)
    return action


def unknown_in_view(known: Array) -> Array:  # int [N, 4, W, H]
    """How many unknown cells inside the outer walls each pose might show: no known wall between."""
    count, width, height = known.shape
    unknown, wall = (
        np.pad(layer, ((0, 0), (VIEW, VIEW), (VIEW, VIEW)))
        for layer in (known == UNSEEN, known == WALL)
    )
    unknown[:, VIEW], unknown[:, VIEW + width - 1] = False, False  # the outer walls
    unknown[:, :, VIEW], unknown[:, :, VIEW + height - 1] = False, False

    def moved(layer: Array, x: int, y: int) -> Array:
        """`layer` at each cell of the grid plus (x, y), bool [N, W, H]."""
        return layer[:, VIEW + x : VIEW + x + width, VIEW + y : VIEW + y + height]

    squares = np.zeros((count, 4, width, height), np.int64)
    for direction, (ahead_x, ahead_y) in enumerate(STEPS):
        for far in range(VIEW):
            for aside in range(-(VIEW // 2), VIEW // 2 + 1):
                x, y = far * ahead_x - aside * ahead_y, far * ahead_y + aside * ahead_x
                shown = moved(unknown, x, y).copy()
                for between_x, between_y in line(x, y):
                    shown &= ~moved(wall, between_x, between_y)
                squares[:, direction] += shown
    return squares


def line(x: int, y: int) -> list[tuple[int, int]]:
    """The cells strictly between the origin and (x, y), one per step along the longer side."""
    steps = max(abs(x), abs(y))
    return [(round(x * i / steps), round(y * i / steps)) for i in range(1, steps)]
