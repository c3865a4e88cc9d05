"""N worlds as a struct of arrays: every field, its type and its shape.

One axis N runs through every array of `Worlds` and `Outputs`; `Rules` and `Tables` are shared by
all worlds of a batch. Kernels and CUDA threads receive these four as they are. Positions are int32
x (right) and y (down) from the grid's upper left corner. Knows no layouts and no kernels.

`cells` holds each world's grid row by row, with a margin of walls so that a view never leaves the
array: cell (x, y) is at `origin + y * stride + x`, and the right margin of a row is the left margin
of the next. The margin is `view_size - 2`, because agents stand inside the outermost cells.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from s2lab.envs.grid import cells, random

Array = npt.NDArray[Any]
LINE = 128  # bytes; of most processors a pair of cache lines, which they fetch together


class Worlds(NamedTuple):
    """The state of N worlds, everything that a next step depends on."""

    cells: Array  # uint16 [N, C]   the grid and its margin, see `cells.py`
    carrying: Array  # uint16 [N]   the cell that the agent carries; EMPTY for nothing
    agent_x: Array  # int32 [N]
    agent_y: Array  # int32 [N]
    agent_dir: Array  # int32 [N]   0 right, 1 down, 2 left, 3 up
    step_count: Array  # int32 [N]
    budget: Array  # int32 [N]      row of `Tables.limits` and `Tables.rewards`
    template: Array  # int32 [N]    the mission's row of `Tables.templates`
    slots: Array  # int32 [N, S]    the mission as data; the family says what each slot means
    tokens: Array  # int16 [N, L]   the mission as words; 0 is padding
    rng: Array  # uint64 [N, 6]     PCG64, see `random.py`
    scratch: Array  # int16 [N, K]  room for layout generation; means nothing between resets


class Rules(NamedTuple):
    """Numbers that all worlds of a batch share, int32 scalars."""

    width: Any
    height: Any
    stride: Any  # cells from a row to the next
    origin: Any  # index of cell (0, 0)
    view_size: Any
    see_through_walls: Any  # 0 or 1
    full: Any  # 1: observe the whole grid
    ending: Any  # when an episode ends, see `endings.py`


class Tables(NamedTuple):
    """Arrays that all worlds of a batch share."""

    params: Array  # int32 [P]      what the family's layout is told
    templates: Array  # int16 [T, L]  missions: word ids, and negative slot references
    limits: Array  # int32 [B]      steps after which an episode is cut off
    rewards: Array  # float64 [B, max(limits) + 1]  reward of success at each step


class Outputs(NamedTuple):
    """What a step hands out, and which worlds begin anew."""

    image: Array  # uint8 [N, W, H, 3]  W = H = view_size, or the grid's size
    direction: Array  # int64 [N]
    reward: Array  # float64 [N]
    terminated: Array  # bool [N]
    truncated: Array  # bool [N]
    events: Array  # uint16 [N]     see `events.py`
    ended: Array  # bool [N]        the episode is over and no new one has begun
    fresh: Array  # bool [N]        a new episode begins in this step
    final_image: Array  # uint8 [N, W, H, 3]  last view of the episodes that ended in this step,
    final_direction: Array  # int64 [N]       when a new one began at once (`fresh`)
    final_tokens: Array  # int16 [N, L]


def _filled(shape: int | tuple[int, ...], dtype: Any, value: int = 0) -> Array:
    """An array that begins where a cache line does, so that none is shared between threads.

    What two cores write by turns goes back and forth between their caches.
    """
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    room = np.empty(size + LINE, np.uint8)
    start = -room.ctypes.data % LINE
    array: Array = room[start : start + size].view(dtype).reshape(shape)
    array[...] = value
    return array


def make_worlds(count: int, rules: Rules, *, slots: int, words: int, scratch: int) -> Worlds:
    """Allocate N worlds that are all wall, with nothing carried and unseeded generators."""
    margin = int(rules.view_size) - 2
    size = int(rules.stride) * (int(rules.height) + 2 * margin) + margin
    return Worlds(
        cells=_filled((count, size), np.uint16, cells.WALL_CELL),
        carrying=_filled(count, np.uint16, cells.EMPTY),
        agent_x=_filled(count, np.int32, 1),
        agent_y=_filled(count, np.int32, 1),
        agent_dir=_filled(count, np.int32),
        step_count=_filled(count, np.int32),
        budget=_filled(count, np.int32),
        template=_filled(count, np.int32),
        slots=_filled((count, slots), np.int32),
        tokens=_filled((count, words), np.int16),
        rng=_filled((count, random.WORDS), np.uint64),
        scratch=_filled((count, max(scratch, 1)), np.int16),
    )


def make_rules(
    width: int, height: int, *, view_size: int, see_through_walls: bool, full: bool, ending: int
) -> Rules:
    """The shared numbers of a batch."""
    margin = view_size - 2
    stride = width + margin
    numbers = (width, height, stride, margin * stride + margin, view_size)
    return Rules(*(np.int32(i) for i in (*numbers, see_through_walls, full, ending)))


def make_outputs(count: int, rules: Rules, words: int) -> Outputs:
    """Allocate what N worlds hand out."""
    view = int(rules.view_size)
    side = (int(rules.width), int(rules.height)) if rules.full else (view, view)
    return Outputs(
        image=_filled((count, *side, 3), np.uint8),
        direction=_filled(count, np.int64),
        reward=_filled(count, np.float64),
        terminated=_filled(count, np.bool_),
        truncated=_filled(count, np.bool_),
        events=_filled(count, np.uint16),
        ended=_filled(count, np.bool_),
        fresh=_filled(count, np.bool_),
        final_image=_filled((count, *side, 3), np.uint8),
        final_direction=_filled(count, np.int64),
        final_tokens=_filled((count, words), np.int16),
    )


def reward_table(limits: list[int]) -> Array:
    """minigrid's reward of success after s of m steps, 1 - 0.9 * (s / m), for every s and m.

    Computed on the host in float64: a GPU would fuse the multiplication and the subtraction and
    round differently.
    """
    table = np.zeros((len(limits), max(limits) + 1))  # [B, max(limits) + 1]
    for row, limit in enumerate(limits):
        for step in range(limit + 1):
            table[row, step] = 1 - 0.9 * (step / limit)
    return table
