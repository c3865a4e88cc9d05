"""Rivers of lava or walls across a room, each with one opening (minigrid/envs/crossing.py)."""

from typing import Any

from s2lab.envs.grid import random
from s2lab.envs.grid.cells import EMPTY, GOAL_CELL, LAVA_CELL, WALL_CELL
from s2lab.envs.grid.compiled import pure
from s2lab.envs.grid.level import Family, Level
from s2lab.envs.grid.missions import write_mission
from s2lab.envs.grid.placement import clear, horizontal, put, set_agent, surround, vertical
from s2lab.envs.grid.worlds import Rules, Tables, Worlds

RIVERS, OBSTACLE = range(2)  # of params


@pure
def _next_line(lines: int, after: int, wall: int) -> Any:
    """The first of a set of lines, bit by position, that comes after one; else the wall."""
    for line in range(after + 1, wall):
        if lines >> line & 1:
            return line
    return wall


@pure
def _draw_rivers(worlds: Worlds, rules: Rules, tables: Tables, n: int) -> Any:
    """Draw the rivers and make them; the sets of their x (vertical) and y (horizontal ones)."""
    obstacle, order = tables.params[OBSTACLE], worlds.scratch
    each_way = (rules.width - 3) // 2  # possible rivers: at 2, 4, ..., the vertical ones first
    random.permutation(worlds.rng, n, order, 0, 2 * each_way)
    across_x, across_y = 0, 0
    for i in range(tables.params[RIVERS]):
        at = 2 + 2 * (order[n, i] % each_way)
        if order[n, i] < each_way:
            across_x |= 1 << at
            vertical(worlds, rules, n, at, 1, rules.height - 2, obstacle)
        else:
            across_y |= 1 << at
            horizontal(worlds, rules, n, 1, at, rules.width - 2, obstacle)
    return across_x, across_y


@pure
def _open_a_way(
    worlds: Worlds, rules: Rules, tables: Tables, n: int, across_x: int, across_y: int
) -> None:
    """Cross the rivers in a drawn order, each through an opening within reach."""
    order, rivers = worlds.scratch, tables.params[RIVERS]
    turns = 0
    for x in range(rules.width):
        turns += across_x >> x & 1
    for i in range(rivers):
        order[n, i] = 0 if i < turns else 1  # 0 crosses a vertical river
    random.shuffle(worlds.rng, n, order, 0, rivers)
    left, top = 0, 0
    for i in range(rivers):
        right = _next_line(across_x, left, rules.width - 1)
        bottom = _next_line(across_y, top, rules.height - 1)
        if order[n, i] == 0:
            put(worlds, rules, n, right, random.integers(worlds.rng, n, top + 1, bottom), EMPTY)
            left = right
        else:
            put(worlds, rules, n, random.integers(worlds.rng, n, left + 1, right), bottom, EMPTY)
            top = bottom


@pure
def layout(worlds: Worlds, rules: Rules, tables: Tables, n: int) -> None:
    """From the upper left corner over every river to the goal in the lower right one."""
    clear(worlds, rules, n)
    surround(worlds, rules, n, 0, 0, rules.width, rules.height)
    set_agent(worlds, n, 1, 1, 0)
    put(worlds, rules, n, rules.width - 2, rules.height - 2, GOAL_CELL)
    across_x, across_y = _draw_rivers(worlds, rules, tables, n)
    _open_a_way(worlds, rules, tables, n, across_x, across_y)
    write_mission(worlds, tables, n, 0)


def _level(size: int, rivers: int, obstacle: int) -> Level:
    if obstacle == LAVA_CELL:
        mission = "avoid the lava and get to the green goal square"
    else:
        mission = "find the opening and get to the green goal square"
    return Level(
        width=size,
        height=size,
        max_steps=4 * size**2,
        params=(rivers, obstacle),
        missions=(mission,),
        scratch=size - 3,
    )


FAMILY = Family(
    name="crossing",
    layout=layout,
    levels={
        f"MiniGrid-{name}CrossingS{size}N{rivers}-v0": _level(size, rivers, obstacle)
        for name, obstacle in (("Lava", LAVA_CELL), ("Simple", WALL_CELL))
        for size, rivers in ((9, 1), (9, 2), (9, 3), (11, 5))
    },
)
