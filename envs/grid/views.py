"""What the agent of one world sees: an image of (type, colour, state) per cell.

Images are indexed [x, y, channel] as minigrid's are. In a partial view the agent stands at the
middle of the last row and looks up. Each function returns a set of the types that it showed, bit
`1 << type`, without the agent's own cell and what it carries. Knows no actions and no missions.
"""

from typing import Any

import numpy as np
from numba.extending import overload

from s2lab.envs.grid import registers
from s2lab.envs.grid.cells import AGENT, OPAQUE, RED, SEEN_MASK, unpack
from s2lab.envs.grid.compiled import INLINED, inlined
from s2lab.envs.grid.physics import step_x, step_y
from s2lab.envs.grid.worlds import Array, Rules, Worlds


@inlined
def observe(worlds: Worlds, rules: Rules, image: Array, n: int) -> Any:
    """Write world `n`'s observation into `image[n]`; return the set of types in it."""
    if rules.full != 0:
        return _observe_grid(worlds, rules, image, n)
    if rules.view_size == registers.SIDE:
        return observe_usual(worlds, rules, image, n)
    return _observe_part(worlds, rules, image, n, rules.view_size)


@inlined
def _write(image: Array, n: int, x: int, y: int, cell: int) -> None:
    image[n, x, y, 0] = cell & 15
    image[n, x, y, 1] = cell >> 4 & 7
    image[n, x, y, 2] = cell >> 7 & 3


@inlined
def _ahead(seen: int, clear: int, view: int) -> Any:
    """What the visible cells of a row show of the next row; of their own row they show the same.

    Bit i is column i. In minigrid's `Grid.process_vis` (minigrid/core/grid.py) sight runs first
    rightwards and then leftwards through clear cells, and each clear visible cell shows the cells
    before it. In the end every run of clear cells with a visible one among them is visible, and
    shows one cell more on either side, in both rows: within the view, which the caller sees to.
    """
    source = seen & clear
    reached = source | clear & ~(clear + source)  # a carry runs upwards to the end of a run
    run, shift = clear, 1
    while shift < view:  # and doublings run down to its beginning
        reached |= run & (reached >> shift)
        run &= run >> shift
        shift <<= 1
    return reached | reached << 1 | reached >> 1


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
            ahead = _ahead(visible, clear, view) & everything
            visible |= ahead
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


def observe_usual(worlds: Worlds, rules: Rules, image: Array, n: int) -> Any:
    """The partial view of the usual size; below, how it is made in a CPU's vector registers."""
    return _observe_part(worlds, rules, image, n, registers.SIDE)


@overload(observe_usual, jit_options=INLINED)
def _observe_anywhere(worlds: Worlds, rules: Rules, image: Array, n: int) -> Any:
    return observe_usual


@overload(observe_usual, target="cpu", jit_options=INLINED)
def _observe_on_cpu(worlds: Worlds, rules: Rules, image: Array, n: int) -> Any:
    def observe_in_registers(worlds: Worlds, rules: Rules, image: Array, n: int) -> Any:
        direction = worlds.agent_dir[n]
        forward = step_y(direction) * rules.stride + step_x(direction)
        right = step_x(direction) * rules.stride - step_y(direction)
        start = rules.origin + worlds.agent_y[n] * rules.stride + worlds.agent_x[n]
        if direction & 1:
            start += (registers.SIDE - 1) * forward - registers.SIDE // 2
            step = -forward
        else:
            start -= registers.SIDE // 2 * right + (registers.SIDE - 1 if forward < 0 else 0)
            step = right
        visible = _EVERYTHING
        if rules.see_through_walls == 0:
            cells = worlds.cells
            visible = _visible(registers.cells_without(cells, n, start, step, direction, OPAQUE))
        held = worlds.carrying[n]
        return registers.show(worlds.cells, n, start, step, direction, visible, held, image)

    return observe_in_registers


_ROW = 0x01010101010101  # bit 8 * i for every column i
_EVERYTHING = _ROW * (2**registers.SIDE - 1)


@inlined
def _visible(clear: int) -> Any:
    """The cells that the agent sees, of sets as in `registers.py`; otherwise as `_ahead`.

    Sight runs both ways by carries: the bits between columns are set, and let them through.
    """
    seen, visible = 1 << (registers.OWN - registers.SIDE + 1), 0
    for j in range(registers.SIDE - 1, -1, -1):
        row = clear >> j & _ROW
        source, run = seen & row, row | ~_ROW
        backwards = registers.reverse_bytes(run) + registers.reverse_bytes(source)
        reached = source | row & ~(run + source & registers.reverse_bytes(backwards))
        ahead = reached | reached << 8 | reached >> 8
        visible |= (seen | ahead) << j
        seen = ahead
    return visible & _EVERYTHING
