"""Locked doors and their keys (minigrid/envs/babyai/unlock.py, goto.py, other.py)."""

from typing import Any

from s2lab.envs.grid import cells, inventory, random, rooms
from s2lab.envs.grid.cells import BALL, BOX, DOOR, KEY
from s2lab.envs.grid.compiled import pure
from s2lab.envs.grid.instructions import ANY_COLOR, ANYWHERE, GO_TO, OPEN, PICK_UP, describe
from s2lab.envs.grid.level import Family, Level
from s2lab.envs.grid.levels.babyai.single_part import ask, look
from s2lab.envs.grid.levels.babyai.sizing import rooms_level
from s2lab.envs.grid.placement import random_color, random_color_but
from s2lab.envs.grid.reach import all_reachable
from s2lab.envs.grid.rooms import ANY, COLUMNS, ROOM_SIZE, ROWS
from s2lab.envs.grid.worlds import Rules, Tables, Worlds

THEME, COUNT = 3, 4  # of params, after the rooms: the task, how many random things

LOCKED_ROOM, LOCKED_ROOM_GOAL, BOX_BEHIND, BOX_BEHIND_BALL, TWO_LOCKS, CORRIDOR = range(6)


@pure
def layout(worlds: Worlds, rules: Rules, tables: Tables, n: int) -> None:
    """Rooms behind locked doors, until minigrid accepts them."""
    while not _attempt(worlds, rules, tables, n):
        pass


@pure
def _attempt(worlds: Worlds, rules: Rules, tables: Tables, n: int) -> Any:
    theme = tables.params[THEME]
    inventory.begin(worlds, rules, tables, n)
    if theme in (LOCKED_ROOM, LOCKED_ROOM_GOAL):
        return _attempt_locked_room(worlds, rules, tables, n)
    if theme == TWO_LOCKS:
        return _attempt_two_locks(worlds, rules, tables, n)
    if theme == CORRIDOR:
        return _attempt_corridor(worlds, rules, tables, n)
    return _attempt_box(worlds, rules, tables, n)


@pure
def _attempt_locked_room(worlds: Worlds, rules: Rules, tables: Tables, n: int) -> Any:
    """A locked room among nine.

    minigrid means to keep its key and the random things out of it, but compares numpy integers
    with `is`: they may lie anywhere.
    """
    rows, columns, count = tables.params[ROWS], tables.params[COLUMNS], tables.params[COUNT]
    column = random.integers(worlds.rng, n, 0, columns)
    row = random.integers(worlds.rng, n, 0, rows)
    color = inventory.add_door(worlds, tables, n, column, row, ANY, ANY, 1)
    key_column = random.integers(worlds.rng, n, 0, columns)
    key_row = random.integers(worlds.rng, n, 0, rows)
    if not inventory.add_object(worlds, rules, tables, n, key_column, key_row, KEY, color):
        return False
    excluded = 0
    if tables.params[THEME] == LOCKED_ROOM and random.integers(worlds.rng, n, 0, 2) == 0:
        excluded = 1 << color
    if not rooms.connect_all_but(worlds, tables, n, excluded):
        return False
    for i in range(columns):
        for j in range(rows):
            if not inventory.add_distractors(worlds, rules, tables, n, i, j, count, False):
                return False
    if not _enter_elsewhere(worlds, rules, tables, n, column, row):
        return False
    if not all_reachable(worlds, rules, n):
        return False
    if tables.params[THEME] == LOCKED_ROOM:
        ask(worlds, rules, tables, n, OPEN, describe(DOOR, color, ANYWHERE))
        return True
    if not inventory.add_distractors(worlds, rules, tables, n, column, row, 1, False):
        return False
    last = inventory.count(worlds, tables, n) - 1
    ask(worlds, rules, tables, n, GO_TO, look(inventory.cell(worlds, tables, n, last)))
    return True


@pure
def _enter_elsewhere(
    worlds: Worlds, rules: Rules, tables: Tables, n: int, column: int, row: int
) -> Any:
    """Put the agent into any room but one; False if that fails."""
    span = tables.params[ROOM_SIZE] - 1
    while rooms.place_agent_in_room(worlds, rules, tables, n, ANY, ANY):
        if worlds.agent_x[n] // span != column or worlds.agent_y[n] // span != row:
            return True
    return False


