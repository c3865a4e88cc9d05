"""Grids of equal rooms with doors between them, as minigrid's `RoomGrid` lays them out.

Draw for draw minigrid/core/roomgrid.py. While a layout is made, `scratch[n]` holds six numbers per
room (row by row): where a door would be in each of its walls (right, down, left, up; an index into
`cells[n]`, or -1 where no room is beyond), the set of walls that are open or have a door, and
whether it is locked; after the rooms come three sets of the colours of the keys, balls and boxes
that were put into rooms. `params` of a level begin with room size, rows, columns.
Functions that place with a limited number of tries return -1 or False where minigrid raises
RecursionError. Knows no missions.
"""

from typing import Any

from s2lab.envs.grid import cells, random
from s2lab.envs.grid.compiled import inlined, pure
from s2lab.envs.grid.physics import front, step_x, step_y
from s2lab.envs.grid.placement import (
    NOT_BESIDE_AGENT,
    clear,
    find,
    index,
    random_color,
    random_color_but,
    random_kind,
    set_agent,
    surround,
    try_agent,
)
from s2lab.envs.grid.worlds import Rules, Tables, Worlds

ROOM_SIZE, ROWS, COLUMNS = range(3)  # of params
_DOORS, _LOCKED, _WORDS = 4, 5, 6  # of a room; 0 to 3 are its four walls
MOST_TRIES = 1000

ANY = -1


def scratch_words(rows: int, columns: int) -> int:
    """How much scratch a grid of rooms needs."""
    return rows * columns * _WORDS + 3


def grid_side(room_size: int, count: int) -> int:
    """The width of `count` rooms in a row; neighbours share a wall."""
    return (room_size - 1) * count + 1


@pure
def room(tables: Tables, column: int, row: int) -> Any:
    """Where room (column, row) begins in `scratch[n]`."""
    return (row * tables.params[COLUMNS] + column) * _WORDS


@pure
def room_x(tables: Tables, column: int) -> Any:
    """The x of a room's left wall."""
    return column * (tables.params[ROOM_SIZE] - 1)


@pure
def room_y(tables: Tables, row: int) -> Any:
    """The y of a room's upper wall."""
    return row * (tables.params[ROOM_SIZE] - 1)


@pure
def beyond(tables: Tables, column: int, row: int, wall: int) -> Any:
    """Where the room behind a wall begins in `scratch[n]`; only where there is one."""
    if wall == 0:
        return room(tables, column + 1, row)
    if wall == 1:
        return room(tables, column, row + 1)
    if wall == 2:
        return room(tables, column - 1, row)
    return room(tables, column, row - 1)


