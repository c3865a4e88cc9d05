"""An object to remember down a hallway, and two to choose from (minigrid/envs/memory.py)."""

from s2lab.envs.grid import random
from s2lab.envs.grid.cells import BALL, GREEN, KEY, WALL_CELL, thing
from s2lab.envs.grid.compiled import pure
from s2lab.envs.grid.endings import CHOOSE_ARM
from s2lab.envs.grid.level import Family, Level
from s2lab.envs.grid.missions import write_mission
from s2lab.envs.grid.placement import clear, horizontal, put, set_agent, surround, vertical
from s2lab.envs.grid.worlds import Rules, Tables, Worlds

RANDOM_LENGTH = 0  # of params: 1 draws how long the hallway is


@pure
def _walls(worlds: Worlds, rules: Rules, n: int, end: int) -> None:
    """The start room on the left, the hallway, and at its end, right of x = `end`, two arms."""
    middle = rules.height // 2
    surround(worlds, rules, n, 0, 0, rules.width, rules.height)
    for side in range(-1, 2, 2):
        horizontal(worlds, rules, n, 1, middle + 2 * side, 4, WALL_CELL)
        put(worlds, rules, n, 4, middle + side, WALL_CELL)
        horizontal(worlds, rules, n, 5, middle + side, end - 5, WALL_CELL)
    vertical(worlds, rules, n, end, 0, middle, WALL_CELL)
    vertical(worlds, rules, n, end, middle + 1, middle, WALL_CELL)
    vertical(worlds, rules, n, end + 2, 0, rules.height, WALL_CELL)


@pure
def layout(worlds: Worlds, rules: Rules, tables: Tables, n: int) -> None:
    """The object in the start room equals that at the end of one arm."""
    middle = rules.height // 2
    clear(worlds, rules, n)
    end = rules.width - 3
    if tables.params[RANDOM_LENGTH]:
        end = random.integers(worlds.rng, n, 4, rules.width - 2)
    _walls(worlds, rules, n, end)
    set_agent(worlds, n, random.integers(worlds.rng, n, 1, end + 1), middle, 0)
    shown = KEY + random.integers(worlds.rng, n, 0, 2)
    upper = BALL - random.integers(worlds.rng, n, 0, 2)
    put(worlds, rules, n, 1, middle - 1, thing(shown, GREEN))
    put(worlds, rules, n, end + 1, middle - 2, thing(upper, GREEN))
    put(worlds, rules, n, end + 1, middle + 2, thing(KEY + BALL - upper, GREEN))
    side = -1 if shown == upper else 1
    for arm in range(2):
        worlds.slots[n, 2 * arm] = end + 1
        worlds.slots[n, 2 * arm + 1] = middle + (side if arm == 0 else -side)
    write_mission(worlds, tables, n, 0)


def _level(size: int, random_length: bool = False) -> Level:
    return Level(
        width=size,
        height=size,
        max_steps=5 * size**2,
        params=(int(random_length),),
        ending=CHOOSE_ARM,
        missions=("go to the matching object at the end of the hallway",),
    )


FAMILY = Family(
    name="memory",
    layout=layout,
    levels={
        "MiniGrid-MemoryS17Random-v0": _level(17, random_length=True),
        "MiniGrid-MemoryS13Random-v0": _level(13, random_length=True),
        "MiniGrid-MemoryS13-v0": _level(13),
        "MiniGrid-MemoryS11-v0": _level(11),
        "MiniGrid-MemoryS9-v0": _level(9),
        "MiniGrid-MemoryS7-v0": _level(7),
    },
)
