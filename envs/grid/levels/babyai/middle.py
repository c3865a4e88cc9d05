"""The room in the middle of nine, its things and doors (babyai/goto.py, other.py, unlock.py)."""

from typing import Any

from s2lab.envs.grid import cells, inventory, random, rooms
from s2lab.envs.grid.cells import DOOR, KEY
from s2lab.envs.grid.compiled import pure
from s2lab.envs.grid.instructions import (
    ANY_COLOR,
    ANYWHERE,
    GO_TO,
    OPEN,
    PICK_UP,
    describe,
)
from s2lab.envs.grid.level import Family, Level
from s2lab.envs.grid.levels.babyai.single_part import ask, kind_of, look, random_entry
from s2lab.envs.grid.levels.babyai.sizing import rooms_level
from s2lab.envs.grid.placement import random_color
from s2lab.envs.grid.reach import all_reachable
from s2lab.envs.grid.rooms import ANY, COLUMNS, ROWS
from s2lab.envs.grid.worlds import Rules, Tables, Worlds

THEME, COUNT = 3, 4  # of params, after the rooms: what is in the room, how many random things

DOORS, THINGS_AND_DOORS, ANY_DEED, LOCKED_DOOR, KEY_IN_BOX, THING_ABOVE, THING_SOMEWHERE = range(7)


@pure
def layout(worlds: Worlds, rules: Rules, tables: Tables, n: int) -> None:
    """A room in the middle with the agent, until minigrid accepts it."""
    while not _attempt(worlds, rules, tables, n):
        pass


@pure
def _attempt(worlds: Worlds, rules: Rules, tables: Tables, n: int) -> Any:
    theme = tables.params[THEME]
    inventory.begin(worlds, rules, tables, n)
    if theme in (LOCKED_DOOR, KEY_IN_BOX):
        return _attempt_locked(worlds, rules, tables, n)
    if theme in (THING_ABOVE, THING_SOMEWHERE):
        return _attempt_elsewhere(worlds, rules, tables, n)
    if theme == THINGS_AND_DOORS and not _enter(worlds, rules, tables, n):
        return False
    count = tables.params[COUNT]
    unlike = theme == ANY_DEED
    if not inventory.add_distractors(worlds, rules, tables, n, 1, 1, count, unlike):
        return False
    for _ in range(4):
        inventory.add_door(worlds, tables, n, 1, 1, ANY, ANY, 0 if theme == ANY_DEED else ANY)
    if theme == THINGS_AND_DOORS:
        if not all_reachable(worlds, rules, n):
            return False
    elif not _enter(worlds, rules, tables, n):
        return False
    target = random_entry(worlds, tables, n, 0)
    action = GO_TO
    if theme == ANY_DEED and random.integers(worlds.rng, n, 0, 2) != 0:
        action = OPEN if cells.type_of(target) == DOOR else PICK_UP
    ask(worlds, rules, tables, n, action, look(target))
    return True


@pure
def _enter(worlds: Worlds, rules: Rules, tables: Tables, n: int) -> Any:
    return rooms.place_agent_in_room(worlds, rules, tables, n, 1, 1)


@pure
def _attempt_locked(worlds: Worlds, rules: Rules, tables: Tables, n: int) -> Any:
    """A locked door; its key lies in the room, or in a box in the room."""
    color = inventory.add_door(worlds, tables, n, 1, 1, ANY, ANY, 1)
    if tables.params[THEME] == KEY_IN_BOX:
        box = cells.box_with(random_color(worlds, n), cells.thing(KEY, color))
        if rooms.place_in_room(worlds, rules, tables, n, 1, 1, box) < 0:
            return False
    else:
        if not inventory.add_object(worlds, rules, tables, n, 1, 1, KEY, color):
            return False
        count = tables.params[COUNT]
        if not inventory.add_distractors(worlds, rules, tables, n, 1, 1, count, True):
            return False
    if not _enter(worlds, rules, tables, n):
        return False
    ask(worlds, rules, tables, n, OPEN, describe(DOOR, ANY_COLOR, ANYWHERE))
    return True


@pure
def _attempt_elsewhere(worlds: Worlds, rules: Rules, tables: Tables, n: int) -> Any:
    """A thing in the room above, behind an unlocked door, or anywhere."""
    above = tables.params[THEME] == THING_ABOVE
    column, row = 1, 0
    if not above:
        column = random.integers(worlds.rng, n, 0, tables.params[ROWS])
        row = random.integers(worlds.rng, n, 0, tables.params[COLUMNS])
    if not inventory.add_object(worlds, rules, tables, n, column, row, ANY, ANY):
        return False
    if above:
        rooms.add_door(worlds, tables, n, 1, 1, 3, ANY, 0)
    if not _enter(worlds, rules, tables, n) or not rooms.connect_all(worlds, tables, n):
        return False
    target = inventory.cell(worlds, tables, n, 0)
    ask(worlds, rules, tables, n, PICK_UP, look(target) if above else kind_of(target))
    return True


def _level(
    room_size: int, theme: int, count: int = 0, sentence: int = 5, max_steps: int = 0
) -> Level:
    return rooms_level(room_size, 3, 3, (theme, count), sentence=sentence, max_steps=max_steps)


FAMILY = Family(
    name="babyai_middle",
    layout=layout,
    levels={
        "BabyAI-GoToDoor-v0": _level(7, DOORS),
        "BabyAI-GoToObjDoor-v0": _level(8, THINGS_AND_DOORS, 8),
        "BabyAI-ActionObjDoor-v0": _level(7, ANY_DEED, 5),
        "BabyAI-UnlockLocal-v0": _level(8, LOCKED_DOOR, 0, 3),
        "BabyAI-UnlockLocalDist-v0": _level(8, LOCKED_DOOR, 3, 3),
        "BabyAI-KeyInBox-v0": _level(8, KEY_IN_BOX, 0, 3),
        "BabyAI-PickupAbove-v0": _level(6, THING_ABOVE, max_steps=8 * 6**2),
        **{
            f"BabyAI-FindObjS{size}-v0": _level(size, THING_SOMEWHERE, 0, 4, 20 * size**2)
            for size in (5, 6, 7)
        },
    },
)
