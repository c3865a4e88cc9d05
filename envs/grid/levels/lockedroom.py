"""Six rooms off a hallway, one with the goal and locked (minigrid/envs/lockedroom.py)."""

from s2lab.envs.grid import random
from s2lab.envs.grid.cells import CLOSED, GOAL_CELL, KEY, LOCKED, WALL_CELL, door, thing
from s2lab.envs.grid.compiled import pure
from s2lab.envs.grid.level import Family, Level
from s2lab.envs.grid.missions import write_mission
from s2lab.envs.grid.placement import (
    clear,
    horizontal,
    place_agent,
    put,
    random_color_but,
    surround,
    vertical,
)
from s2lab.envs.grid.worlds import Rules, Tables, Worlds

ROOM_COUNT = 6  # numbered in rows, left of the hallway before right of it


@pure
def _put_in_room(worlds: Worlds, rules: Rules, n: int, number: int, cell: int) -> None:
    """Put a thing anywhere in a room, whatever is there."""
    left = (number & 1) * (rules.width // 2 + 2)
    top = (number >> 1) * (rules.height // 3)
    x = random.integers(worlds.rng, n, left + 1, left + rules.width // 2 - 2)
    y = random.integers(worlds.rng, n, top + 1, top + rules.height // 3)
    put(worlds, rules, n, x, y, cell)


@pure
def layout(worlds: Worlds, rules: Rules, tables: Tables, n: int) -> None:
    """Every room has a door of its own colour; the agent starts in the hallway."""
    width, height = rules.width, rules.height
    left, right, third = width // 2 - 2, width // 2 + 2, height // 3
    clear(worlds, rules, n)
    surround(worlds, rules, n, 0, 0, width, height)
    vertical(worlds, rules, n, left, 0, height, WALL_CELL)
    vertical(worlds, rules, n, right, 0, height, WALL_CELL)
    for row in range(1, 3):
        horizontal(worlds, rules, n, 0, row * third, left, WALL_CELL)
        horizontal(worlds, rules, n, right, row * third, width - right, WALL_CELL)

    locked = random.integers(worlds.rng, n, 0, ROOM_COUNT)
    _put_in_room(worlds, rules, n, locked, GOAL_CELL)
    used = 0
    for number in range(ROOM_COUNT):
        color = random_color_but(worlds, n, used)
        used |= 1 << color
        worlds.scratch[n, number] = color
        state = LOCKED if number == locked else CLOSED
        x = right if number & 1 else left
        put(worlds, rules, n, x, (number >> 1) * third + 3, door(color, state))

    key_room = random.integers(worlds.rng, n, 0, ROOM_COUNT)
    while key_room == locked:
        key_room = random.integers(worlds.rng, n, 0, ROOM_COUNT)
    worlds.slots[n, 0] = thing(KEY, worlds.scratch[n, locked])
    worlds.slots[n, 1] = thing(KEY, worlds.scratch[n, key_room])
    _put_in_room(worlds, rules, n, key_room, worlds.slots[n, 0])
    place_agent(worlds, rules, n, left, 0, right - left, height)
    write_mission(worlds, tables, n, 0)


_SIZE = 19

FAMILY = Family(
    name="lockedroom",
    layout=layout,
    levels={
        "MiniGrid-LockedRoom-v0": Level(
            width=_SIZE,
            height=_SIZE,
            max_steps=10 * _SIZE,
            missions=(
                "get the {color0} key from the {color1} room, "
                "unlock the {color0} door and go to the goal",
            ),
            scratch=ROOM_COUNT,
        )
    },
)