@pure
def _attempt_box(worlds: Worlds, rules: Rules, tables: Tables, n: int) -> Any:
    """A box behind a locked door, in whose way a ball may lie."""
    if not inventory.add_object(worlds, rules, tables, n, 1, 0, BOX, ANY):
        return False
    color = inventory.add_door(worlds, tables, n, 0, 0, 0, ANY, 1)
    blocked = tables.params[THEME] == BOX_BEHIND_BALL
    if blocked:
        door = inventory.place(worlds, tables, n, 1)
        worlds.cells[n, door - 1] = cells.thing(BALL, random_color(worlds, n))
    if not inventory.add_object(worlds, rules, tables, n, 0, 0, KEY, color):
        return False
    count = tables.params[COUNT]
    if not inventory.add_distractors(worlds, rules, tables, n, ANY, ANY, count, True):
        return False
    if not rooms.place_agent_in_room(worlds, rules, tables, n, 0, 0):
        return False
    what = look(inventory.cell(worlds, tables, n, 0))
    ask(worlds, rules, tables, n, PICK_UP, _any(BOX) if blocked else what)
    return True


@pure
def _any(kind: int) -> Any:
    return describe(kind, ANY_COLOR, ANYWHERE)


@pure
def _attempt_two_locks(worlds: Worlds, rules: Rules, tables: Tables, n: int) -> Any:
    """Three rooms in a row: the key to the left one is locked into the right one."""
    first = random_color(worlds, n)
    second = random_color_but(worlds, n, 1 << first)
    rooms.add_door(worlds, tables, n, 0, 0, 0, first, 1)
    if not inventory.add_object(worlds, rules, tables, n, 2, 0, KEY, first):
        return False
    rooms.add_door(worlds, tables, n, 1, 0, 0, second, 1)
    if not inventory.add_object(worlds, rules, tables, n, 1, 0, KEY, second):
        return False
    if not inventory.add_object(worlds, rules, tables, n, 0, 0, BALL, ANY):
        return False
    if not rooms.place_agent_in_room(worlds, rules, tables, n, 1, 0):
        return False
    ask(worlds, rules, tables, n, PICK_UP, _any(BALL))
    return True


@pure
def _attempt_corridor(worlds: Worlds, rules: Rules, tables: Tables, n: int) -> Any:
    """A ball behind a locked door on the right, its key on the left of a corridor."""
    rows = tables.params[ROWS]
    for row in range(1, rows):
        rooms.remove_wall(worlds, rules, tables, n, 1, row, 3)
    row = random.integers(worlds.rng, n, 0, rows)
    color = inventory.add_door(worlds, tables, n, 2, row, 2, ANY, 1)
    if not inventory.add_object(worlds, rules, tables, n, 2, row, BALL, ANY):
        return False
    row = random.integers(worlds.rng, n, 0, rows)
    if not inventory.add_object(worlds, rules, tables, n, 0, row, KEY, color):
        return False
    if not rooms.place_agent_in_room(worlds, rules, tables, n, 1, rows // 2):
        return False
    if not rooms.connect_all(worlds, tables, n):
        return False
    ask(worlds, rules, tables, n, PICK_UP, _any(BALL))
    return True


def _corridor(room_size: int, rows: int) -> Level:
    return rooms_level(room_size, rows, 3, (CORRIDOR, 0), sentence=4, max_steps=30 * room_size**2)


FAMILY = Family(
    name="babyai_behind_doors",
    layout=layout,
    levels={
        "BabyAI-Unlock-v0": rooms_level(8, 3, 3, (LOCKED_ROOM, 3), sentence=4),
        "BabyAI-GoToImpUnlock-v0": rooms_level(8, 3, 3, (LOCKED_ROOM_GOAL, 2), sentence=5),
        "BabyAI-UnlockPickup-v0": rooms_level(6, 1, 2, (BOX_BEHIND, 0), sentence=5),
        "BabyAI-UnlockPickupDist-v0": rooms_level(6, 1, 2, (BOX_BEHIND, 4), sentence=5),
        "BabyAI-BlockedUnlockPickup-v0": rooms_level(
            6, 1, 2, (BOX_BEHIND_BALL, 0), sentence=4, max_steps=16 * 6**2
        ),
        "BabyAI-UnlockToUnlock-v0": rooms_level(
            6, 1, 3, (TWO_LOCKS, 0), sentence=4, max_steps=30 * 6**2
        ),
        "BabyAI-KeyCorridor-v0": _corridor(6, 3),
        **{
            f"BabyAI-KeyCorridorS{size}R{rows}-v0": _corridor(size, rows)
            for size, rows in ((3, 1), (3, 2), (3, 3), (4, 3), (5, 3), (6, 3))
        },
    },
)
