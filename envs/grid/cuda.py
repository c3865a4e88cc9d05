"""The steps of `cpu.py` as CUDA kernels: one thread steps, lays out and observes one world.

They call the very functions that the CPU runs, on the same four tuples of arrays. What is here is
what a GPU has beside: a thread's own number, actions that nobody could look at before the launch,
and the list of finished worlds, so that long layouts share warps with each other and not with
steps. Importing this loads numba's CUDA target and needs no GPU. Knows no gymnasium and no torch.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import cuda

from s2lab.envs.grid import kernels
from s2lab.envs.grid.compiled import pure
from s2lab.envs.grid.level import Family
from s2lab.envs.grid.worlds import Array, Outputs, Rules, Tables, Worlds

# Words of `complaints`, 0 while there is nothing to say. One store of 64 bits each, so that what
# two threads write does not mix: the host may read them at any time.
WRONG_ACTION = 0  # world + 1 in the upper half, its action in the lower
ENDED_WORLD = 1  # world + 1
COMPLAINTS = 2

_LARGEST = (1 << 31) - 1


@pure
def refuses(
    outputs: Outputs, actions: Array, complaints: Array, mode: int, allowed: int, n: int
) -> Any:
    """Whether world `n` cannot be stepped: then it says why, stays as it is, and gets no reward."""
    action = actions[n]
    ended = mode == kernels.DISABLED and outputs.ended[n]
    if 0 <= action < allowed and not ended:
        return False
    if ended:
        complaints[ENDED_WORLD] = n + 1
    else:
        if not -_LARGEST < action < _LARGEST:
            action = np.int64(_LARGEST)
        complaints[WRONG_ACTION] = (n + 1) << 32 | (action & 0xFFFFFFFF)
        outputs.terminated[n] = False
        outputs.truncated[n] = False
    outputs.reward[n] = 0.0
    outputs.events[n] = 0
    outputs.fresh[n] = False
    return True


def fused_step(family: Family) -> Callable[..., None]:
    """The step of a family's worlds in one kernel: who finishes begins anew in the same thread."""
    step_range, observe_range = kernels.step_range, kernels.observe_range
    lay_out = kernels.layout_range(family.layout)

    def step(
        worlds: Worlds,
        rules: Rules,
        tables: Tables,
        outputs: Outputs,
        actions: Array,  # int64 [N]
        complaints: Array,  # int64 [COMPLAINTS]
        mode: Any,
        allowed: Any,  # how many actions there are
    ) -> None:
        n = cuda.grid(1)  # type: ignore[attr-defined]  # added when a kernel is compiled
        if n >= actions.shape[0] or refuses(outputs, actions, complaints, mode, allowed, n):
            return
        if step_range(worlds, rules, tables, outputs, actions, mode, n, n + 1):
            lay_out(worlds, rules, tables, outputs.fresh, n, n + 1)
            observe_range(worlds, rules, outputs, mode, n, n + 1)

    return step


def listing_step() -> Callable[..., None]:
    """The step of any family's worlds: those that begin anew are put on a list."""
    step_range = kernels.step_range

    def step(
        worlds: Worlds,
        rules: Rules,
        tables: Tables,
        outputs: Outputs,
        actions: Array,  # int64 [N]
        complaints: Array,  # int64 [COMPLAINTS]
        finished: Array,  # int32 [1 + N]  how many are listed, and which, in any order
        mode: Any,
        allowed: Any,
    ) -> None:
        n = cuda.grid(1)  # type: ignore[attr-defined]  # added when a kernel is compiled
        if n >= actions.shape[0] or refuses(outputs, actions, complaints, mode, allowed, n):
            return
        if step_range(worlds, rules, tables, outputs, actions, mode, n, n + 1):
            place = cuda.atomic.add(finished, 0, 1)  # type: ignore[attr-defined]  # as above
            finished[1 + place] = n

    return step


def renewal(family: Family) -> Callable[..., None]:
    """New episodes for those of a list of worlds that are fresh."""
    lay_out, observe_range = kernels.layout_range(family.layout), kernels.observe_range

    def renew(
        worlds: Worlds,
        rules: Rules,
        tables: Tables,
        outputs: Outputs,
        finished: Array,  # int32 [1 + N]
        mode: Any,
    ) -> None:
        i = cuda.grid(1)  # type: ignore[attr-defined]  # added when a kernel is compiled
        if i >= finished[0]:
            return
        n: Any = np.int64(finished[1 + i])
        lay_out(worlds, rules, tables, outputs.fresh, n, n + 1)
        observe_range(worlds, rules, outputs, mode, n, n + 1)

    return renew
