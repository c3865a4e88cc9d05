"""Two strips of lava on the way to the goal, always the same (minigrid/envs/distshift.py)."""

from s2lab.envs.grid.cells import GOAL_CELL, LAVA_CELL
from s2lab.envs.grid.compiled import pure
from s2lab.envs.grid.level import Family, Level
from s2lab.envs.grid.missions import write_mission
from s2lab.envs.grid.placement import clear, horizontal, put, set_agent, surround
from s2lab.envs.grid.worlds import Rules, Tables, Worlds

SECOND_STRIP = 0  # of params: its y


@pure
def layout(worlds: Worlds, rules: Rules, tables: Tables, n: int) -> None:
    """The goal and the agent are in the upper corners, the first strip between them."""
    clear(worlds, rules, n)
    surround(worlds, rules, n, 0, 0, rules.width, rules.height)
    put(worlds, rules, n, rules.width - 2, 1, GOAL_CELL)
    horizontal(worlds, rules, n, 3, 1, rules.width - 6, LAVA_CELL)
    horizontal(worlds, rules, n, 3, tables.params[SECOND_STRIP], rules.width - 6, LAVA_CELL)
    set_agent(worlds, n, 1, 1, 0)
    write_mission(worlds, tables, n, 0)


def _level(second_strip: int) -> Level:
    return Level(
        width=9,
        height=7,
        max_steps=4 * 9 * 7,
        params=(second_strip,),
        see_through_walls=True,
        missions=("get to the green goal square",),
    )


FAMILY = Family(
    name="distshift",
    layout=layout,
    levels={"MiniGrid-DistShift1-v0": _level(2), "MiniGrid-DistShift2-v0": _level(5)},
)
