"""Balls that wander between the agent and the goal (minigrid/envs/dynamicobstacles.py)."""

from s2lab.envs.grid.cells import BALL, BLUE, GOAL_CELL, thing
from s2lab.envs.grid.compiled import pure
from s2lab.envs.grid.endings import DODGE
from s2lab.envs.grid.level import Family, Level
from s2lab.envs.grid.missions import write_mission
from s2lab.envs.grid.placement import clear, place_agent, place_anywhere, put, set_agent, surround
from s2lab.envs.grid.worlds import Rules, Tables, Worlds

RANDOM_START, OBSTACLES = range(2)  # of params; the first puts the agent anywhere


@pure
def layout(worlds: Worlds, rules: Rules, tables: Tables, n: int) -> None:
    """A room with the goal in the lower right corner and obstacles anywhere.

    The reference gives up on an obstacle after 101 tries and raises, which none of its own sizes
    makes likelier than once in 10**11 layouts; here it is tried further.
    """
    clear(worlds, rules, n)
    surround(worlds, rules, n, 0, 0, rules.width, rules.height)
    put(worlds, rules, n, rules.width - 2, rules.height - 2, GOAL_CELL)
    if tables.params[RANDOM_START]:
        place_agent(worlds, rules, n, 0, 0, rules.width, rules.height)
    else:
        set_agent(worlds, n, 1, 1, 0)
    worlds.slots[n, 0] = tables.params[OBSTACLES]
    for i in range(tables.params[OBSTACLES]):
        worlds.slots[n, 1 + i] = place_anywhere(worlds, rules, n, thing(BALL, BLUE))
    write_mission(worlds, tables, n, 0)


def _level(size: int, obstacles: int, random_start: bool = False) -> Level:
    return Level(
        width=size,
        height=size,
        max_steps=4 * size**2,
        params=(int(random_start), obstacles),
        see_through_walls=True,
        ending=DODGE,
        missions=("get to the green goal square",),
        slots=1 + obstacles,
        actions=3,
    )


FAMILY = Family(
    name="obstacles",
    layout=layout,
    levels={
        "MiniGrid-Dynamic-Obstacles-5x5-v0": _level(5, 2),
        "MiniGrid-Dynamic-Obstacles-Random-5x5-v0": _level(5, 2, random_start=True),
        "MiniGrid-Dynamic-Obstacles-6x6-v0": _level(6, 3),
        "MiniGrid-Dynamic-Obstacles-Random-6x6-v0": _level(6, 3, random_start=True),
        "MiniGrid-Dynamic-Obstacles-8x8-v0": _level(8, 4),
        "MiniGrid-Dynamic-Obstacles-16x16-v0": _level(16, 8),
    },
)
