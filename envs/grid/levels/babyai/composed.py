"""Missions from the whole of BabyAI's language (minigrid/envs/babyai/core/levelgen.py)."""

from typing import Any

import numpy as np

from s2lab.envs.grid import cells, inventory, random, rooms
from s2lab.envs.grid.cells import BALL, BOX, DOOR, KEY
from s2lab.envs.grid.compiled import pure
from s2lab.envs.grid.instructions import (
    AFTER,
    ANY_COLOR,
    ANYWHERE,
    BEFORE,
    DOOR_COUNT,
    DOORS,
    GO_TO,
    JOINED,
    LEFT,
    ONE,
    OPEN,
    PICK_UP,
    PUT_NEXT,
    describe,
    makes_sense,
    matching,
    number_things,
    places_of,
    set_part,
)
from s2lab.envs.grid.language import write_sentence
from s2lab.envs.grid.level import Family, Level
from s2lab.envs.grid.levels.babyai.sizing import rooms_level
from s2lab.envs.grid.placement import x_of, y_of
from s2lab.envs.grid.reach import all_reachable
from s2lab.envs.grid.rooms import ANY, COLUMNS, ROOM_SIZE, ROWS
from s2lab.envs.grid.worlds import Rules, Tables, Worlds

# Of params, after the rooms: how many random things at least, how many more at most, in how many
# quarters of the levels a room is locked, the only action or ANY, and what else holds.
COUNT, SPREAD, LOCKED_QUARTERS, ACTION, FLAGS = range(3, 8)

LOCATIONS, UNBLOCKING, IMPLICIT_UNLOCK, SINGLE = 1, 2, 4, 8  # flags

_KINDS = np.array([BOX, BALL, KEY, DOOR], np.int32)  # minigrid's OBJ_TYPES
_MOST_DRAWS = 101


@pure
def layout(worlds: Worlds, rules: Rules, tables: Tables, n: int) -> None:
    """Rooms full of things, one of them perhaps locked, until minigrid accepts them."""
    while not _attempt(worlds, rules, tables, n):
        pass


@pure
def _attempt(worlds: Worlds, rules: Rules, tables: Tables, n: int) -> Any:
    inventory.begin(worlds, rules, tables, n)
    count = inventory.draw_count(worlds, n, tables.params[COUNT], tables.params[SPREAD])
    locked = -1
    quarter = np.int64(random.next_uint64(worlds.rng, n) >> np.uint64(62))
    if quarter < tables.params[LOCKED_QUARTERS]:
        locked = _lock_room(worlds, rules, tables, n)
        if locked < 0:
            return False
    if not rooms.connect_all(worlds, tables, n):
        return False
    flags = tables.params[FLAGS]
    if not inventory.add_distractors(worlds, rules, tables, n, ANY, ANY, count, False):
        return False
    if not _enter(worlds, rules, tables, n, locked):
        return False
    if flags & UNBLOCKING == 0 and not all_reachable(worlds, rules, n):
        return False
    number_things(worlds, rules, n)
    shape = _draw_mission(worlds, rules, tables, n, locked)
    if shape < 0:
        return False
    keys = _locked_colors(worlds, n) if flags & UNBLOCKING else 0
    if not makes_sense(worlds, rules, n, shape, keys):
        return False
    write_sentence(worlds, tables, n, shape)
    return True


@pure
def _lock_room(worlds: Worlds, rules: Rules, tables: Tables, n: int) -> Any:
    """Lock a room and put its key into another; the room's number, or -1 if that fails."""
    rows, columns = tables.params[ROWS], tables.params[COLUMNS]
    locked, color = -1, 0
    while locked < 0:
        column = random.integers(worlds.rng, n, 0, columns)
        row = random.integers(worlds.rng, n, 0, rows)
        wall = random.integers(worlds.rng, n, 0, 4)
        if rooms.door_place(worlds, tables, n, column, row, wall) >= 0:
            color = inventory.add_door(worlds, tables, n, column, row, wall, ANY, 1)
            locked = row * columns + column
    while True:
        column = random.integers(worlds.rng, n, 0, columns)
        row = random.integers(worlds.rng, n, 0, rows)
        if row * columns + column != locked:
            break
    if not inventory.add_object(worlds, rules, tables, n, column, row, KEY, color):
        return -1
    return locked


@pure
def _is_in(rules: Rules, tables: Tables, place: int, number: int) -> Any:
    """Whether a place is in a room or its walls."""
    span = tables.params[ROOM_SIZE] - 1
    right = x_of(rules, place) - number % tables.params[COLUMNS] * span
    down = y_of(rules, place) - number // tables.params[COLUMNS] * span
    return 0 <= right <= span and 0 <= down <= span


@pure
def _enter(worlds: Worlds, rules: Rules, tables: Tables, n: int, locked: int) -> Any:
    """Put the agent into any room but the locked one; False if that fails."""
    span = tables.params[ROOM_SIZE] - 1
    while rooms.place_agent_in_room(worlds, rules, tables, n, ANY, ANY):
        row, column = worlds.agent_y[n] // span, worlds.agent_x[n] // span
        if row * tables.params[COLUMNS] + column != locked:
            return True
    return False


@pure
def _locked_colors(worlds: Worlds, n: int) -> Any:
    """The set of colours of locked doors."""
    colors = 0
    for i in range(worlds.slots[n, DOOR_COUNT]):
        door = cells.unpack(worlds.cells[n, worlds.slots[n, DOORS + i]])
        if cells.state_of(door) == cells.LOCKED:
            colors |= 1 << cells.color_of(door)
    return colors


