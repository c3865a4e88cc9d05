"""Four rooms joined by gaps, with a goal anywhere (minigrid/envs/fourrooms.py)."""

from s2lab.envs.grid import random
from s2lab.envs.grid.cells import EMPTY, GOAL_CELL, WALL_CELL
from s2lab.envs.grid.compiled import pure
from s2lab.envs.grid.level import Family, Level
from s2lab.envs.grid.missions import write_mission
from s2lab.envs.grid.placement import (
    clear,
    horizontal,
    place_agent,
    place_anywhere,
    put,
    surround,
    vertical,
)
from s2lab.envs.grid.worlds import Rules, Tables, Worlds


@pure
def layout(worlds: Worlds, rules: Rules, tables: Tables, n: int) -> None:
    """Walls through the middle, each half of which has one gap at random."""
    clear(worlds, rules, n)
    surround(worlds, rules, n, 0, 0, rules.width, rules.height)
    width, height = rules.width // 2, rules.height // 2
    for j in range(2):
        for i in range(2):
            left, top = i * width, j * height
            right, bottom = left + width, top + height
            if i == 0:
                vertical(worlds, rules, n, right, top, height, WALL_CELL)
                put(worlds, rules, n, right, random.integers(worlds.rng, n, top + 1, bottom), EMPTY)
            if j == 0:
                horizontal(worlds, rules, n, left, bottom, width, WALL_CELL)
                put(
                    worlds, rules, n, random.integers(worlds.rng, n, left + 1, right), bottom, EMPTY
                )
    place_agent(worlds, rules, n, 0, 0, rules.width, rules.height)
    place_anywhere(worlds, rules, n, GOAL_CELL)
    write_mission(worlds, tables, n, 0)


FAMILY = Family(
    name="fourrooms",
    layout=layout,
    levels={
        "MiniGrid-FourRooms-v0": Level(
            width=19, height=19, max_steps=100, missions=("reach the goal",)
        )
    },
)
