"""Does a parent matter beside the others and all their pairs? Knows no search.

An additive family lacks what parents do together; with very many rows, ancestors stand in for that
and look like parents. Here every pair of the other parents has weights of its own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from s2lab.causal.discovery.compiled import kernel
from s2lab.causal.discovery.environments import POOLED
from s2lab.causal.discovery.logit_fit import fit
from s2lab.causal.discovery.logit_score import configuration_features, distinct
from s2lab.causal.discovery.table_score import count, parent_cells


@kernel
def gain_beside_pairs(
    columns: NDArray[np.int8],  # [V, N]
    starts: NDArray[np.int64],  # [E + 1]
    world: NDArray[np.int64],  # [E]
    roles: NDArray[np.int8],  # [E] decided
    cardinalities: NDArray[np.int64],  # [V]
    child: int,
    parents: NDArray[np.int64],  # [P] the last one is in question
    ridge: float,
    tolerance: float,
) -> float:
    """What the last parent's own weights add to the log posterior, in nats over all worlds."""
    labels, cells, _ = parent_cells(columns, cardinalities, parents)
    features = configuration_features(columns, cardinalities, parents, labels, cells)
    wide, width = with_pairs(features, cardinalities[parents])
    size, gain = cardinalities[child], 0.0
    for w in range(world[-1] + 1):
        pool = np.zeros((cells, size), np.int32)
        for e in range(len(world)):
            if world[e] == w and roles[e] == POOLED:
                count(pool, labels, columns[child], starts[e], starts[e + 1], 1)
        kept, counts, totals = distinct(wide, pool)
        without = np.zeros((width - cardinalities[parents[-1]], size))
        less = np.ascontiguousarray(kept[:, :-1])
        gain += fit(without, less, counts, totals, ridge, tolerance, 200)
        weights = np.zeros((width, size))
        weights[: len(without)] = without
        gain -= fit(weights, kept, counts, totals, ridge, tolerance, 200)
    return gain


@kernel
def with_pairs(
    features: NDArray[np.int32],  # [cells, P] one weight row per parent
    sizes: NDArray[np.int64],  # [P]
) -> tuple[NDArray[np.int32], int]:  # [cells, P - 1 + pairs + 1], how many weight rows
    """Weight rows of all parents but the last, of their pairs, and of the last one."""
    cells, parents = features.shape
    others = parents - 1
    wide = np.empty((cells, others + others * (others - 1) // 2 + 1), np.int32)
    wide[:, :others] = features[:, :others]
    starts = np.ones(parents, np.int64)
    for p in range(1, parents):
        starts[p] = starts[p - 1] + sizes[p - 1]
    width, at = starts[others], others
    for p in range(others):
        for q in range(p):
            for cell in range(cells):
                a, b = features[cell, p] - starts[p], features[cell, q] - starts[q]
                wide[cell, at] = width + max(a, 0) * sizes[q] + max(b, 0)
            width += sizes[p] * sizes[q]
            at += 1
    for cell in range(cells):
        wide[cell, at] = features[cell, others] - starts[others] + width
    return wide, width + sizes[others]
