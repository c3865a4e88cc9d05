"""A ball behind a locked door, its key in a room off a corridor (minigrid/envs/keycorridor.py)."""

from s2lab.envs.grid import random, rooms
from s2lab.envs.grid.cells import BALL, KEY
from s2lab.envs.grid.compiled import pure
from s2lab.envs.grid.endings import PICK_UP
from s2lab.envs.grid.level import Family, Level
from s2lab.envs.grid.missions import write_mission
from s2lab.envs.grid.rooms import ANY, ROWS
from s2lab.envs.grid.worlds import Rules, Tables, Worlds


@pure
def layout(worlds: Worlds, rules: Rules, tables: Tables, n: int) -> None:
    """Three columns of rooms; the middle one is the corridor that the agent starts in."""
    rows = tables.params[ROWS]
    rooms.begin(worlds, rules, tables, n)
    for row in range(1, rows):
        rooms.remove_wall(worlds, rules, tables, n, 1, row, 3)
    row = random.integers(worlds.rng, n, 0, rows)
    _, color = rooms.add_door(worlds, tables, n, 2, row, 2, ANY, 1)
    _, target = rooms.add_object(worlds, rules, tables, n, 2, row, BALL, ANY)
    row = random.integers(worlds.rng, n, 0, rows)
    rooms.add_object(worlds, rules, tables, n, 0, row, KEY, color)
    rooms.place_agent_in_room(worlds, rules, tables, n, 1, rows // 2)
    rooms.connect_all(worlds, tables, n)
    worlds.slots[n, 0] = target
    write_mission(worlds, tables, n, 0)


def _level(room_size: int, rows: int) -> Level:
    return Level(
        width=rooms.grid_side(room_size, 3),
        height=rooms.grid_side(room_size, rows),
        max_steps=30 * room_size**2,
        params=(room_size, rows, 3),
        ending=PICK_UP,
        missions=("pick up the {color0} {type0}",),
        scratch=rooms.scratch_words(rows, 3),
    )


FAMILY = Family(
    name="keycorridor",
    layout=layout,
    levels={
        "MiniGrid-KeyCorridorS3R1-v0": _level(3, 1),
        "MiniGrid-KeyCorridorS3R2-v0": _level(3, 2),
        "MiniGrid-KeyCorridorS3R3-v0": _level(3, 3),
        "MiniGrid-KeyCorridorS4R3-v0": _level(4, 3),
        "MiniGrid-KeyCorridorS5R3-v0": _level(5, 3),
        "MiniGrid-KeyCorridorS6R3-v0": _level(6, 3),
    },
)
