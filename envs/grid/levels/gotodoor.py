"""Four doors, one of which to stop beside (minigrid/envs/gotodoor.py)."""

from s2lab.envs.grid import random
from s2lab.envs.grid.cells import CLOSED, door
from s2lab.envs.grid.compiled import pure
from s2lab.envs.grid.endings import GO_BESIDE
from s2lab.envs.grid.level import Family, Level
from s2lab.envs.grid.missions import write_mission
from s2lab.envs.grid.placement import (
    clear,
    index,
    place_agent,
    random_color,
    surround,
    x_of,
    y_of,
)
from s2lab.envs.grid.worlds import Rules, Tables, Worlds


@pure
def layout(worlds: Worlds, rules: Rules, tables: Tables, n: int) -> None:
    """A room of random size in the upper left of the grid, with a door in each wall."""
    rng, doors = worlds.rng, worlds.scratch
    clear(worlds, rules, n)
    width = random.integers(rng, n, 5, rules.width + 1)
    height = random.integers(rng, n, 5, rules.height + 1)
    surround(worlds, rules, n, 0, 0, width, height)
    doors[n, 0] = index(rules, random.integers(rng, n, 2, width - 2), 0)
    doors[n, 1] = index(rules, random.integers(rng, n, 2, width - 2), height - 1)
    doors[n, 2] = index(rules, 0, random.integers(rng, n, 2, height - 2))
    doors[n, 3] = index(rules, width - 1, random.integers(rng, n, 2, height - 2))
    used = 0
    for i in range(4):
        color = random_color(worlds, n)
        while used >> color & 1:
            color = random_color(worlds, n)
        used |= 1 << color
        worlds.cells[n, doors[n, i]] = door(color, CLOSED)
    place_agent(worlds, rules, n, 0, 0, width, height)
    target = doors[n, random.integers(rng, n, 0, 4)]
    worlds.slots[n, 0] = worlds.cells[n, target]
    worlds.slots[n, 1] = x_of(rules, target)
    worlds.slots[n, 2] = y_of(rules, target)
    write_mission(worlds, tables, n, 0)


def _level(size: int) -> Level:
    return Level(
        width=size,
        height=size,
        max_steps=4 * size**2,
        see_through_walls=True,
        ending=GO_BESIDE,
        missions=("go to the {color0} door",),
        scratch=4,
    )


FAMILY = Family(
    name="gotodoor",
    layout=layout,
    levels={f"MiniGrid-GoToDoor-{size}x{size}-v0": _level(size) for size in (5, 6, 8)},
)
