"""Doors to open, some in an order (minigrid/envs/babyai/open.py)."""

from typing import Any

from s2lab.envs.grid import inventory, random, rooms
from s2lab.envs.grid.cells import BLUE, DOOR, RED
from s2lab.envs.grid.compiled import pure
from s2lab.envs.grid.instructions import (
    AFTER,
    ANY_COLOR,
    ANYWHERE,
    BEFORE,
    LEFT,
    OPEN,
    STRICT,
    describe,
)
from s2lab.envs.grid.level import Family, Level
from s2lab.envs.grid.levels.babyai.single_part import ask, ask_twice, look
from s2lab.envs.grid.levels.babyai.sizing import rooms_level
from s2lab.envs.grid.placement import random_color_but
from s2lab.envs.grid.rooms import ANY
from s2lab.envs.grid.worlds import Rules, Tables, Worlds

# Of params, after the rooms: the task, STRICT or 0, how the door is chosen or how many there are.
THEME, STRICTNESS, CHOICE = range(3, 6)

RED_DOOR, ONE_OF_FOUR, TWO, RED_THEN_BLUE, IN_ORDER = range(5)
DRAWN, BY_COLOR, BY_PLACE = range(3)


@pure
def layout(worlds: Worlds, rules: Rules, tables: Tables, n: int) -> None:
    """Doors around the agent's room, until minigrid accepts them."""
    while not _attempt(worlds, rules, tables, n):
        pass


@pure
def _attempt(worlds: Worlds, rules: Rules, tables: Tables, n: int) -> Any:
    theme = tables.params[THEME]
    inventory.begin(worlds, rules, tables, n)
    if theme == RED_DOOR:
        rooms.add_door(worlds, tables, n, 0, 0, 0, RED, 0)
        if not rooms.place_agent_in_room(worlds, rules, tables, n, 0, 0):
            return False
        ask(worlds, rules, tables, n, OPEN, describe(DOOR, RED, ANYWHERE))
        return True
    if theme == ONE_OF_FOUR:
        return _attempt_one(worlds, rules, tables, n)
    if theme == IN_ORDER:
        return _attempt_in_order(worlds, rules, tables, n)
    return _attempt_two(worlds, rules, tables, n)


@pure
def _attempt_one(worlds: Worlds, rules: Rules, tables: Tables, n: int) -> Any:
    """Four doors of unlike colours, one of them named by its colour or its place."""
    colors = _draw_colors(worlds, n, 4)
    for wall in range(4):
        inventory.add_door(worlds, tables, n, 1, 1, wall, colors >> 4 * wall & 15, 0)
    choice = tables.params[CHOICE]
    if choice == DRAWN:
        choice = BY_COLOR + random.integers(worlds.rng, n, 0, 2)
    what = describe(DOOR, colors & 15, ANYWHERE)
    if choice == BY_PLACE:
        what = describe(DOOR, ANY_COLOR, LEFT + random.integers(worlds.rng, n, 0, 4))
    if not rooms.place_agent_in_room(worlds, rules, tables, n, 1, 1):
        return False
    ask(worlds, rules, tables, n, OPEN | tables.params[STRICTNESS], what)
    return True


@pure
def _attempt_two(worlds: Worlds, rules: Rules, tables: Tables, n: int) -> Any:
    """One door on the left and then one on the right; minigrid draws colours that it drops."""
    colors = _draw_colors(worlds, n, 2)
    first, second = colors & 15, colors >> 4
    if tables.params[THEME] == RED_THEN_BLUE:
        first, second = RED, BLUE
    rooms.add_door(worlds, tables, n, 1, 1, 2, first, 0)
    rooms.add_door(worlds, tables, n, 1, 1, 0, second, 0)
    if not rooms.place_agent_in_room(worlds, rules, tables, n, 1, 1):
        return False
    first, second = describe(DOOR, first, ANYWHERE), describe(DOOR, second, ANYWHERE)
    strict = OPEN | tables.params[STRICTNESS]
    ask_twice(worlds, rules, tables, n, BEFORE, strict, first, OPEN, second)
    return True


@pure
def _attempt_in_order(worlds: Worlds, rules: Rules, tables: Tables, n: int) -> Any:
    """Some doors of unlike colours: one of them, one before another, or one after another."""
    count = tables.params[CHOICE]
    colors = _draw_colors(worlds, n, count)
    for i in range(count):
        inventory.add_door(worlds, tables, n, 1, 1, ANY, colors >> 4 * i & 15, 0)
    if not rooms.place_agent_in_room(worlds, rules, tables, n, 1, 1):
        return False
    first = random.integers(worlds.rng, n, 0, count)
    second = random.integers(worlds.rng, n, 0, count - 1)
    second += 1 if second >= first else 0
    mode = random.integers(worlds.rng, n, 0, 3)
    action = OPEN | tables.params[STRICTNESS]
    one = look(inventory.cell(worlds, tables, n, first))
    other = look(inventory.cell(worlds, tables, n, second))
    if mode == 0:
        ask(worlds, rules, tables, n, action, one)
    else:
        shape = BEFORE if mode == 1 else AFTER
        ask_twice(worlds, rules, tables, n, shape, action, one, action, other)
    return True


@pure
def _draw_colors(worlds: Worlds, n: int, count: int) -> Any:
    """So many different colours, in the order drawn, four bits each."""
    drawn, colors = 0, 0
    for i in range(count):
        color = random_color_but(worlds, n, drawn)
        drawn |= 1 << color
        colors |= color << 4 * i
    return colors


def _level(theme: int, strict: int = 0, choice: int = DRAWN) -> Level:
    if theme == RED_DOOR:
        return rooms_level(5, 1, 2, (theme, strict, choice), sentence=4)
    if theme == ONE_OF_FOUR:
        sentence = 4 if choice == BY_COLOR else 7
        return rooms_level(8, 3, 3, (theme, strict, choice), sentence=sentence)
    return rooms_level(6, 3, 3, (theme, strict, choice), sentence=10, max_steps=20 * 6**2)


FAMILY = Family(
    name="babyai_doors",
    layout=layout,
    levels={
        "BabyAI-OpenRedDoor-v0": _level(RED_DOOR),
        "BabyAI-OpenDoor-v0": _level(ONE_OF_FOUR),
        "BabyAI-OpenDoorDebug-v0": _level(ONE_OF_FOUR, STRICT),
        "BabyAI-OpenDoorColor-v0": _level(ONE_OF_FOUR, 0, BY_COLOR),
        "BabyAI-OpenDoorLoc-v0": _level(ONE_OF_FOUR, 0, BY_PLACE),
        "BabyAI-OpenTwoDoors-v0": _level(TWO),
        "BabyAI-OpenRedBlueDoors-v0": _level(RED_THEN_BLUE),
        "BabyAI-OpenRedBlueDoorsDebug-v0": _level(RED_THEN_BLUE, STRICT),
        "BabyAI-OpenDoorsOrderN2-v0": _level(IN_ORDER, 0, 2),
        "BabyAI-OpenDoorsOrderN4-v0": _level(IN_ORDER, 0, 4),
        "BabyAI-OpenDoorsOrderN2Debug-v0": _level(IN_ORDER, STRICT, 2),
        "BabyAI-OpenDoorsOrderN4Debug-v0": _level(IN_ORDER, STRICT, 4),
    },
)
