"""The loops of `kernels.py` as functions of four words, which threads call by their addresses.

The words are `state`, where `hold` has written the arrays of a batch; the mode of auto-reset; and
a range of worlds. Knows no threads.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numba
import numpy as np
from numba import types

from s2lab.envs.grid import held, kernels
from s2lab.envs.grid.compiled import kernel, load
from s2lab.envs.grid.level import Family
from s2lab.envs.grid.worlds import (
    Array,
    Outputs,
    Rules,
    Tables,
    Worlds,
    make_outputs,
    make_rules,
    make_worlds,
)

State = tuple[Worlds, Rules, Tables, Outputs, Array]  # the last: actions, uint8 [N]
ENTRY = types.int64(*[types.int64] * 4)
WORDS = 1024  # more than a state takes: an array of four axes takes 13


def _example() -> State:
    """Arrays of the types that every batch has."""
    rules = make_rules(3, 3, view_size=3, see_through_walls=False, full=False, ending=0)
    tables = Tables(
        np.zeros(1, np.int32), np.zeros((1, 1), np.int16), np.zeros(1, np.int32), np.zeros((1, 1))
    )
    worlds = make_worlds(1, rules, slots=1, words=1, scratch=1)
    return worlds, rules, tables, make_outputs(1, rules, 1), np.zeros(1, np.uint8)


_fetch = held.fetcher(numba.typeof(_example()))  # type: ignore[no-untyped-call]


@kernel("hold")
def _hold(state: State, address: int) -> None:
    held.keep(address, state)


def hold(state: State) -> Array:
    """Where kernels find these arrays; nothing here keeps them alive."""
    room = np.zeros(WORDS, np.int64)
    _hold(state, room.ctypes.data)
    return room


@kernel("step")
def _step(state: int, mode: int, start: int, stop: int) -> int:
    worlds, rules, tables, outputs, actions = _fetch(state)
    return kernels.step_range(worlds, rules, tables, outputs, actions, mode, start, stop)


@kernel("observe")
def _observe(state: int, mode: int, start: int, stop: int) -> int:
    worlds, rules, _, outputs, _ = _fetch(state)
    kernels.observe_range(worlds, rules, outputs, mode, start, stop)
    return 0


@cache
def _layout(name: str, layout: Callable[..., Any]) -> Any:
    lay_out_range = kernels.layout_range(layout)

    @kernel(f"layout_{name}")
    def lay_out(state: int, mode: int, start: int, stop: int) -> int:
        worlds, rules, tables, outputs, _ = _fetch(state)
        lay_out_range(worlds, rules, tables, outputs.fresh, start, stop)
        return 0

    return lay_out


def addresses(family: Family) -> tuple[int, int, int]:
    """The kernels of a family: step, lay out, observe; compiled where they are not on disk yet."""
    lay_out = _layout(family.name, family.layout)
    return (
        load(_step, "step", ENTRY),
        load(lay_out, f"layout_{family.name}", ENTRY),
        load(_observe, "observe", ENTRY),
    )
