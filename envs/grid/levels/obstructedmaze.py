"""A ball behind locked doors, which balls block and whose keys boxes may hide.

Follows minigrid/envs/obstructedmaze.py (`-v0`) and obstructedmaze_v1.py (`-v1`). In `-v0` the key
for a side room's first door is there before the ball that blocks its second one, and a ball that is
put onto the key, or onto its box, takes it out of the world: such a maze may have no solution. In
`-v1` the keys come last.
"""

from typing import Any

from s2lab.envs.grid import cells, random, rooms
from s2lab.envs.grid.cells import BALL, BLUE, GREEN, GREY, KEY
from s2lab.envs.grid.compiled import pure
from s2lab.envs.grid.endings import PICK_UP
from s2lab.envs.grid.level import Family, Level
from s2lab.envs.grid.missions import write_mission
from s2lab.envs.grid.physics import step_x, step_y
from s2lab.envs.grid.placement import random_color_but
from s2lab.envs.grid.worlds import Rules, Tables, Worlds

# Of params, after those of the rooms; no quarters: two rooms with one door.
QUARTERS, IN_BOX, IS_BLOCKED, KEYS_LAST, AGENT_COLUMN, AGENT_ROW = range(3, 9)

# The first three of minigrid's sorted colour names.
TARGET_COLOR, BLOCKING_COLOR, BOX_COLOR = BLUE, GREEN, GREY


@pure
def _draw_colors(worlds: Worlds, n: int) -> Any:
    """All six colours in random order, three bits each."""
    drawn = 0
    used = 0
    for i in range(cells.COLOR_COUNT):
        color = random_color_but(worlds, n, used)
        used |= 1 << color
        drawn |= color << 3 * i
    return drawn


@pure
def _add_locked_door(
    worlds: Worlds,
    rules: Rules,
    tables: Tables,
    n: int,
    column: int,
    row: int,
    wall: int,
    color: int,
) -> None:
    """Lock a wall's door and put a ball right before it, whatever is there, if this maze does."""
    rooms.add_door(worlds, tables, n, column, row, wall, color, 1)
    if tables.params[IS_BLOCKED]:
        inwards = -step_y(wall) * rules.stride - step_x(wall)
        place = rooms.door_place(worlds, tables, n, column, row, wall) + inwards
        worlds.cells[n, place] = cells.thing(BALL, BLOCKING_COLOR)


@pure
def _add_key(
    worlds: Worlds, rules: Rules, tables: Tables, n: int, column: int, row: int, color: int
) -> None:
    cell = cells.thing(KEY, color)
    if tables.params[IN_BOX]:
        cell = cells.box_with(BOX_COLOR, cell)
    rooms.place_in_room(worlds, rules, tables, n, column, row, cell)


@pure
def _add_quarter(
    worlds: Worlds, rules: Rules, tables: Tables, n: int, side: int, colors: int
) -> None:
    """A door from the middle room to the room at its `side`, and two locked ones from there."""
    column, row = 1 + step_x(side), 1 + step_y(side)
    rooms.add_door(worlds, tables, n, 1, 1, side, colors >> 3 * side & 7, 0)
    keys_last = tables.params[KEYS_LAST]
    for turn in range(-1, 2, 2):
        # minigrid counts the walls modulo four but the colours modulo six.
        color = colors >> 3 * ((side + turn) % cells.COLOR_COUNT) & 7
        _add_locked_door(worlds, rules, tables, n, column, row, side + turn & 3, color)
        if not keys_last:
            _add_key(worlds, rules, tables, n, column, row, color)
    if keys_last:
        for turn in range(-1, 2, 2):
            color = colors >> 3 * ((side + turn) % cells.COLOR_COUNT) & 7
            _add_key(worlds, rules, tables, n, column, row, color)


@pure
def layout(worlds: Worlds, rules: Rules, tables: Tables, n: int) -> None:
    """Two rooms, or the middle of nine with one to four quarters; the target is in the last."""
    rooms.begin(worlds, rules, tables, n)
    colors = _draw_colors(worlds, n)
    column, row = 1, 0
    quarters = tables.params[QUARTERS]
    if quarters == 0:
        color = colors & 7
        _add_locked_door(worlds, rules, tables, n, 0, 0, 0, color)
        _add_key(worlds, rules, tables, n, 0, 0, color)
    else:
        for side in range(quarters):
            _add_quarter(worlds, rules, tables, n, side, colors)
        corner = random.integers(worlds.rng, n, 0, quarters)  # upper right, and on clockwise
        column = 2 if corner < 2 else 0
        row = 2 if corner in (1, 2) else 0
    rooms.add_object(worlds, rules, tables, n, column, row, BALL, TARGET_COLOR)
    agent_column, agent_row = tables.params[AGENT_COLUMN], tables.params[AGENT_ROW]
    rooms.place_agent_in_room(worlds, rules, tables, n, agent_column, agent_row)
    worlds.slots[n, 0] = cells.thing(BALL, TARGET_COLOR)
    write_mission(worlds, tables, n, 0)


def _level(
    quarters: int,
    rooms_visited: int,
    agent_room: tuple[int, int],
    *,
    in_box: bool = True,
    blocked: bool = True,
    keys_last: bool = False,
) -> Level:
    room_size = 6
    rows, columns = (3, 3) if quarters else (1, 2)
    options = (quarters, int(in_box), int(blocked), int(keys_last))
    return Level(
        width=rooms.grid_side(room_size, columns),
        height=rooms.grid_side(room_size, rows),
        max_steps=4 * rooms_visited * room_size**2,
        params=(room_size, rows, columns, *options, *agent_room),
        ending=PICK_UP,
        missions=("pick up the {color0} {type0}",),
        scratch=rooms.scratch_words(rows, columns),
    )


_MIDDLE, _RIGHT, _LEFTMOST = (1, 1), (2, 1), (0, 0)

FAMILY = Family(
    name="obstructedmaze",
    layout=layout,
    levels={
        f"MiniGrid-ObstructedMaze-{name}": level
        for name, level in {
            "1Dl-v0": _level(0, 2, _LEFTMOST, in_box=False, blocked=False),
            "1Dlh-v0": _level(0, 2, _LEFTMOST, blocked=False),
            "1Dlhb-v0": _level(0, 2, _LEFTMOST),
            "2Dl-v0": _level(1, 4, _RIGHT, in_box=False, blocked=False),
            "2Dlh-v0": _level(1, 4, _RIGHT, blocked=False),
            "2Dlhb-v0": _level(1, 4, _RIGHT),
            "2Dlhb-v1": _level(1, 4, _RIGHT, keys_last=True),
            "1Q-v0": _level(1, 5, _MIDDLE),
            "1Q-v1": _level(1, 5, _MIDDLE, keys_last=True),
            "2Q-v0": _level(2, 11, _RIGHT),
            "2Q-v1": _level(2, 11, _RIGHT, keys_last=True),
            "Full-v0": _level(4, 25, _MIDDLE),
            "Full-v1": _level(4, 25, _MIDDLE, keys_last=True),
        }.items()
    },
)
