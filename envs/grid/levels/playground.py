"""Nine rooms, twelve doors, twelve things and nothing to do (minigrid/envs/playground.py)."""

from s2lab.envs.grid import random
from s2lab.envs.grid.cells import CLOSED, WALL_CELL, door, thing
from s2lab.envs.grid.compiled import pure
from s2lab.envs.grid.level import Family, Level
from s2lab.envs.grid.missions import write_mission
from s2lab.envs.grid.placement import (
    clear,
    horizontal,
    place_agent,
    place_anywhere,
    put,
    random_color,
    random_kind,
    surround,
    vertical,
)
from s2lab.envs.grid.worlds import Rules, Tables, Worlds

THING_COUNT = 12


@pure
def layout(worlds: Worlds, rules: Rules, tables: Tables, n: int) -> None:
    """Three rows of three rooms with a door in every wall between two; things anywhere."""
    clear(worlds, rules, n)
    surround(worlds, rules, n, 0, 0, rules.width, rules.height)
    width, height = rules.width // 3, rules.height // 3
    for j in range(3):
        for i in range(3):
            left, top = i * width, j * height
            right, bottom = left + width, top + height
            if i < 2:
                vertical(worlds, rules, n, right, top, height, WALL_CELL)
                y = random.integers(worlds.rng, n, top + 1, bottom - 1)
                put(worlds, rules, n, right, y, door(random_color(worlds, n), CLOSED))
            if j < 2:
                horizontal(worlds, rules, n, left, bottom, width, WALL_CELL)
                x = random.integers(worlds.rng, n, left + 1, right - 1)
                put(worlds, rules, n, x, bottom, door(random_color(worlds, n), CLOSED))
    place_agent(worlds, rules, n, 0, 0, rules.width, rules.height)
    for _ in range(THING_COUNT):
        kind = random_kind(worlds, n)
        place_anywhere(worlds, rules, n, thing(kind, random_color(worlds, n)))
    write_mission(worlds, tables, n, 0)


FAMILY = Family(
    name="playground",
    layout=layout,
    levels={"MiniGrid-Playground-v0": Level(width=19, height=19, max_steps=100)},
)
