"""What the agent of one world sees: an image of (type, colour, state) per cell.

Images are indexed [x, y, channel] as minigrid's are. In a partial view the agent stands at the
middle of the last row and looks up. Each function returns a set of the types that it showed, bit
`1 << type`, without the agent's own cell and what it carries. Knows no actions and no missions.
"""

from typing import Any

import numpy as np

from s2lab.envs.grid.cells import AGENT, RED, SEEN_MASK, unpack
from s2lab.envs.grid.compiled import inlined
from s2lab.envs.grid.physics import step_x, step_y
from s2lab.envs.grid.worlds import Array, Rules, Worlds


@inlined
def observe(worlds: Worlds, rules: Rules, image: Array, n: int) -> Any:
    """Write world `n`'s observation into `image[n]`; return the set of types in it."""
    if rules.full != 0:
        return _observe_grid(worlds, rules, image, n)
    if rules.view_size == 7:  # a constant here lets the compiler unroll every loop over the view
        return _observe_part(worlds, rules, image, n, 7)
    return _observe_part(worlds, rules, image, n, rules.view_size)


@inlined
def _write(image: Array, n: int, x: int, y: int, cell: int) -> None:
    image[n, x, y, 0] = cell & 15
    image[n, x, y, 1] = cell >> 4 & 7
    image[n, x, y, 2] = cell >> 7 & 3


@inlined
def _fill_right(bits: int, clear: int, view: int) -> Any:
    """Spread bits upwards through runs of clear bits, in log2(view) doublings."""
    run = clear << 1
    shift = 1
    while shift < view:
        bits |= run & (bits << shift)
        run &= run << shift
        shift <<= 1
    return bits


@inlined
def _fill_left(bits: int, clear: int, view: int) -> Any:
    """Spread bits downwards through runs of clear bits."""
    run = clear >> 1
    shift = 1
    while shift < view:
        bits |= run & (bits >> shift)
        run &= run >> shift
        shift <<= 1
    return bits


@inlined
def _spread(visible: int, clear: int, view: int) -> Any:
    """Visible cells of one row of the view, bit i for column i, and what they show of the next row.

    The two sweeps of minigrid's `Grid.process_vis` (minigrid/core/grid.py): sight runs rightwards
    and then leftwards through clear cells, and each clear visible cell shows the cell before it and
    that cell's neighbour in the sweep's direction. The row's last cell starts nothing rightwards,
    and its first cell nothing leftwards.
    """
    clear_right = clear & ~(1 << (view - 1))
    visible = _fill_right(visible, clear_right, view)
    through = visible & clear_right
    ahead = through | through << 1
    clear_left = clear & ~1
    visible = _fill_left(visible, clear_left, view)
    through = visible & clear_left
    ahead |= through | through >> 1
    return visible, ahead


@inlined
def _observe_part(worlds: Worlds, rules: Rules, image: Array, n: int, view: int) -> Any:
    direction = worlds.agent_dir[n]
    forward = step_y(direction) * rules.stride + step_x(direction)
    right = step_x(direction) * rules.stride - step_y(direction)
    row = rules.origin + worlds.agent_y[n] * rules.stride + worlds.agent_x[n] - view // 2 * right
    visible = 1 << (view // 2)
    everything = (1 << view) - 1
    types = 0
    for y in range(view - 1, -1, -1):
        ahead = everything
        if rules.see_through_walls != 0:
            visible = everything
        else:
            clear = 0
            for x in range(view):
                clear |= (unpack(worlds.cells[n, np.uint64(row + x * right)]) >> 9 & 1 ^ 1) << x
            visible, ahead = _spread(visible, clear, view)
        for x in range(view):
            cell = unpack(worlds.cells[n, np.uint64(row + x * right)]) & -(visible >> x & 1)
            if y < view - 1 or x != view // 2:
                types |= 1 << (cell & 15)
            _write(image, n, x, y, cell)
        visible = ahead
        row += forward
    _write(image, n, view // 2, view - 1, unpack(worlds.carrying[n]))
    return types


@inlined
def _observe_grid(worlds: Worlds, rules: Rules, image: Array, n: int) -> Any:
    own_x, own_y = worlds.agent_x[n], worlds.agent_y[n]
    types = 0
    for x in range(rules.width):
        for y in range(rules.height):
            cell = unpack(worlds.cells[n, rules.origin + y * rules.stride + x])
            if x != own_x or y != own_y:
                types |= 1 << (cell & 15)
            _write(image, n, x, y, cell)
    agent = AGENT | RED << 4 | worlds.agent_dir[n] << 7
    _write(image, n, own_x, own_y, agent & SEEN_MASK)
    return types
