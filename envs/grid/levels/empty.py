"""Empty rooms with a goal in the lower right corner (minigrid/envs/empty.py)."""

from s2lab.envs.grid.cells import GOAL_CELL
from s2lab.envs.grid.compiled import pure
from s2lab.envs.grid.level import Family, Level
from s2lab.envs.grid.missions import write_mission
from s2lab.envs.grid.placement import clear, place_agent, put, set_agent, surround
from s2lab.envs.grid.worlds import Rules, Tables, Worlds

RANDOM_START = 0  # of params: 1 puts the agent anywhere


@pure
def layout(worlds: Worlds, rules: Rules, tables: Tables, n: int) -> None:
    """A walled room; the agent starts in the upper left corner or anywhere."""
    clear(worlds, rules, n)
    surround(worlds, rules, n, 0, 0, rules.width, rules.height)
    put(worlds, rules, n, rules.width - 2, rules.height - 2, GOAL_CELL)
    if tables.params[RANDOM_START]:
        place_agent(worlds, rules, n, 0, 0, rules.width, rules.height)
    else:
        set_agent(worlds, n, 1, 1, 0)
    write_mission(worlds, tables, n, 0)


def _level(size: int, random_start: bool = False) -> Level:
    return Level(
        width=size,
        height=size,
        max_steps=4 * size**2,
        params=(int(random_start),),
        see_through_walls=True,
        missions=("get to the green goal square",),
    )


FAMILY = Family(
    name="empty",
    layout=layout,
    levels={
        "MiniGrid-Empty-5x5-v0": _level(5),
        "MiniGrid-Empty-Random-5x5-v0": _level(5, random_start=True),
        "MiniGrid-Empty-6x6-v0": _level(6),
        "MiniGrid-Empty-Random-6x6-v0": _level(6, random_start=True),
        "MiniGrid-Empty-8x8-v0": _level(8),
        "MiniGrid-Empty-16x16-v0": _level(16),
    },
)