@pure
def _draw_mission(worlds: Worlds, rules: Rules, tables: Tables, n: int, locked: int) -> Any:
    """Draw the parts, minigrid's `rand_instr`; their shape, or -1 if one cannot be found."""
    kinds = 1 if tables.params[FLAGS] & SINGLE else 3
    kind = random.integers(worlds.rng, n, 0, kinds)
    if kind == 0:
        return ONE if _draw_part(worlds, rules, tables, n, 0, locked) else -1
    if kind == 1:
        done = _draw_part(worlds, rules, tables, n, 0, locked)
        done = done and _draw_part(worlds, rules, tables, n, 1, locked)
        return ONE | JOINED if done else -1
    shape = 0
    for side in range(2):
        if random.integers(worlds.rng, n, 0, 2) == 1:
            shape |= JOINED << side
        if not _draw_part(worlds, rules, tables, n, 2 * side, locked):
            return -1
        joined = shape & JOINED << side != 0
        if joined and not _draw_part(worlds, rules, tables, n, 2 * side + 1, locked):
            return -1
    return shape | (BEFORE if random.integers(worlds.rng, n, 0, 2) == 0 else AFTER)


@pure
def _draw_part(worlds: Worlds, rules: Rules, tables: Tables, n: int, part: int, locked: int) -> Any:
    action = tables.params[ACTION]
    if action == ANY:
        action = random.integers(worlds.rng, n, 0, 4)
    first = 3 if action == OPEN else 0
    last = 3 if action in (PICK_UP, PUT_NEXT) else 4
    what = _draw_description(worlds, rules, tables, n, first, last, locked)
    if what < 0:
        return False
    where = 0
    if action == PUT_NEXT:
        where = _draw_description(worlds, rules, tables, n, 0, 4, locked)
        if where < 0:
            return False
    set_part(worlds, rules, tables, n, part, action, what, where)
    return True


@pure
def _draw_description(
    worlds: Worlds, rules: Rules, tables: Tables, n: int, first: int, last: int, locked: int
) -> Any:
    """A description of kinds `first` to `last` that something matches; -1 after 101 draws."""
    flags = tables.params[FLAGS]
    for _ in range(_MOST_DRAWS):
        color = random.integers(worlds.rng, n, 0, 7)
        color = ANY_COLOR if color == 0 else cells.SORTED_COLORS[color - 1]
        kind = _KINDS[random.integers(worlds.rng, n, first, last)]
        location = ANYWHERE
        if flags & LOCATIONS and random.integers(worlds.rng, n, 0, 2) == 0:
            location = LEFT + random.integers(worlds.rng, n, 0, 4)
        description = describe(kind, color, location)
        members = matching(worlds, rules, tables, n, description)
        if members == 0:
            continue
        if flags & IMPLICIT_UNLOCK or locked < 0:
            return description
        if _any_outside(worlds, rules, tables, n, description, members, locked):
            return description
    return -1


@pure
def _any_outside(
    worlds: Worlds,
    rules: Rules,
    tables: Tables,
    n: int,
    description: int,
    members: int,
    locked: int,
) -> Any:
    """Whether a member of a description's set is not in the locked room."""
    first, count = places_of(worlds, n, description)
    for i in range(count):
        if members >> i & 1 and not _is_in(rules, tables, worlds.slots[n, first + i], locked):
            return True
    return False


def _level(
    flags: int,
    *,
    size: int = 8,
    rows: int = 3,
    columns: int = 3,
    count: int = 18,
    quarters: int = 2,
    action: int = ANY,
) -> Level:
    """The longest mission: twice two parts, each of a verb and its descriptions."""
    description = 7 if flags & LOCATIONS else 3
    part = 2 * description + 3 if action == ANY else 2 + description
    parts, walks = (1, 1) if flags & SINGLE else (4, 4)
    return rooms_level(
        size,
        rows,
        columns,
        (count, 0, quarters, action, flags),
        sentence=parts * part + (4 if parts == 4 else 0),
        budgets=2 * walks if action == ANY else walks,
    )


FAMILY = Family(
    name="babyai_composed",
    layout=layout,
    levels={
        "BabyAI-PickupLoc-v0": _level(
            LOCATIONS | IMPLICIT_UNLOCK | SINGLE,
            rows=1,
            columns=1,
            count=8,
            quarters=0,
            action=PICK_UP,
        ),
        "BabyAI-GoToSeq-v0": _level(IMPLICIT_UNLOCK, quarters=0, action=GO_TO),
        "BabyAI-GoToSeqS5R2-v0": _level(
            IMPLICIT_UNLOCK, size=5, rows=2, columns=2, count=4, quarters=0, action=GO_TO
        ),
        "BabyAI-Synth-v0": _level(UNBLOCKING | SINGLE),
        "BabyAI-SynthS5R2-v0": _level(UNBLOCKING | SINGLE, size=5, rows=2),
        "BabyAI-SynthLoc-v0": _level(LOCATIONS | UNBLOCKING | SINGLE),
        "BabyAI-SynthSeq-v0": _level(LOCATIONS | UNBLOCKING),
        "BabyAI-MiniBossLevel-v0": _level(
            LOCATIONS | UNBLOCKING | IMPLICIT_UNLOCK,
            size=5,
            rows=2,
            columns=2,
            count=7,
            quarters=1,
        ),
        "BabyAI-BossLevel-v0": _level(LOCATIONS | UNBLOCKING | IMPLICIT_UNLOCK),
        "BabyAI-BossLevelNoUnlock-v0": _level(LOCATIONS | UNBLOCKING, quarters=0),
    },
)
