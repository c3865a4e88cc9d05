"""What a level is: a family of layouts, and the numbers that make one world of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from s2lab.envs.grid.missions import template_table
from s2lab.envs.grid.worlds import Rules, Tables, Worlds, make_rules, reward_table

Layout = Callable[[Worlds, Rules, Tables, int], Any]


@dataclass(frozen=True)
class Level:
    """One world id: its size, its limits and what its family's layout is told."""

    width: int
    """Cells from left to right, outer walls included."""
    height: int
    """Cells from top to bottom, outer walls included."""
    max_steps: int
    """Steps after which an episode is cut off."""
    params: tuple[int, ...] = ()
    """What the layout reads as `tables.params`, in the family's own order."""
    see_through_walls: bool = False
    """Whether walls and closed doors leave the view free."""
    ending: int = 0
    """When an episode ends, a number from `endings.py`."""
    budgets: int = 1
    """Lengths that an episode may have: `max_steps` times 1 ... `budgets`, as the layout says."""
    missions: tuple[str, ...] = ("",)
    """Mission templates, see `missions.py`; the layout names one by its position."""
    sentence: int = 0
    """Words of the longest mission that `language.py` composes here; 0 where templates serve."""
    slots: int = 4
    """Numbers that keep the mission as data, and the ending's own memory."""
    scratch: int = 0
    """Numbers that the layout needs while it is made."""
    actions: int = 7
    """How many of the seven actions exist."""

    @property
    def mission_length(self) -> int:
        """Tokens of the longest mission."""
        return self.sentence or int(template_table(self.missions).shape[1])

    @property
    def limits(self) -> list[int]:
        """Steps after which an episode of each length is cut off."""
        return [self.max_steps * (i + 1) for i in range(self.budgets)]


@dataclass(frozen=True)
class Family:
    """Levels that share one compiled layout."""

    name: str
    """Names the compiled kernel on disk: lower-case letters and underscores."""
    layout: Layout
    """A `pure` function that writes one world: grid, agent, slots and mission."""
    levels: dict[str, Level]
    """The levels by their minigrid id."""


def make_shared(level: Level, *, view_size: int, full: bool) -> tuple[Rules, Tables]:
    """What all worlds of a level share."""
    tables = Tables(
        params=np.array([*level.params, 0], np.int32),
        templates=template_table(level.missions),
        limits=np.array(level.limits, np.int32),
        rewards=reward_table(level.limits),
    )
    rules = make_rules(
        level.width,
        level.height,
        view_size=view_size,
        see_through_walls=level.see_through_walls,
        full=full,
        ending=level.ending,
    )
    return rules, tables
