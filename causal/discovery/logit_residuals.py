"""What the additive logits of one family leave unexplained, by candidates for its parents.

A first look at who else has a say, without fitting anybody in. Knows no score and no search.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from s2lab.causal.discovery.compiled import quick_kernel
from s2lab.causal.discovery.environments import POOLED


@quick_kernel
def residual_statistics(
    columns: NDArray[np.int8],  # [V, N]
    starts: NDArray[np.int64],  # [E + 1]
    world: NDArray[np.int64],  # [E]
    roles: NDArray[np.int8],  # [E] decided
    cardinalities: NDArray[np.int64],  # [V]
    child: int,
    parents: NDArray[np.int64],  # [P]
    weights: NDArray[np.float64],  # [W, F, K] fits
    candidates: NDArray[np.int64],  # [C]
) -> NDArray[np.float64]:  # [C]
    """Pearson's statistic of what the fit leaves unexplained, by each candidate's category.

    About chi-square with (K_candidate - 1) (K - 1) degrees of freedom per world, or less.
    """
    size = cardinalities[child]
    widest = cardinalities.max()
    statistics = np.zeros(len(candidates))
    most = 0
    for e in range(len(world)):
        most = max(most, starts[e + 1] - starts[e])
    expected = np.empty((most, size))  # [rows of an environment, K]
    observed_less = np.zeros((len(candidates), widest, size))
    expected_sum = np.zeros((len(candidates), widest, size))
    for e in range(len(world)):
        if roles[e] == POOLED:
            fill_expected(columns, cardinalities, parents, weights[world[e]], starts[e],
                          starts[e + 1], expected)  # fmt: skip
            for c in range(len(candidates)):
                column = columns[candidates[c]]
                for row in range(starts[e], starts[e + 1]):
                    a, r = column[row], row - starts[e]
                    for k in range(size):
                        expected_sum[c, a, k] += expected[r, k]
                    observed_less[c, a, columns[child, row]] += 1
        if e + 1 == len(world) or world[e + 1] != world[e]:
            for c in range(len(candidates)):
                for a in range(cardinalities[candidates[c]]):
                    for k in range(size):
                        if expected_sum[c, a, k] > 0:
                            gap = observed_less[c, a, k] - expected_sum[c, a, k]
                            statistics[c] += gap * gap / max(expected_sum[c, a, k], 0.5)
            observed_less[:] = 0
            expected_sum[:] = 0
    return statistics


@quick_kernel
def fill_expected(
    columns: NDArray[np.int8],  # [V, N]
    cardinalities: NDArray[np.int64],  # [V]
    parents: NDArray[np.int64],  # [P]
    weights: NDArray[np.float64],  # [F, K]
    start: int,
    stop: int,
    expected: NDArray[np.float64],  # [rows, K] out
) -> None:
    """Probabilities of the child's categories in some rows."""
    for row in range(start, stop):
        out = expected[row - start]
        for k in range(len(out)):
            out[k] = weights[0, k]
        offset = 1
        for parent in parents:
            f = offset + columns[parent, row]
            for k in range(len(out)):
                out[k] += weights[f, k]
            offset += cardinalities[parent]
        top = out[0]
        for k in range(1, len(out)):
            top = max(top, out[k])
        total = 0.0
        for k in range(len(out)):
            out[k] = math.exp(out[k] - top)
            total += out[k]
        for k in range(len(out)):
            out[k] /= total
