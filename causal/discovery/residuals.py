"""What the tables of many families leave unexplained, by every variable at once.

Sums of residuals over the rows of each category are a product of two matrices, which costs far less
than a pass over the rows for every pair of variables. Knows rows, no search.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincc
from threadpoolctl import threadpool_limits

from s2lab.causal.discovery.compiled import kernel
from s2lab.causal.discovery.environments import POOLED, Environments
from s2lab.causal.discovery.table_score import parent_cells

BLOCK = 8192
"""Rows that are multiplied at a time."""

TOGETHER = 64
"""Families whose residuals are held at a time."""

Family = tuple[int, tuple[int, ...]]
"""A child and its parents."""


class ResidualScreen:
    """A first look at who else has a say in many families, before `stratified.association`."""

    def __init__(self, rows: Environments) -> None:
        self.rows = rows
        self.first = np.concatenate([[0], np.cumsum(rows.cardinalities - 1)])  # [V + 1]
        """Where a variable's categories begin; its last one is what the others leave."""
        self.counts = category_counts(rows.columns, rows.starts, rows.cardinalities, self.first)

    def unexplained(
        self,
        families: Sequence[Family],
        wanted: NDArray[np.bool_],  # [F, V]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:  # [F, V], [F, V]
        """-log10 p and the score statistic of variables in what a family leaves over; 0 of those
        not wanted.

        About what `stratified.association` says of one pair: too small where a variable depends on
        the family's parents, as if all cells had the same spread. Worlds are summed.
        """
        sizes = self.rows.cardinalities
        found = np.zeros((len(families), len(sizes)))  # [F, V]
        order = np.argsort(wanted.sum(axis=1), kind="stable")  # alike families share a block
        with threadpool_limits(1, "blas"):  # on a busy machine, threads spin for one another
            for start in range(0, len(families), TOGETHER):
                block = order[start : start + TOGETHER]
                found[block] = self._statistics([families[i] for i in block], wanted[block])
        children = [child for child, _ in families]
        freedom = (sizes[None, :] - 1) * (sizes[children][:, None] - 1) * self.rows.worlds
        tail = gammaincc(np.maximum(freedom, 1) / 2, found / 2)
        return np.asarray(-np.log10(np.maximum(tail, 1e-300)) * (freedom > 0)), found

    def _statistics(
        self,
        families: Sequence[Family],
        wanted: NDArray[np.bool_],  # [F, V]
    ) -> NDArray[np.float64]:  # [F, V]
        """The statistics of a few families."""
        rows, sizes = self.rows, self.rows.cardinalities
        found = np.zeros(wanted.shape)
        place = np.concatenate([[0], np.cumsum([sizes[child] - 1 for child, _ in families])])
        left = np.zeros((place[-1], rows.rows), np.float32)  # [Σ(K - 1), N]
        spreads = []  # F x [W, K - 1, K - 1]
        for i, (child, parents) in enumerate(families):
            labels, cells, _ = parent_cells(rows.columns, sizes, np.array(parents, np.int64))
            spreads.append(
                fill_residuals(
                    labels, cells, rows.columns[child], int(sizes[child]), rows.starts, rows.world,
                    rows.roles(child), left[place[i] : place[i + 1]],
                )
            )  # fmt: skip
        sums = self._sums(left, np.flatnonzero(wanted.any(axis=0)))  # [W, Σ(K - 1), ΣK - V + 1]
        for i, (child, _) in enumerate(families):
            pooled = rows.roles(child) == POOLED  # [E]
            for world, spread in enumerate(spreads[i]):
                counts = self.counts[pooled & (rows.world == world)].sum(axis=0)
                gaps = sums[world, place[i] : place[i + 1]]
                each = spread / max(float(counts[-1]), 1.0)
                precision = np.linalg.pinv(each, rcond=1e-9, hermitian=True)
                add_statistics(
                    gaps, counts, precision, self.first, np.flatnonzero(wanted[i]), found[i]
                )
        return found

    def _sums(
        self,
        said: NDArray[np.float32],  # [S, N]
        variables: NDArray[np.int64],  # [C]
    ) -> NDArray[np.float64]:  # [W, S, ΣK - V + 1]
        """Sums over the rows of every category but the last of some variables, and over all rows;
        0 of the others."""
        rows = self.rows
        places = [np.arange(self.first[j], self.first[j + 1]) for j in variables]
        columns = np.concatenate([*places, self.first[-1:]])
        sums = np.zeros((rows.worlds, len(said), len(columns)))
        categories = np.empty((len(columns), BLOCK), np.float32)
        bounds = np.flatnonzero(np.diff(rows.world, prepend=-1, append=-2))  # [W + 1]
        for world, (first, last) in enumerate(pairwise(bounds)):
            for start in range(int(rows.starts[first]), int(rows.starts[last]), BLOCK):
                stop = min(start + BLOCK, int(rows.starts[last]))
                fill_categories(
                    rows.columns, variables, start, stop, rows.cardinalities, categories
                )
                sums[world] += said[:, start:stop] @ categories[:, : stop - start].T
        everywhere = np.zeros((*sums.shape[:2], int(self.first[-1]) + 1))
        everywhere[:, :, columns] = sums
        return everywhere


@kernel
def fill_categories(
    columns: NDArray[np.int8],  # [V, N]
    variables: NDArray[np.int64],  # [C]
    start: int,
    stop: int,
    cardinalities: NDArray[np.int64],  # [V]
    out: NDArray[np.float32],  # [Σ(K - 1) + 1, stop - start]
) -> None:
    """Which rows have which category of some variables; the last category of a variable is left
    out, the last row is of ones."""
    at = 0
    for j in variables:
        column = columns[j]
        for a in range(cardinalities[j] - 1):
            for row in range(start, stop):
                out[at, row - start] = 1.0 if column[row] == a else 0.0
            at += 1
    out[at] = 1.0


@kernel
def category_counts(
    columns: NDArray[np.int8],  # [V, N]
    starts: NDArray[np.int64],  # [E + 1]
    cardinalities: NDArray[np.int64],  # [V]
    first: NDArray[np.int64],  # [V + 1]
) -> NDArray[np.float64]:  # [E, ΣK - V + 1]
    """Rows of every category but each variable's last, and all rows, in every environment."""
    environments = len(starts) - 1
    found = np.zeros((environments, first[-1] + 1))
    for j in range(len(columns)):
        for e in range(environments):
            for row in range(starts[e], starts[e + 1]):
                if columns[j, row] < cardinalities[j] - 1:
                    found[e, first[j] + columns[j, row]] += 1
    for e in range(environments):
        found[e, -1] = starts[e + 1] - starts[e]
    return found


@kernel
def fill_residuals(
    labels: NDArray[np.int32],  # [N] cell of the parents
    cells: int,
    column: NDArray[np.int8],  # [N] the child's categories
    size: int,
    starts: NDArray[np.int64],  # [E + 1]
    world: NDArray[np.int64],  # [E]
    roles: NDArray[np.int8],  # [E]
    out: NDArray[np.float32],  # [K - 1, N] zeros in
) -> NDArray[np.float64]:  # [W, K - 1, K - 1]
    """The child's categories less their shares in each cell, in the rows of its mechanism; returns
    the sum of their products."""
    counts = np.zeros((cells, size), np.int32)
    shares = np.empty((cells, size - 1), np.float32)
    spread = np.zeros((world[-1] + 1, size - 1, size - 1))
    first = 0
    while first < len(world):
        last = first
        while last < len(world) and world[last] == world[first]:
            if roles[last] == POOLED:
                for row in range(starts[last], starts[last + 1]):
                    counts[labels[row], column[row]] += 1
            last += 1
        for cell in range(cells):
            total = max(counts[cell].sum(), 1)
            for k in range(size - 1):
                shares[cell, k] = counts[cell, k] / total
                spread[world[first], k, k] += counts[cell, k]
                for m in range(size - 1):
                    spread[world[first], k, m] -= counts[cell, k] * counts[cell, m] / total
        for e in range(first, last):
            if roles[e] == POOLED:
                for k in range(size - 1):
                    for row in range(starts[e], starts[e + 1]):
                        seen = np.float32(column[row] == k)
                        out[k, row] = seen - shares[labels[row], k]
        counts[:] = 0
        first = last
    return spread


@kernel
def add_statistics(
    gaps: NDArray[np.float64],  # [K - 1, ΣK - V + 1] sums of residuals, last those of all rows
    counts: NDArray[np.float64],  # [ΣK - V + 1] rows of every category, last all rows
    precision: NDArray[np.float64],  # [K - 1, K - 1] of a row's residuals
    first: NDArray[np.int64],  # [V + 1]
    variables: NDArray[np.int64],  # [C]
    out: NDArray[np.float64],  # [V] added to
) -> None:
    """Squared sums over their variances, summed over the categories of each of some variables."""
    size = len(gaps)
    gap = np.empty(size)
    for j in variables:
        left = gaps[:, -1].copy()
        rest = counts[-1]
        for at in range(first[j], first[j + 1] + 1):
            if at < first[j + 1]:
                seen = counts[at]
                for k in range(size):
                    gap[k] = gaps[k, at]
                    left[k] -= gap[k]
                rest -= seen
            else:
                seen = rest
                gap[:] = left
            if seen > 0:
                for k in range(size):
                    for m in range(size):
                        out[j] += gap[k] * precision[k, m] * gap[m] / seen
