"""Rooms joined by doors, a thing in one of them to reach (babyai/goto.py, pickup.py, open.py)."""

from typing import Any

from s2lab.envs.grid import cells, inventory, rooms
from s2lab.envs.grid.compiled import pure
from s2lab.envs.grid.instructions import GO_TO, OPEN, PICK_UP
from s2lab.envs.grid.level import Family, Level
from s2lab.envs.grid.levels.babyai.single_part import ask, look, random_entry
from s2lab.envs.grid.levels.babyai.sizing import rooms_level
from s2lab.envs.grid.placement import index
from s2lab.envs.grid.reach import all_reachable
from s2lab.envs.grid.rooms import ANY, COLUMNS, ROWS
from s2lab.envs.grid.worlds import Rules, Tables, Worlds

# Of params, after the rooms: what to do, how many things, whether all of them can be reached
# without moving one, whether the doors stand open.
ACTION, COUNT, REACHABLE, OPEN_DOORS = range(3, 7)


@pure
def layout(worlds: Worlds, rules: Rules, tables: Tables, n: int) -> None:
    """Rooms full of things, until minigrid accepts them."""
    while not _attempt(worlds, rules, tables, n):
        pass


@pure
def _attempt(worlds: Worlds, rules: Rules, tables: Tables, n: int) -> Any:
    inventory.begin(worlds, rules, tables, n)
    if not rooms.place_agent_in_room(worlds, rules, tables, n, ANY, ANY):
        return False
    if not rooms.connect_all(worlds, tables, n):
        return False
    count = tables.params[COUNT]
    if not inventory.add_distractors(worlds, rules, tables, n, ANY, ANY, count, False):
        return False
    if all_reachable(worlds, rules, n) != (tables.params[REACHABLE] != 0):
        return False
    action = tables.params[ACTION]
    if action == OPEN:
        _note_doors(worlds, tables, n)
        target = random_entry(worlds, tables, n, count)
    else:
        target = random_entry(worlds, tables, n, 0)
    if tables.params[OPEN_DOORS]:
        _open_doors(worlds, rules, n)
    ask(worlds, rules, tables, n, action, look(target))
    return True


@pure
def _note_doors(worlds: Worlds, tables: Tables, n: int) -> None:
    """Add every door to the inventory once from each of its sides, column by column."""
    for column in range(tables.params[COLUMNS]):
        for row in range(tables.params[ROWS]):
            for wall in range(4):
                place = rooms.door_place(worlds, tables, n, column, row, wall)
                if place >= 0 and cells.type_of(worlds.cells[n, place]) == cells.DOOR:
                    inventory.note(worlds, tables, n, place)


@pure
def _open_doors(worlds: Worlds, rules: Rules, n: int) -> None:
    for y in range(rules.height):
        for x in range(rules.width):
            cell = cells.unpack(worlds.cells[n, index(rules, x, y)])
            if cells.type_of(cell) == cells.DOOR:
                opened = cells.door(cells.color_of(cell), cells.OPEN)
                worlds.cells[n, index(rules, x, y)] = opened


def _maze(
    action: int, count: int, *, size: int = 8, side: int = 3, reachable: int = 1, doors: int = 0
) -> Level:
    params = (action, count, reachable, doors)
    return rooms_level(size, side, side, params, sentence=4 if action == OPEN else 5)


FAMILY = Family(
    name="babyai_maze",
    layout=layout,
    levels={
        "BabyAI-GoTo-v0": _maze(GO_TO, 18),
        "BabyAI-GoToOpen-v0": _maze(GO_TO, 18, doors=1),
        "BabyAI-GoToObjMaze-v0": _maze(GO_TO, 1),
        "BabyAI-GoToObjMazeOpen-v0": _maze(GO_TO, 1, doors=1),
        "BabyAI-GoToObjMazeS4R2-v0": _maze(GO_TO, 1, size=4, side=2),
        **{f"BabyAI-GoToObjMazeS{size}-v0": _maze(GO_TO, 1, size=size) for size in range(4, 8)},
        "BabyAI-Pickup-v0": _maze(PICK_UP, 18),
        "BabyAI-UnblockPickup-v0": _maze(PICK_UP, 20, reachable=0),
        "BabyAI-Open-v0": _maze(OPEN, 18),
    },
)
