"""A locked door between the agent with a key and the goal (minigrid/envs/doorkey.py)."""

from s2lab.envs.grid import random
from s2lab.envs.grid.cells import GOAL_CELL, KEY, LOCKED, WALL_CELL, YELLOW, door, thing
from s2lab.envs.grid.compiled import pure
from s2lab.envs.grid.level import Family, Level
from s2lab.envs.grid.missions import write_mission
from s2lab.envs.grid.placement import clear, place_agent, place_thing, put, surround, vertical
from s2lab.envs.grid.worlds import Rules, Tables, Worlds


@pure
def layout(worlds: Worlds, rules: Rules, tables: Tables, n: int) -> None:
    """A wall with a locked door splits the room; the agent and the key are left of it."""
    width, height = rules.width, rules.height
    clear(worlds, rules, n)
    surround(worlds, rules, n, 0, 0, width, height)
    put(worlds, rules, n, width - 2, height - 2, GOAL_CELL)
    split = random.integers(worlds.rng, n, 2, width - 2)
    vertical(worlds, rules, n, split, 0, height, WALL_CELL)
    place_agent(worlds, rules, n, 0, 0, split, height)
    put(
        worlds, rules, n, split, random.integers(worlds.rng, n, 1, height - 2), door(YELLOW, LOCKED)
    )
    place_thing(worlds, rules, n, 0, 0, split, height, thing(KEY, YELLOW))
    write_mission(worlds, tables, n, 0)


def _level(size: int) -> Level:
    return Level(
        width=size,
        height=size,
        max_steps=10 * size**2,
        missions=("use the key to open the door and then get to the goal",),
    )


FAMILY = Family(
    name="doorkey",
    layout=layout,
    levels={
        "MiniGrid-DoorKey-5x5-v0": _level(5),
        "MiniGrid-DoorKey-6x6-v0": _level(6),
        "MiniGrid-DoorKey-8x8-v0": _level(8),
        "MiniGrid-DoorKey-16x16-v0": _level(16),
    },
)