@pure
def begin(worlds: Worlds, rules: Rules, tables: Tables, n: int) -> None:
    """Draw the rooms' walls and the places of possible doors; the agent waits in the middle."""
    clear(worlds, rules, n)
    size, rows, columns = tables.params[ROOM_SIZE], tables.params[ROWS], tables.params[COLUMNS]
    scratch = worlds.scratch
    for row in range(rows):
        for column in range(columns):
            surround(worlds, rules, n, room_x(tables, column), room_y(tables, row), size, size)
    for row in range(rows):
        for column in range(columns):
            here = room(tables, column, row)
            left, top = room_x(tables, column), room_y(tables, row)
            right, bottom = left + size - 1, top + size - 1
            for word in range(_WORDS):
                scratch[n, here + word] = -1 if word < _DOORS else 0
            if column < columns - 1:
                y = random.integers(worlds.rng, n, top + 1, bottom)
                scratch[n, here] = index(rules, right, y)
            if row < rows - 1:
                x = random.integers(worlds.rng, n, left + 1, right)
                scratch[n, here + 1] = index(rules, x, bottom)
            if column > 0:
                scratch[n, here + 2] = scratch[n, room(tables, column - 1, row)]
            if row > 0:
                scratch[n, here + 3] = scratch[n, room(tables, column, row - 1) + 1]
    for kind in range(3):
        scratch[n, room(tables, 0, rows) + kind] = 0
    middle_x = room_x(tables, columns // 2) + size // 2
    set_agent(worlds, n, middle_x, room_y(tables, rows // 2) + size // 2, 0)


@pure
def remove_wall(
    worlds: Worlds, rules: Rules, tables: Tables, n: int, column: int, row: int, wall: int
) -> None:
    """Take away a wall between two rooms, but for its ends."""
    last = tables.params[ROOM_SIZE] - 1
    left, top = room_x(tables, column), room_y(tables, row)
    for i in range(1, last):
        x = left + (last if wall == 0 else 0 if wall == 2 else i)
        y = top + (last if wall == 1 else 0 if wall == 3 else i)
        worlds.cells[n, index(rules, x, y)] = cells.EMPTY
    _join(worlds, tables, n, column, row, wall)


@pure
def _join(worlds: Worlds, tables: Tables, n: int, column: int, row: int, wall: int) -> None:
    worlds.scratch[n, room(tables, column, row) + _DOORS] |= 1 << wall
    worlds.scratch[n, beyond(tables, column, row, wall) + _DOORS] |= 1 << ((wall + 2) & 3)


@pure
def door_place(worlds: Worlds, tables: Tables, n: int, column: int, row: int, wall: int) -> Any:
    """Index into `cells[n]` of where a wall's door is or would be; -1 if no room is beyond."""
    return worlds.scratch[n, room(tables, column, row) + wall]


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
    """Put a door into a room's wall; ANY wall, colour or lock (0 or 1) is drawn, in this order.

    Returns the door's wall and colour. The lock of the last door that was added from a room is the
    lock of the room, as in minigrid; the room beyond keeps its own.
    """
    here = room(tables, column, row)
    scratch = worlds.scratch
    if wall == ANY:
        wall = random.integers(worlds.rng, n, 0, 4)
        while scratch[n, here + wall] < 0 or scratch[n, here + _DOORS] >> wall & 1:
            wall = random.integers(worlds.rng, n, 0, 4)
    if color == ANY:
        color = random_color(worlds, n)
    if locked == ANY:
        locked = 1 if random.integers(worlds.rng, n, 0, 2) == 0 else 0
    scratch[n, here + _LOCKED] = locked
    state = cells.LOCKED if locked else cells.CLOSED
    worlds.cells[n, scratch[n, here + wall]] = cells.door(color, state)
    _join(worlds, tables, n, column, row, wall)
    return wall, color


@pure
def place_in_room(
    worlds: Worlds, rules: Rules, tables: Tables, n: int, column: int, row: int, cell: int
) -> Any:
    """Put a thing into a room, not beside the agent; its index, or -1 if 1,001 tries failed."""
    size = tables.params[ROOM_SIZE]
    left, top = room_x(tables, column), room_y(tables, row)
    place = find(worlds, rules, n, left, top, size, size, NOT_BESIDE_AGENT, MOST_TRIES)
    if place >= 0:
        worlds.cells[n, place] = cell
        looks = room(tables, 0, tables.params[ROWS]) + cells.type_of(cell) - cells.KEY
        worlds.scratch[n, looks] |= 1 << cells.color_of(cell)
    return place


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
    """Put a key, ball or box into a room; ANY kind or colour is drawn, in this order.

    Returns the thing's index (-1 after 1,001 tries) and its cell.
    """
    if kind == ANY:
        kind = random_kind(worlds, n)
    if color == ANY:
        color = random_color(worlds, n)
    cell = cells.thing(kind, color)
    return place_in_room(worlds, rules, tables, n, column, row, cell), cell


@pure
def place_agent_in_room(
    worlds: Worlds, rules: Rules, tables: Tables, n: int, column: int, row: int
) -> Any:
    """Put the agent into a room (ANY: drawn, column first) where it faces nothing but a wall.

    False if 1,001 tries failed, and where no place is such: there minigrid never comes back.
    """
    if column == ANY:
        column = random.integers(worlds.rng, n, 0, tables.params[COLUMNS])
    if row == ANY:
        row = random.integers(worlds.rng, n, 0, tables.params[ROWS])
    size = tables.params[ROOM_SIZE]
    left, top = room_x(tables, column), room_y(tables, row)
    drawn = 0
    while try_agent(worlds, rules, n, left, top, size, size, MOST_TRIES):
        if _is_clear(worlds, n, front(worlds, rules, n)):
            return True
        drawn += 1
        if drawn == MOST_TRIES and not _has_clear_place(worlds, rules, n, left, top, size):
            return False
    return False


@inlined
def _is_clear(worlds: Worlds, n: int, place: int) -> Any:
    return cells.type_of(worlds.cells[n, place]) in (cells.EMPTY, cells.WALL)


@pure
def _has_clear_place(worlds: Worlds, rules: Rules, n: int, left: int, top: int, size: int) -> Any:
    """Whether an agent could stand in a room and face nothing but a wall."""
    for y in range(top, top + size):
        for x in range(left, left + size):
            here = index(rules, x, y)
            for turn in range(4 if worlds.cells[n, here] == cells.EMPTY else 0):
                if _is_clear(worlds, n, here + step_x(turn) + rules.stride * step_y(turn)):
                    return True
    return False


@pure
def _reachable(worlds: Worlds, tables: Tables, n: int, start: int) -> Any:
    """The set of rooms that doors and openings connect with room `start`, bit by room number."""
    rows, columns = tables.params[ROWS], tables.params[COLUMNS]
    reached = 1 << start
    grown = True
    while grown:
        grown = False
        for number in range(rows * columns):
            if reached >> number & 1 == 0:
                continue
            doors = worlds.scratch[n, number * _WORDS + _DOORS]
            for wall in range(4):
                if doors >> wall & 1 == 0:
                    continue
                other = beyond(tables, number % columns, number // columns, wall) // _WORDS
                if reached >> other & 1 == 0:
                    reached |= 1 << other
                    grown = True
    return reached


@pure
def connect_all(worlds: Worlds, tables: Tables, n: int) -> Any:
    """Add unlocked doors at random until every room can be reached; False after 5,001 draws."""
    return connect_all_but(worlds, tables, n, 0)


@pure
def connect_all_but(worlds: Worlds, tables: Tables, n: int, excluded: int) -> Any:
    """As `connect_all`, with doors of no colour in `excluded`, bit `1 << colour`."""
    rows, columns = tables.params[ROWS], tables.params[COLUMNS]
    span = tables.params[ROOM_SIZE] - 1
    start = worlds.agent_y[n] // span * columns + worlds.agent_x[n] // span
    scratch = worlds.scratch
    joined = True  # another door since the last look
    for _ in range(5001):
        if joined and _reachable(worlds, tables, n, start) == (1 << rows * columns) - 1:
            return True
        joined = False
        column = random.integers(worlds.rng, n, 0, columns)
        row = random.integers(worlds.rng, n, 0, rows)
        wall = random.integers(worlds.rng, n, 0, 4)
        here = room(tables, column, row)
        if scratch[n, here + wall] < 0 or scratch[n, here + _DOORS] >> wall & 1:
            continue
        other = beyond(tables, column, row, wall)
        if scratch[n, here + _LOCKED] or scratch[n, other + _LOCKED]:
            continue
        color = random_color_but(worlds, n, excluded)
        add_door(worlds, tables, n, column, row, wall, color, 0)
        joined = True
    return False
