"""The step of `cpu.py` as a CUDA kernel: one thread steps, lays out and observes one world.

It calls the very functions that the CPU runs, on the same four tuples of arrays. Importing this
loads numba's CUDA target and needs no GPU. Knows no gymnasium and no torch.
"""

from collections.abc import Callable
from typing import Any

from numba import cuda

from s2lab.envs.grid import kernels
from s2lab.envs.grid.level import Family
from s2lab.envs.grid.worlds import Array, Outputs, Rules, Tables, Worlds


def fused_step(family: Family) -> Callable[..., None]:
    """The step of a family's worlds, to be compiled by `numba.cuda.jit` and launched on N threads.

    Its arguments are those of `kernels.step_range`, without the range.
    """
    step_range, observe_range = kernels.step_range, kernels.observe_range
    lay_out = kernels.layout_range(family.layout)

    def step(
        worlds: Worlds,
        rules: Rules,
        tables: Tables,
        outputs: Outputs,
        actions: Array,  # int64 [N]
        mode: Any,
    ) -> None:
        n = cuda.grid(1)  # type: ignore[attr-defined]  # added when a kernel is compiled
        if n >= actions.shape[0]:
            return
        if step_range(worlds, rules, tables, outputs, actions, mode, n, n + 1):
            lay_out(worlds, rules, tables, outputs.fresh, n, n + 1)
            observe_range(worlds, rules, outputs, mode, n, n + 1)

    return step
