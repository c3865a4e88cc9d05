"""Which things the agent could walk up to if every door were open and nothing were moved.

Follows `check_objs_reachable` (minigrid/envs/babyai/core/roomgrid_level.py). A row of the grid is a
number with a bit for each of its inner cells; the agent's reach grows row by row, downwards and
upwards in turn, until it is the same after a sweep. The rows lie in `slots[n]`, where no mission is
yet while a layout is made. Knows no missions.
"""

from typing import Any

import numpy as np

from s2lab.envs.grid import cells
from s2lab.envs.grid.compiled import inlined, pure
from s2lab.envs.grid.placement import index
from s2lab.envs.grid.worlds import Rules, Worlds

WIDEST = 34  # grids, whose inner columns are the bits of a slot
_WORDS = 2  # of a row: its free cells and those in reach


def slots_for(height: int) -> int:
    """How many slots the rows of a grid need."""
    return _WORDS * height


@inlined
def _load(worlds: Worlds, n: int, at: int) -> Any:
    return np.int64(worlds.slots[n, at]) & 0xFFFFFFFF


@inlined
def _store(worlds: Worlds, n: int, at: int, row: int) -> None:
    """Write 32 bits as the signed number that a slot holds."""
    worlds.slots[n, at] = ((np.int64(row) & 0xFFFFFFFF) ^ 0x80000000) - 0x80000000


@pure
def all_reachable(worlds: Worlds, rules: Rules, n: int) -> Any:
    """Whether every thing and door is next to a cell that the agent can walk to.

    Overwrites `slots[n]`; there, cell (x, y) is bit x - 1 of row y's words.
    """
    last = rules.height - 1
    for y in range(rules.height):
        free = 0
        for x in range(1, rules.width - 1):
            kind = cells.type_of(cells.unpack(worlds.cells[n, index(rules, x, y)]))
            if kind in (cells.EMPTY, cells.DOOR):
                free |= 1 << (x - 1)
        _store(worlds, n, _WORDS * y, free)
        _store(worlds, n, _WORDS * y + 1, 0)
    start = _WORDS * worlds.agent_y[n] + 1
    _store(worlds, n, start, 1 << (worlds.agent_x[n] - 1))
    grown, down = True, True
    while grown:
        grown = False
        above = 0
        for i in range(1, last):
            at = _WORDS * (i if down else last - i)
            free, before = _load(worlds, n, at), _load(worlds, n, at + 1)
            reached = before | above & free
            while True:
                wider = (reached | reached << 1 | reached >> 1) & free | reached
                if wider == reached:
                    break
                reached = wider
            if reached != before:
                grown = True
                _store(worlds, n, at + 1, reached)
            above = reached
        if down:  # a sweep that finds nothing downwards may find something upwards
            grown = True
        down = not down
    return _nothing_else(worlds, rules, n)


@pure
def _nothing_else(worlds: Worlds, rules: Rules, n: int) -> Any:
    """Whether everything but walls and empty cells is in reach or beside a cell in reach."""
    before, here = 0, _load(worlds, n, 1)
    for y in range(rules.height):
        after = _load(worlds, n, _WORDS * (y + 1) + 1) if y + 1 < rules.height else 0
        near = here | here << 1 | here >> 1 | before | after
        for x in range(1, rules.width - 1):
            kind = cells.type_of(cells.unpack(worlds.cells[n, index(rules, x, y)]))
            if kind > cells.WALL and near >> (x - 1) & 1 == 0:
                return False
        before, here = here, after
    return True
