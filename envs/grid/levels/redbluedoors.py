"""A red door to open before a blue one (minigrid/envs/redbluedoors.py)."""

from s2lab.envs.grid import random
from s2lab.envs.grid.cells import BLUE, CLOSED, RED, door
from s2lab.envs.grid.compiled import pure
from s2lab.envs.grid.endings import DOORS_IN_ORDER
from s2lab.envs.grid.level import Family, Level
from s2lab.envs.grid.missions import write_mission
from s2lab.envs.grid.placement import clear, index, place_agent, surround
from s2lab.envs.grid.worlds import Rules, Tables, Worlds


@pure
def layout(worlds: Worlds, rules: Rules, tables: Tables, n: int) -> None:
    """A square room in the middle; the red door is in its left wall, the blue one in its right."""
    size = rules.height
    left = size // 2
    clear(worlds, rules, n)
    surround(worlds, rules, n, 0, 0, rules.width, size)
    surround(worlds, rules, n, left, 0, size, size)
    place_agent(worlds, rules, n, left, 0, size, size)
    first = index(rules, left, random.integers(worlds.rng, n, 1, size - 1))
    second = index(rules, left + size - 1, random.integers(worlds.rng, n, 1, size - 1))
    worlds.cells[n, first] = door(RED, CLOSED)
    worlds.cells[n, second] = door(BLUE, CLOSED)
    worlds.slots[n, 0] = first
    worlds.slots[n, 1] = second
    write_mission(worlds, tables, n, 0)


def _level(size: int) -> Level:
    return Level(
        width=2 * size,
        height=size,
        max_steps=20 * size**2,
        ending=DOORS_IN_ORDER,
        missions=("open the red door then the blue door",),
    )


FAMILY = Family(
    name="redbluedoors",
    layout=layout,
    levels={
        "MiniGrid-RedBlueDoors-6x6-v0": _level(6),
        "MiniGrid-RedBlueDoors-8x8-v0": _level(8),
    },
)
