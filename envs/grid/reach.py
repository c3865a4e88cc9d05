"""Which things the agent could walk up to if every door were open and nothing were moved.

Follows `check_objs_reachable` (minigrid/envs/babyai/core/roomgrid_level.py). Knows no missions.
"""

from typing import Any

from s2lab.envs.grid import cells
from s2lab.envs.grid.compiled import pure
from s2lab.envs.grid.inventory import end
from s2lab.envs.grid.placement import index
from s2lab.envs.grid.worlds import Rules, Tables, Worlds

_REACHED = 1 << 15  # marks a cell during the search; boxes hold nothing where this is called


@pure
def all_reachable(worlds: Worlds, rules: Rules, tables: Tables, n: int) -> Any:
    """Whether every thing and door is next to a cell that the agent can walk to.

    The queue of cells lies in `scratch[n]` behind the inventory: width x height words.
    """
    queue = end(tables)
    head, tail = queue, queue
    start = index(rules, worlds.agent_x[n], worlds.agent_y[n])
    worlds.cells[n, start] |= _REACHED
    worlds.scratch[n, tail] = start
    tail += 1
    while head < tail:
        here = worlds.scratch[n, head]
        head += 1
        for side in range(4):
            step = rules.stride if side & 1 else 1
            there = here - step if side & 2 else here + step
            cell = cells.unpack(worlds.cells[n, there])
            if cells.type_of(cell) == cells.WALL or cell & _REACHED:
                continue
            worlds.cells[n, there] = cell | _REACHED
            if cells.type_of(cell) in (cells.EMPTY, cells.DOOR):
                worlds.scratch[n, tail] = there
                tail += 1
    return _sweep(worlds, rules, n)


@pure
def _sweep(worlds: Worlds, rules: Rules, n: int) -> Any:
    """Take the marks away; whether everything but walls and empty cells had one."""
    everything = True
    for y in range(rules.height):
        for x in range(rules.width):
            place = index(rules, x, y)
            cell = cells.unpack(worlds.cells[n, place])
            if cell & _REACHED:
                worlds.cells[n, place] = cell & ~_REACHED
            elif cells.type_of(cell) not in (cells.EMPTY, cells.WALL):
                everything = False
    return everything
