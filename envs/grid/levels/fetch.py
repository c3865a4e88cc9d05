"""Keys and balls, one of which to pick up and none of the others (minigrid/envs/fetch.py)."""

from s2lab.envs.grid import random
from s2lab.envs.grid.cells import KEY, thing
from s2lab.envs.grid.compiled import pure
from s2lab.envs.grid.endings import FETCH
from s2lab.envs.grid.level import Family, Level
from s2lab.envs.grid.missions import write_mission
from s2lab.envs.grid.placement import clear, place_agent, place_anywhere, random_color, surround
from s2lab.envs.grid.worlds import Rules, Tables, Worlds

THINGS = 0  # of params: how many objects

MISSIONS = tuple(
    f"{order} {{color0}} {{type0}}"
    for order in ("get a", "go get a", "fetch a", "go fetch a", "you must fetch a")
)


@pure
def layout(worlds: Worlds, rules: Rules, tables: Tables, n: int) -> None:
    """A room with the agent and the objects anywhere; objects may look the same."""
    rng, things = worlds.rng, tables.params[THINGS]
    clear(worlds, rules, n)
    surround(worlds, rules, n, 0, 0, rules.width, rules.height)
    for i in range(things):
        kind = KEY + random.integers(rng, n, 0, 2)
        cell = thing(kind, random_color(worlds, n))
        place_anywhere(worlds, rules, n, cell)
        worlds.scratch[n, i] = cell
    place_agent(worlds, rules, n, 0, 0, rules.width, rules.height)
    worlds.slots[n, 0] = worlds.scratch[n, random.integers(rng, n, 0, things)]
    write_mission(worlds, tables, n, random.integers(rng, n, 0, tables.templates.shape[0]))


def _level(size: int, things: int) -> Level:
    return Level(
        width=size,
        height=size,
        max_steps=5 * size**2,
        params=(things,),
        see_through_walls=True,
        ending=FETCH,
        missions=MISSIONS,
        scratch=things,
    )


FAMILY = Family(
    name="fetch",
    layout=layout,
    levels={
        "MiniGrid-Fetch-5x5-N2-v0": _level(5, 2),
        "MiniGrid-Fetch-6x6-N2-v0": _level(6, 2),
        "MiniGrid-Fetch-8x8-N3-v0": _level(8, 3),
    },
)
