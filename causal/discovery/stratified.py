"""Is a variable independent of another within the cells of a third set? Knows no search.

The generalised Cochran-Mantel-Haenszel statistic (Landis, Heyman & Koch 1978, equation 2.5): rows
fall into cells by the categories of the set, and gaps between observed and expected counts are
summed over the cells before they are squared. Its moments hold for every table, however sparse, so
that a set of true parents explains all of a family however many rows there are; and it has the few
degrees of freedom of one pair, so that a weak parent is seen beside many. What cancels exactly over
the cells is not seen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincc

from s2lab.causal.discovery.compiled import kernel
from s2lab.causal.discovery.environments import POOLED, Environments
from s2lab.causal.discovery.table_score import parent_cells, renumber

SPARSE = 10_000
"""Cells beyond which only those with rows are kept."""

CROWDED = 8
"""Rows for each cell of a table from which all members of a family are tested: with fewer, the work
on its cells is more than a pass over the rows for each member."""


def association(
    rows: Environments, child: int, parent: int, others: Sequence[int]
) -> tuple[float, float]:
    """The statistic of a pair given others, in the rows that share the child's mechanism.

    Returns it and its -log10 p, both over all worlds.
    """
    labels, cells, _ = parent_cells(
        rows.columns, rows.cardinalities, np.array(others, np.int64)
    )  # [N]
    if cells > SPARSE:
        cells = renumber(labels, cells)
    gaps, covariance = gaps_within(
        labels, cells, rows.columns[parent], rows.columns[child],
        int(rows.cardinalities[parent]), int(rows.cardinalities[child]),
        rows.starts, rows.world, rows.roles(child),
    )  # fmt: skip
    return over_worlds(gaps, covariance)


def associations(
    rows: Environments, child: int, family: Sequence[int]
) -> list[tuple[float, float]] | None:
    """`association` of each of a family given the rest of it, from one table of them all.

    None where that table would have fewer than `CROWDED` rows for each cell.
    """
    sizes = [int(rows.cardinalities[member]) for member in family]
    cells = math.prod(sizes)
    if cells * CROWDED > rows.rows:
        return None
    labels, _, _ = parent_cells(rows.columns, rows.cardinalities, np.array(family, np.int64))  # [N]
    size = int(rows.cardinalities[child])
    counts = counts_within(
        labels, cells, rows.columns[child], size, rows.starts, rows.world, rows.roles(child)
    )
    return [
        over_worlds(*gaps_between(np.moveaxis(counts.reshape(-1, *sizes, size), 1 + at, -2)))
        for at in range(len(family))
    ]


def gaps_between(
    counts: NDArray[np.int32],  # [W, ..., A, B]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:  # [W, M], [W, M, M]
    """`gaps_within` of two variables in the cells of others, from counts of all."""
    worlds, first, second = len(counts), *counts.shape[-2:]
    free = (first - 1) * (second - 1)
    gaps, covariance = np.zeros((worlds, free)), np.zeros((worlds, free, free))
    for world, table in enumerate(np.ascontiguousarray(counts)):
        add_cells(table.reshape(-1, first, second), gaps[world], covariance[world])
    return gaps, covariance


def over_worlds(
    gaps: NDArray[np.float64],  # [W, M]
    covariance: NDArray[np.float64],  # [W, M, M]
) -> tuple[float, float]:
    """The statistic and its -log10 p."""
    statistic, freedom = 0.0, 0
    for gap, spread in zip(gaps, covariance, strict=True):
        values, vectors = np.linalg.eigh(spread)
        seen = values > 1e-9 * max(values.max(initial=0.0), 1e-300)
        statistic += float(((vectors.T @ gap)[seen] ** 2 / values[seen]).sum())
        freedom += int(seen.sum())
    return statistic, minus_log10(statistic, freedom)


def minus_log10(statistic: float, freedom: int) -> float:
    """-log10 p of a chi-square statistic, beyond where p itself can be told from 0."""
    if freedom == 0:
        return 0.0
    tail = float(gammaincc(freedom / 2, statistic / 2))
    if tail > 1e-290:
        return float(-np.log10(tail))
    half, shape = statistic / 2, freedom / 2  # the leading term of the tail's expansion
    return float((half - (shape - 1) * math.log(half) + math.lgamma(shape)) / math.log(10.0))


@kernel
def gaps_within(
    labels: NDArray[np.int32],  # [N] cell of every row
    cells: int,
    first: NDArray[np.int8],  # [N]
    second: NDArray[np.int8],  # [N]
    first_size: int,
    second_size: int,
    starts: NDArray[np.int64],  # [E + 1]
    world: NDArray[np.int64],  # [E]
    roles: NDArray[np.int8],  # [E]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:  # [W, M], [W, M, M]
    """Counts less what independence within the cells expects, and their covariance.

    M = (K_first - 1) (K_second - 1); the last categories follow from the others.
    """
    free = (first_size - 1) * (second_size - 1)
    gaps = np.zeros((world[-1] + 1, free))
    covariance = np.zeros((world[-1] + 1, free, free))
    counts = np.zeros((cells, first_size, second_size), np.int32)
    for e in range(len(world)):
        if roles[e] == POOLED:
            for row in range(starts[e], starts[e + 1]):
                counts[labels[row], first[row], second[row]] += 1
        if e + 1 == len(world) or world[e + 1] != world[e]:
            add_cells(counts, gaps[world[e]], covariance[world[e]])
            counts[:] = 0
    return gaps, covariance


@kernel
def counts_within(
    labels: NDArray[np.int32],  # [N] cell of every row
    cells: int,
    column: NDArray[np.int8],  # [N]
    size: int,
    starts: NDArray[np.int64],  # [E + 1]
    world: NDArray[np.int64],  # [E]
    roles: NDArray[np.int8],  # [E]
) -> NDArray[np.int32]:  # [W, cells, K]
    """Rows of every cell and category that share the child's mechanism."""
    counts = np.zeros((world[-1] + 1, cells, size), np.int32)
    for e in range(len(world)):
        if roles[e] == POOLED:
            for row in range(starts[e], starts[e + 1]):
                counts[world[e], labels[row], column[row]] += 1
    return counts


