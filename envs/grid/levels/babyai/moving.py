"""Things to put next to one another (minigrid/envs/babyai/putnext.py, other.py)."""

from typing import Any

from s2lab.envs.grid import inventory, random, rooms
from s2lab.envs.grid.compiled import pure
from s2lab.envs.grid.instructions import (
    BEFORE,
    IN_HAND,
    PUT_NEXT,
    makes_sense,
    number_things,
    set_part,
)
from s2lab.envs.grid.language import write_sentence
from s2lab.envs.grid.level import Family, Level
from s2lab.envs.grid.levels.babyai.single_part import ask_to_put, look
from s2lab.envs.grid.levels.babyai.sizing import rooms_level
from s2lab.envs.grid.reach import all_reachable
from s2lab.envs.grid.worlds import Rules, Tables, Worlds

# Of params, after the rooms: the task, how many things are in each room at least, how many more at
# most.
THEME, COUNT, SPREAD = range(3, 6)

IN_ONE_ROOM, ACROSS, ACROSS_IN_HAND, SWAP = range(4)


@pure
def layout(worlds: Worlds, rules: Rules, tables: Tables, n: int) -> None:
    """One room, or two that are open to each other, until minigrid accepts them."""
    while not _attempt(worlds, rules, tables, n):
        pass


@pure
def _attempt(worlds: Worlds, rules: Rules, tables: Tables, n: int) -> Any:
    theme = tables.params[THEME]
    inventory.begin(worlds, rules, tables, n)
    count = inventory.draw_count(worlds, n, tables.params[COUNT], tables.params[SPREAD])
    if not rooms.place_agent_in_room(worlds, rules, tables, n, 0, 0):
        return False
    if not inventory.add_distractors(worlds, rules, tables, n, 0, 0, count, True):
        return False
    if theme == IN_ONE_ROOM:
        if not all_reachable(worlds, rules, n):
            return False
        first, second = _draw_two(worlds, n, count)
        what, where = _look_of(worlds, tables, n, first), _look_of(worlds, tables, n, second)
        return ask_to_put(worlds, rules, tables, n, PUT_NEXT, what, where)
    if not inventory.add_distractors(worlds, rules, tables, n, 1, 0, count, True):
        return False
    rooms.remove_wall(worlds, rules, tables, n, 0, 0, 0)
    if theme == SWAP:
        return _ask_to_swap(worlds, rules, tables, n, count)
    moved = random.integers(worlds.rng, n, 0, count)
    fixed = count + random.integers(worlds.rng, n, 0, count)
    if random.integers(worlds.rng, n, 0, 2) == 0:
        moved, fixed = fixed, moved
    what, where = _look_of(worlds, tables, n, moved), _look_of(worlds, tables, n, fixed)
    if not ask_to_put(worlds, rules, tables, n, PUT_NEXT, what, where):
        return False
    if theme == ACROSS_IN_HAND:
        worlds.slots[n, IN_HAND] = inventory.place(worlds, tables, n, moved)
    return True


@pure
def _look_of(worlds: Worlds, tables: Tables, n: int, i: int) -> Any:
    return look(inventory.cell(worlds, tables, n, i))


@pure
def _draw_two(worlds: Worlds, n: int, count: int) -> Any:
    """Two different numbers below `count`, the second drawn from those that are left."""
    first = random.integers(worlds.rng, n, 0, count)
    second = random.integers(worlds.rng, n, 0, count - 1)
    return first, second + 1 if second >= first else second


@pure
def _ask_to_swap(worlds: Worlds, rules: Rules, tables: Tables, n: int, count: int) -> Any:
    """One thing from the left to the right, then another one from the right to the left."""
    a, d = _draw_two(worlds, n, count)
    b, c = _draw_two(worlds, n, count)
    first, last = _look_of(worlds, tables, n, a), _look_of(worlds, tables, n, d)
    second = _look_of(worlds, tables, n, count + b)
    third = _look_of(worlds, tables, n, count + c)
    number_things(worlds, rules, n)
    set_part(worlds, rules, tables, n, 0, PUT_NEXT, first, second)
    set_part(worlds, rules, tables, n, 2, PUT_NEXT, third, last)
    if not makes_sense(worlds, rules, n, BEFORE, 0):
        return False
    write_sentence(worlds, tables, n, BEFORE)
    return True


def _level(room_size: int, theme: int, count: int) -> Level:
    if theme == IN_ONE_ROOM:
        return rooms_level(room_size, 1, 1, (theme, count, 0), sentence=9, walks=2)
    limit = (16 if theme == SWAP else 8) * room_size**2
    sentence = 20 if theme == SWAP else 9
    return rooms_level(room_size, 1, 2, (theme, count, 0), sentence=sentence, max_steps=limit)


FAMILY = Family(
    name="babyai_moving",
    layout=layout,
    levels={
        "BabyAI-PutNextLocal-v0": _level(8, IN_ONE_ROOM, 8),
        "BabyAI-PutNextLocalS5N3-v0": _level(5, IN_ONE_ROOM, 3),
        "BabyAI-PutNextLocalS6N4-v0": _level(6, IN_ONE_ROOM, 4),
        "BabyAI-PutNextS4N1-v0": _level(4, ACROSS, 1),
        "BabyAI-PutNextS5N1-v0": _level(5, ACROSS, 1),
        "BabyAI-PutNextS5N2-v0": _level(5, ACROSS, 2),
        "BabyAI-PutNextS6N3-v0": _level(6, ACROSS, 3),
        "BabyAI-PutNextS7N4-v0": _level(7, ACROSS, 4),
        "BabyAI-PutNextS5N2Carrying-v0": _level(5, ACROSS_IN_HAND, 2),
        "BabyAI-PutNextS6N3Carrying-v0": _level(6, ACROSS_IN_HAND, 3),
        "BabyAI-PutNextS7N4Carrying-v0": _level(7, ACROSS_IN_HAND, 4),
        "BabyAI-MoveTwoAcrossS5N2-v0": _level(5, SWAP, 2),
        "BabyAI-MoveTwoAcrossS8N9-v0": _level(8, SWAP, 9),
    },
)
