"""Between a core's layout [features, batch] and the batch-first one outside, and resets.

Arrays of states may have more rows than the outside: they are the buffers' (`sequence.py`).
"""

from typing import Any

from s2lab.agents.cores.fused.elementary import kernel


@kernel
def show(hidden: Any, outputs: Any) -> None:
    """outputs [B, H] = hidden [H, B]."""
    for n in range(len(outputs)):
        for j in range(len(hidden)):
            outputs[n, j] = hidden[j, n]


@kernel
def arrive(d_outputs: Any, slope: Any) -> None:
    """slope [H, B] += d_outputs [B, H]."""
    for j in range(len(slope)):
        for n in range(len(d_outputs)):
            slope[j, n] += d_outputs[n, j]


@kernel
def forget(state: Any, reset: Any) -> None:
    """Zeros in the rows [F, B] that are reset: of a state, or of a slope that ends there."""
    zero = state.dtype.type(0)
    for j in range(len(state)):
        for n in range(len(reset)):
            state[j, n] = zero if reset[n] else state[j, n]


@kernel
def show_modules(hidden: Any, outputs: Any) -> None:
    """outputs [B, K * H] = hidden [H, K, B]."""
    units, count = hidden.shape[:2]
    for k in range(count):
        for n in range(len(outputs)):
            for j in range(units):
                outputs[n, k * units + j] = hidden[j, k, n]


@kernel
def arrive_modules(d_outputs: Any, slope: Any) -> None:
    """slope [H, K, B] += d_outputs [B, K * H]."""
    units, count = slope.shape[:2]
    for k in range(count):
        for j in range(units):
            for n in range(len(d_outputs)):
                slope[j, k, n] += d_outputs[n, k * units + j]


@kernel
def forget_modules(slope: Any, reset: Any) -> None:
    """`forget` of a slope [F, K, B]."""
    zero = slope.dtype.type(0)
    for j in range(len(slope)):
        for k in range(slope.shape[1]):
            for n in range(len(reset)):
                slope[j, k, n] = zero if reset[n] else slope[j, k, n]


@kernel
def restart(state: Any, fresh: Any, reset: Any) -> None:
    """state [F, K, B] = fresh [F, K] in the rows to be reset."""
    features, count, rows = state.shape
    for j in range(features):
        for k in range(count):
            for n in range(rows):
                state[j, k, n] = fresh[j, k] if reset[n] else state[j, k, n]
