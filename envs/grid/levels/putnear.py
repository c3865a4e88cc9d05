"""An object to lay down near another (minigrid/envs/putnear.py)."""

from s2lab.envs.grid import random
from s2lab.envs.grid.compiled import pure
from s2lab.envs.grid.endings import PUT_NEAR
from s2lab.envs.grid.level import Family, Level
from s2lab.envs.grid.missions import write_mission
from s2lab.envs.grid.placement import (
    NOT_TOUCHING_OBJECTS,
    clear,
    place_agent,
    place_unlike_things,
    surround,
    x_of,
    y_of,
)
from s2lab.envs.grid.worlds import Rules, Tables, Worlds

THINGS = 0  # of params: how many objects


@pure
def layout(worlds: Worlds, rules: Rules, tables: Tables, n: int) -> None:
    """A room with the agent anywhere and objects that do not touch each other."""
    things = tables.params[THINGS]
    clear(worlds, rules, n)
    surround(worlds, rules, n, 0, 0, rules.width, rules.height)
    place_unlike_things(worlds, rules, n, things, NOT_TOUCHING_OBJECTS)
    place_agent(worlds, rules, n, 0, 0, rules.width, rules.height)
    moved = random.integers(worlds.rng, n, 0, things)
    target = random.integers(worlds.rng, n, 0, things)
    while target == moved:
        target = random.integers(worlds.rng, n, 0, things)
    place = worlds.scratch[n, target]
    worlds.slots[n, 0] = worlds.cells[n, worlds.scratch[n, moved]]
    worlds.slots[n, 1] = worlds.cells[n, place]
    worlds.slots[n, 2] = x_of(rules, place)
    worlds.slots[n, 3] = y_of(rules, place)
    write_mission(worlds, tables, n, 0)


def _level(size: int, things: int) -> Level:
    return Level(
        width=size,
        height=size,
        max_steps=5 * size,
        params=(things,),
        see_through_walls=True,
        ending=PUT_NEAR,
        missions=("put the {color0} {type0} near the {color1} {type1}",),
        scratch=things,
    )


FAMILY = Family(
    name="putnear",
    layout=layout,
    levels={
        "MiniGrid-PutNear-6x6-N2-v0": _level(6, 2),
        "MiniGrid-PutNear-8x8-N3-v0": _level(8, 3),
    },
)
