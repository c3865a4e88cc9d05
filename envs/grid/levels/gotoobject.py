"""Objects, one of which to stop beside (minigrid/envs/gotoobject.py)."""

from s2lab.envs.grid import random
from s2lab.envs.grid.compiled import pure
from s2lab.envs.grid.endings import GO_BESIDE
from s2lab.envs.grid.level import Family, Level
from s2lab.envs.grid.missions import write_mission
from s2lab.envs.grid.placement import (
    ANYWHERE,
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
    """A room with the agent and the objects anywhere."""
    clear(worlds, rules, n)
    surround(worlds, rules, n, 0, 0, rules.width, rules.height)
    place_unlike_things(worlds, rules, n, tables.params[THINGS], ANYWHERE)
    place_agent(worlds, rules, n, 0, 0, rules.width, rules.height)
    target = worlds.scratch[n, random.integers(worlds.rng, n, 0, tables.params[THINGS])]
    worlds.slots[n, 0] = worlds.cells[n, target]
    worlds.slots[n, 1] = x_of(rules, target)
    worlds.slots[n, 2] = y_of(rules, target)
    write_mission(worlds, tables, n, 0)


def _level(size: int, things: int) -> Level:
    return Level(
        width=size,
        height=size,
        max_steps=5 * size**2,
        params=(things,),
        see_through_walls=True,
        ending=GO_BESIDE,
        missions=("go to the {color0} {type0}",),
        scratch=things,
    )


FAMILY = Family(
    name="gotoobject",
    layout=layout,
    levels={
        "MiniGrid-GoToObject-6x6-N2-v0": _level(6, 2),
        "MiniGrid-GoToObject-8x8-N2-v0": _level(8, 2),
    },
)
