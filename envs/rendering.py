"""Pictures of one world, drawn by minigrid itself. Knows no actions and no observations.

The cells of a world become minigrid's objects in an idle minigrid environment, whose renderer then
draws them: pixels and letters are minigrid's by construction.
"""

import warnings
from typing import Any

import numpy as np
from minigrid.core.grid import Grid
from minigrid.core.mission import MissionSpace
from minigrid.core.world_object import WorldObj
from minigrid.minigrid_env import MiniGridEnv

from s2lab.envs.grid.cells import EMPTY, color_of, state_of, type_of
from s2lab.envs.grid.cpu import GridBatch
from s2lab.envs.grid.worlds import Array


class _Idle(MiniGridEnv):
    """A minigrid environment that nobody plays."""

    def _gen_grid(self, width: int, height: int) -> None:
        raise NotImplementedError


class Canvas:
    """Draws the worlds of one batch, one at a time."""

    def __init__(
        self,
        batch: GridBatch,
        *,
        highlight: bool = True,
        tile_size: int = 32,
        agent_pov: bool = False,
        window: bool = False,
    ) -> None:
        """Prepare to draw.

        Args:
            batch: holds the worlds.
            highlight: lighten the cells that the agent sees.
            tile_size: pixels on a side of a cell.
            agent_pov: draw what the agent sees in place of the whole grid.
            window: draw onto a pygame window, and return nothing.
        """
        self._batch = batch
        self._env: Any = _Idle(
            MissionSpace(mission_func=lambda: ""),
            width=batch.level.width,
            height=batch.level.height,
            see_through_walls=batch.level.see_through_walls,
            agent_view_size=int(batch.rules.view_size),
            render_mode="human" if window else "rgb_array",
            highlight=highlight,
            tile_size=tile_size,
            agent_pov=agent_pov,
        )

    def draw(self, n: int = 0) -> Array | None:
        """World `n` as an RGB picture, uint8 [H * tile, W * tile, 3]; nothing with a window."""
        self._copy(n)
        with warnings.catch_warnings():  # minigrid asks pygame for a font under a file's name
            warnings.filterwarnings("ignore", message="The system font")
            picture: Array | None = self._env.render()
        return picture

    def letters(self, n: int = 0) -> str:
        """World `n` in the letters of minigrid's `pprint_grid`, two for each cell."""
        self._copy(n)
        return str(self._env.pprint_grid())

    def close(self) -> None:
        """Close the window, if there is one."""
        self._env.close()

    def _copy(self, n: int) -> None:
        """Make the idle environment the likeness of world `n`."""
        worlds, rules, env = self._batch.worlds, self._batch.rules, self._env
        grid = Grid(env.width, env.height)
        for y in range(env.height):
            for x in range(env.width):
                cell = worlds.cells[n, rules.origin + y * rules.stride + x]
                grid.set(x, y, _object(int(cell)))
        env.grid = grid
        env.carrying = _object(int(worlds.carrying[n]))
        env.agent_pos = np.array([worlds.agent_x[n], worlds.agent_y[n]])
        env.agent_dir = int(worlds.agent_dir[n])
        env.mission = self._batch.mission_text(n)


def _object(cell: int) -> Any:
    """minigrid's object for a cell, None for an empty one."""
    if type_of(cell) == EMPTY:
        return None
    return WorldObj.decode(int(type_of(cell)), int(color_of(cell)), int(state_of(cell)))
