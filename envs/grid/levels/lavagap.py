"""A strip of lava with one gap between the agent and the goal (minigrid/envs/lavagap.py)."""

from s2lab.envs.grid import random
from s2lab.envs.grid.cells import EMPTY, GOAL_CELL, LAVA_CELL
from s2lab.envs.grid.compiled import pure
from s2lab.envs.grid.level import Family, Level
from s2lab.envs.grid.missions import write_mission
from s2lab.envs.grid.placement import clear, put, set_agent, surround, vertical
from s2lab.envs.grid.worlds import Rules, Tables, Worlds


@pure
def layout(worlds: Worlds, rules: Rules, tables: Tables, n: int) -> None:
    """The agent and the goal are in opposite corners; strip and gap are drawn."""
    width, height = rules.width, rules.height
    clear(worlds, rules, n)
    surround(worlds, rules, n, 0, 0, width, height)
    set_agent(worlds, n, 1, 1, 0)
    put(worlds, rules, n, width - 2, height - 2, GOAL_CELL)
    x = random.integers(worlds.rng, n, 2, width - 2)
    y = random.integers(worlds.rng, n, 1, height - 1)
    vertical(worlds, rules, n, x, 1, height - 2, LAVA_CELL)
    put(worlds, rules, n, x, y, EMPTY)
    write_mission(worlds, tables, n, 0)


def _level(size: int) -> Level:
    return Level(
        width=size,
        height=size,
        max_steps=4 * size**2,
        missions=("avoid the lava and get to the green goal square",),
    )


FAMILY = Family(
    name="lavagap",
    layout=layout,
    levels={f"MiniGrid-LavaGapS{size}-v0": _level(size) for size in (5, 6, 7)},
)
