"""What a layout has put into rooms, in order, so that a mission can be drawn from it.

A layer over `rooms.py` that notes the place of each thing and door in `scratch[n]`, behind the
rooms: first how many there are, then their indices into `cells[n]`. Functions that place return
False where minigrid raises RecursionError. Knows no missions.
"""

from typing import Any

from s2lab.envs.grid import cells, random, rooms
from s2lab.envs.grid.compiled import pure
from s2lab.envs.grid.placement import random_color, random_kind
from s2lab.envs.grid.rooms import ANY, COLUMNS, ROWS
from s2lab.envs.grid.worlds import Rules, Tables, Worlds

MOST = 48  # things and doors together; minigrid's Open lists 18 things and 24 sides of doors


def scratch_words(rows: int, columns: int) -> int:
    """How much scratch rooms and their inventory need."""
    return rooms.scratch_words(rows, columns) + 1 + MOST


@pure
def _start(tables: Tables) -> Any:
    return rooms.room(tables, 0, tables.params[ROWS]) + 3


@pure
def begin(worlds: Worlds, rules: Rules, tables: Tables, n: int) -> None:
    """Begin a grid of rooms with nothing in them."""
    rooms.begin(worlds, rules, tables, n)
    worlds.scratch[n, _start(tables)] = 0


@pure
def count(worlds: Worlds, tables: Tables, n: int) -> Any:
    """How many things and doors there are."""
    return worlds.scratch[n, _start(tables)]


@pure
def place(worlds: Worlds, tables: Tables, n: int, i: int) -> Any:
    """Where the i-th thing is, an index into `cells[n]`."""
    return worlds.scratch[n, _start(tables) + 1 + i]


@pure
def cell(worlds: Worlds, tables: Tables, n: int, i: int) -> Any:
    """The i-th thing."""
    return cells.unpack(worlds.cells[n, place(worlds, tables, n, i)])


@pure
def note(worlds: Worlds, tables: Tables, n: int, where: int) -> None:
    """Append what is at an index of `cells[n]`."""
    start = _start(tables)
    worlds.scratch[n, start] += 1
    worlds.scratch[n, start + worlds.scratch[n, start]] = where


@pure
def add_object(
    worlds: Worlds,
    rules: Rules,
    tables: Tables,
    n: int,
    column: int,
    row: int,
    kind: int,
    color: int,
) -> Any:
    """Put a thing into a room as `rooms.add_object` does; whether that worked."""
    where, _ = rooms.add_object(worlds, rules, tables, n, column, row, kind, color)
    if where < 0:
        return False
    note(worlds, tables, n, where)
    return True


@pure
def add_door(
    worlds: Worlds,
    tables: Tables,
    n: int,
    column: int,
    row: int,
    wall: int,
    color: int,
    locked: int,
) -> Any:
    """Put a door into a room's wall as `rooms.add_door` does; its colour."""
    wall, color = rooms.add_door(worlds, tables, n, column, row, wall, color, locked)
    note(worlds, tables, n, rooms.door_place(worlds, tables, n, column, row, wall))
    return color


@pure
def draw_count(worlds: Worlds, n: int, least: int, spread: int) -> Any:
    """How many things to put: `least` to `least + spread`; a spread of 0 draws nothing."""
    return least + random.integers(worlds.rng, n, 0, spread + 1)


@pure
def add_distractors(
    worlds: Worlds,
    rules: Rules,
    tables: Tables,
    n: int,
    column: int,
    row: int,
    number: int,
    all_unique: bool,
) -> Any:
    """Put `number` random things into a room (ANY: a drawn one each time), False if one failed.

    With `all_unique`, none looks like another thing that was put into a room.
    """
    looks = rooms.room(tables, 0, tables.params[ROWS])
    added = 0
    while added < number:
        color = random_color(worlds, n)
        kind = random_kind(worlds, n)
        if all_unique and worlds.scratch[n, looks + kind - cells.KEY] >> color & 1:
            continue
        i = random.integers(worlds.rng, n, 0, tables.params[COLUMNS]) if column == ANY else column
        j = random.integers(worlds.rng, n, 0, tables.params[ROWS]) if row == ANY else row
        if not add_object(worlds, rules, tables, n, i, j, kind, color):
            return False
        added += 1
    return True
