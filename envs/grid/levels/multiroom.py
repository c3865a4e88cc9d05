"""A chain of rooms with coloured doors between them (minigrid/envs/multiroom.py)."""

from typing import Any

from s2lab.envs.grid import random
from s2lab.envs.grid.cells import CLOSED, GOAL_CELL, door
from s2lab.envs.grid.compiled import pure
from s2lab.envs.grid.level import Family, Level
from s2lab.envs.grid.missions import write_mission
from s2lab.envs.grid.placement import (
    clear,
    place_agent,
    place_thing,
    put,
    random_color_but,
    surround,
)
from s2lab.envs.grid.worlds import Rules, Tables, Worlds

FEWEST_ROOMS, MOST_ROOMS, LARGEST_ROOM = range(3)  # of params
SMALLEST_ROOM = 4
EXIT_TRIES = 8
# Of a room in scratch: its upper left corner, its size, the place of its entry.
_LEFT, _TOP, _WIDTH, _HEIGHT, _ENTRY_X, _ENTRY_Y, _WORDS = range(7)


@pure
def _fits(worlds: Worlds, rules: Rules, n: int, count: int) -> Any:
    """Whether the room after the first `count` lies inside the grid and off all but the last.

    The reference lets a room touch the grid's right edge but not its lower one, and leaves the
    last room out of the comparison.
    """
    rooms, new = worlds.scratch, count * _WORDS
    left, top = rooms[n, new + _LEFT], rooms[n, new + _TOP]
    right, bottom = left + rooms[n, new + _WIDTH], top + rooms[n, new + _HEIGHT]
    if left < 0 or top < 0 or right > rules.width or bottom >= rules.height:
        return False
    for number in range(count - 1):
        old = number * _WORDS
        old_left, old_top = rooms[n, old + _LEFT], rooms[n, old + _TOP]
        apart = right < old_left or old_left + rooms[n, old + _WIDTH] <= left
        apart = apart or bottom < old_top or old_top + rooms[n, old + _HEIGHT] <= top
        if not apart:
            return False
    return True


@pure
def _draw_room(
    worlds: Worlds, rules: Rules, tables: Tables, n: int, count: int, wall: int, x: int, y: int
) -> Any:
    """Draw room number `count` around its entry at (x, y) in its own `wall`; whether it fits."""
    rng, rooms, new = worlds.rng, worlds.scratch, count * _WORDS
    largest = tables.params[LARGEST_ROOM]
    width = random.integers(rng, n, SMALLEST_ROOM, largest + 1)
    height = random.integers(rng, n, SMALLEST_ROOM, largest + 1)
    left, top = x, y
    if count > 0:
        if wall == 0:
            left = x - width + 1
        elif wall == 1:
            top = y - height + 1
        if wall & 1:
            left = random.integers(rng, n, x - width + 2, x)
        else:
            top = random.integers(rng, n, y - height + 2, y)
    rooms[n, new + _LEFT], rooms[n, new + _TOP] = left, top
    rooms[n, new + _WIDTH], rooms[n, new + _HEIGHT] = width, height
    rooms[n, new + _ENTRY_X], rooms[n, new + _ENTRY_Y] = x, y
    return _fits(worlds, rules, n, count)


@pure
def _draw_next(
    worlds: Worlds, rules: Rules, tables: Tables, n: int, count: int, entry_wall: int
) -> Any:
    """Try eight exits from the last room; the next room's entry wall, or -1 if none led to one."""
    rng, rooms, last = worlds.rng, worlds.scratch, (count - 1) * _WORDS
    left, top = rooms[n, last + _LEFT], rooms[n, last + _TOP]
    width, height = rooms[n, last + _WIDTH], rooms[n, last + _HEIGHT]
    for _ in range(EXIT_TRIES):
        wall = random.integers(rng, n, 0, 3)
        if wall >= entry_wall:
            wall += 1
        if wall & 1:
            x = left + random.integers(rng, n, 1, width - 1)
            y = top + height - 1 if wall == 1 else top
        else:
            y = top + random.integers(rng, n, 1, height - 1)
            x = left + width - 1 if wall == 0 else left
        opposite = (wall + 2) & 3
        if _draw_room(worlds, rules, tables, n, count, opposite, x, y):
            return opposite
    return -1


@pure
def _draw_chain(worlds: Worlds, rules: Rules, tables: Tables, n: int, total: int) -> Any:
    """Draw rooms one behind the other; whether all `total` found a place.

    The reference's recursion never steps back: a room that finds no next one still counts as
    placed, which ends the chain.
    """
    x = random.integers(worlds.rng, n, 0, rules.width - 2)
    y = random.integers(worlds.rng, n, 0, rules.width - 2)
    if not _draw_room(worlds, rules, tables, n, 0, 2, x, y):
        return False
    wall = 2
    for count in range(1, total):
        wall = _draw_next(worlds, rules, tables, n, count, wall)
        if wall < 0:
            return False
    return True


@pure
def layout(worlds: Worlds, rules: Rules, tables: Tables, n: int) -> None:
    """Draw chains until one is long enough; the agent starts in its first room."""
    fewest, most = tables.params[FEWEST_ROOMS], tables.params[MOST_ROOMS]
    total = random.integers(worlds.rng, n, fewest, most + 1)
    while not _draw_chain(worlds, rules, tables, n, total):
        pass
    clear(worlds, rules, n)
    rooms = worlds.scratch
    color = -1
    for number in range(total):
        at = number * _WORDS
        left, top = rooms[n, at + _LEFT], rooms[n, at + _TOP]
        surround(worlds, rules, n, left, top, rooms[n, at + _WIDTH], rooms[n, at + _HEIGHT])
        if number > 0:
            color = random_color_but(worlds, n, 0 if color < 0 else 1 << color)
            x, y = rooms[n, at + _ENTRY_X], rooms[n, at + _ENTRY_Y]
            put(worlds, rules, n, x, y, door(color, CLOSED))
    place_agent(worlds, rules, n, rooms[n, 0], rooms[n, 1], rooms[n, 2], rooms[n, 3])
    at = (total - 1) * _WORDS
    width, height = rooms[n, at + _WIDTH], rooms[n, at + _HEIGHT]
    place_thing(
        worlds, rules, n, rooms[n, at + _LEFT], rooms[n, at + _TOP], width, height, GOAL_CELL
    )
    write_mission(worlds, tables, n, 0)


def _level(rooms: int, largest_room: int = 10) -> Level:
    return Level(
        width=25,
        height=25,
        max_steps=rooms * 20,
        params=(rooms, rooms, largest_room),
        missions=("traverse the rooms to get to the goal",),
        scratch=rooms * _WORDS,
    )


FAMILY = Family(
    name="multiroom",
    layout=layout,
    levels={
        "MiniGrid-MultiRoom-N2-S4-v0": _level(2, 4),
        # Six rooms under the name N4: so it is registered (minigrid/__init__.py).
        "MiniGrid-MultiRoom-N4-S5-v0": _level(6, 5),
        "MiniGrid-MultiRoom-N4-S5-v1": _level(4, 5),
        "MiniGrid-MultiRoom-N6-v0": _level(6),
    },
)