@kernel
def add_cells(
    counts: NDArray[np.int32],  # [cells, A, B]
    gaps: NDArray[np.float64],  # [M] added to
    covariance: NDArray[np.float64],  # [M, M] added to
) -> None:
    """Sum the gaps of all cells and their covariances."""
    cells, a_size, b_size = counts.shape
    a_sums, b_sums = np.empty(a_size), np.empty(b_size)
    a_spread = np.empty((a_size - 1, a_size - 1))
    for cell in range(cells):
        n = 0
        a_sums[:] = 0
        b_sums[:] = 0
        for a in range(a_size):
            for b in range(b_size):
                seen = counts[cell, a, b]
                a_sums[a] += seen
                b_sums[b] += seen
                n += seen
        if n == 0 or a_sums.max() == n or b_sums.max() == n:
            continue
        scale = 1.0 / (float(n) * n * (n - 1))
        for a in range(a_size - 1):
            for other in range(a_size - 1):
                own = n * a_sums[a] if a == other else 0.0
                a_spread[a, other] = (own - a_sums[a] * a_sums[other]) * scale
        for a in range(a_size - 1):
            for b in range(b_size - 1):
                at = a * (b_size - 1) + b
                gaps[at] += counts[cell, a, b] - a_sums[a] * b_sums[b] / n
                for b_other in range(b_size - 1):
                    own = n * b_sums[b] if b == b_other else 0.0
                    spread = own - b_sums[b] * b_sums[b_other]
                    for a_other in range(a_size - 1):
                        covariance[at, a_other * (b_size - 1) + b_other] += (
                            a_spread[a, a_other] * spread
                        )
