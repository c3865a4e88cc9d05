"""A locked door between two rooms, its key beside the agent, perhaps a box behind it.

Follows minigrid/envs/unlock.py, unlockpickup.py and blockedunlockpickup.py, which differ in what
lies behind and before the door.
"""

from s2lab.envs.grid import rooms
from s2lab.envs.grid.cells import BALL, BOX, KEY, thing
from s2lab.envs.grid.compiled import pure
from s2lab.envs.grid.endings import OPEN_DOOR, PICK_UP
from s2lab.envs.grid.level import Family, Level
from s2lab.envs.grid.missions import write_mission
from s2lab.envs.grid.placement import random_color
from s2lab.envs.grid.rooms import ANY
from s2lab.envs.grid.worlds import Rules, Tables, Worlds

HAS_BOX, IS_BLOCKED = 3, 4  # of params, after those of the rooms


@pure
def layout(worlds: Worlds, rules: Rules, tables: Tables, n: int) -> None:
    """The agent and the key are left of the door, the box right of it, a ball right before it."""
    rooms.begin(worlds, rules, tables, n)
    target = 0
    if tables.params[HAS_BOX]:
        _, target = rooms.add_object(worlds, rules, tables, n, 1, 0, BOX, ANY)
    _, color = rooms.add_door(worlds, tables, n, 0, 0, 0, ANY, 1)
    place = rooms.door_place(worlds, tables, n, 0, 0, 0)
    if tables.params[IS_BLOCKED]:
        worlds.cells[n, place - 1] = thing(BALL, random_color(worlds, n))
    rooms.add_object(worlds, rules, tables, n, 0, 0, KEY, color)
    rooms.place_agent_in_room(worlds, rules, tables, n, 0, 0)
    worlds.slots[n, 0] = target if tables.params[HAS_BOX] else place
    write_mission(worlds, tables, n, 0)


def _level(ending: int, mission: str, steps_per_cell: int, *, blocked: bool = False) -> Level:
    room_size = 6
    return Level(
        width=rooms.grid_side(room_size, 2),
        height=rooms.grid_side(room_size, 1),
        max_steps=steps_per_cell * room_size**2,
        params=(room_size, 1, 2, int(ending == PICK_UP), int(blocked)),
        ending=ending,
        missions=(mission,),
        scratch=rooms.scratch_words(1, 2),
    )


_PICK_UP_BOX = "pick up the {color0} {type0}"

FAMILY = Family(
    name="unlock",
    layout=layout,
    levels={
        "MiniGrid-Unlock-v0": _level(OPEN_DOOR, "open the door", 8),
        "MiniGrid-UnlockPickup-v0": _level(PICK_UP, _PICK_UP_BOX, 8),
        "MiniGrid-BlockedUnlockPickup-v0": _level(PICK_UP, _PICK_UP_BOX, 16, blocked=True),
    },
)
