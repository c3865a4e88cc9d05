"""What the fits of many families leave unexplained, by every variable at once.

Sums of residuals over the rows of each category are a product of two matrices, which costs far less
than a pass over the rows for every pair of variables. Knows rows and weights, no search.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincc

from s2lab.causal.discovery.compiled import kernel, quick_kernel
from s2lab.causal.discovery.environments import POOLED, Environments

BLOCK = 8192
"""Rows that are multiplied at a time."""

Fit = tuple[tuple[int, ...], NDArray[np.int8], NDArray[np.float64]]
"""Parents, the roles [E] of the environments, and weights [W, F, K] of an additive family."""

Family = tuple[int, tuple[int, ...], NDArray[np.int8], NDArray[np.float64]]
"""A child and its fit."""


class ResidualScreen:
    """Pearson's statistics of what fits leave unexplained, as `logit_score.residual_statistics`,
    for all candidates at once. Which rows a family is fitted on must not depend on its parents."""

    def __init__(self, rows: Environments) -> None:
        self.rows = rows
        self.first = np.concatenate([[0], np.cumsum(rows.cardinalities - 1)])  # [V + 1]
        """Where a variable's categories begin; its last one is what the others leave."""
        self._observed: dict[int, NDArray[np.float64]] = {}  # [W, K, ΣK - V + 1]

    def statistics(
        self, children: Sequence[int], fits: Sequence[Fit]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:  # [C, V], [C, V]
        """-log10 p and the statistic of every variable for each child, summed over worlds."""
        rows, sizes = self.rows, self.rows.cardinalities
        new = [i for i, child in enumerate(children) if child not in self._observed]
        fresh = self._sums([(children[i], *fits[i]) for i in new], fill_observed, 0)
        self._observed |= {children[i]: sums for i, sums in zip(new, fresh, strict=True)}
        families = [(child, *fit) for child, fit in zip(children, fits, strict=True)]
        found = np.zeros((len(children), len(sizes)))  # [C, V]
        for i, gaps in enumerate(self._sums(families, fill_residuals, 1)):
            for gap, observed in zip(gaps, self._observed[children[i]], strict=True):
                pearson_by_variable(observed, gap, self.first, found[i])
        freedom = (sizes[None, :] - 1) * (sizes[list(children)][:, None] - 1) * rows.worlds
        tail = gammaincc(np.maximum(freedom, 1) / 2, found / 2)
        return np.asarray(-np.log10(np.maximum(tail, 1e-300)) * (freedom > 0)), found

    def _sums(
        self, families: Sequence[Family], fill: Callable[..., None], left_out: int
    ) -> list[NDArray[np.float64]]:  # C x [W, K - left_out, ΣK - V + 1]
        """Sums of what `fill` says of every child's categories but the last ones that are left
        out, over the rows of every category of every variable."""
        rows = self.rows
        widths = [rows.cardinalities[child] - left_out for child, *_ in families]
        place = np.concatenate([[0], np.cumsum(widths)]).astype(np.int64)  # [C + 1]
        sums = np.zeros((rows.worlds, place[-1], self.first[-1] + 1))
        categories = np.empty((self.first[-1] + 1, BLOCK), np.float32)
        said = np.empty((place[-1], BLOCK), np.float32)
        for e, world in enumerate(rows.world) if families else ():
            for start in range(int(rows.starts[e]), int(rows.starts[e + 1]), BLOCK):
                stop = min(start + BLOCK, int(rows.starts[e + 1]))
                fill_categories(rows.columns, start, stop, rows.cardinalities, categories)
                said[:] = 0
                for i, (child, parents, roles, weights) in enumerate(families):
                    if roles[e] == POOLED:
                        fill(
                            rows.columns, start, stop, rows.cardinalities, child,
                            np.array(parents, np.int64), weights[world],
                            said[place[i] : place[i + 1]],
                        )  # fmt: skip
                count = stop - start
                sums[world] += said[:, :count] @ categories[:, :count].T
        return [sums[:, place[i] : place[i + 1]] for i in range(len(families))]


@kernel
def fill_categories(
    columns: NDArray[np.int8],  # [V, N]
    start: int,
    stop: int,
    cardinalities: NDArray[np.int64],  # [V]
    out: NDArray[np.float32],  # [ΣK - V + 1, stop - start]
) -> None:
    """Which rows have which category; the last category of a variable is left out, the last row
    is of ones."""
    at = 0
    for j in range(len(columns)):
        column = columns[j]
        for a in range(cardinalities[j] - 1):
            for row in range(start, stop):
                out[at, row - start] = 1.0 if column[row] == a else 0.0
            at += 1
    out[at] = 1.0


@kernel
def fill_observed(
    columns: NDArray[np.int8],  # [V, N]
    start: int,
    stop: int,
    cardinalities: NDArray[np.int64],  # [V]
    child: int,
    parents: NDArray[np.int64],  # [P] not looked at
    weights: NDArray[np.float64],  # [F, K] not looked at
    out: NDArray[np.float32],  # [K, stop - start]
) -> None:
    """The child's categories."""
    for row in range(start, stop):
        out[columns[child, row], row - start] = 1.0


@quick_kernel
def fill_residuals(
    columns: NDArray[np.int8],  # [V, N]
    start: int,
    stop: int,
    cardinalities: NDArray[np.int64],  # [V]
    child: int,
    parents: NDArray[np.int64],  # [P]
    weights: NDArray[np.float64],  # [F, K]
    out: NDArray[np.float32],  # [K - 1, stop - start]
) -> None:
    """The child's categories less their probabilities."""
    size = weights.shape[1]
    factors = np.empty_like(weights)  # [F, K] probabilities are products of these, normalised
    for f in range(len(weights)):
        factors[f] = np.exp(weights[f] - weights[f].max())
    shares = np.empty((size, stop - start))
    for k in range(size):
        shares[k] = factors[0, k]
    offset = 1
    for parent in parents:
        column = columns[parent]
        for k in range(size):
            for row in range(start, stop):
                shares[k, row - start] *= factors[offset + column[row], k]
        offset += cardinalities[parent]
    column = columns[child]
    for row in range(start, stop):
        total = 1e-300
        for k in range(size):
            total += shares[k, row - start]
        for k in range(size - 1):
            observed = 1.0 if column[row] == k else 0.0
            out[k, row - start] = observed - shares[k, row - start] / total


@kernel
def pearson_by_variable(
    observed: NDArray[np.float64],  # [K, ΣK - V + 1] rows of categories, last those of all
    gap: NDArray[np.float64],  # [K - 1, ΣK - V + 1] of them less what was expected
    first: NDArray[np.int64],  # [V + 1]
    out: NDArray[np.float64],  # [V] added to
) -> None:
    """Squared gaps over expected counts, summed over the categories of both variables."""
    size, width = observed.shape
    whole = np.empty((size, width))  # [K, ΣK - V + 1]
    whole[:-1] = gap
    whole[-1] = -gap.sum(axis=0)
    for j in range(len(first) - 1):
        for k in range(size):
            left_seen, left_gap = observed[k, -1], whole[k, -1]
            for at in range(first[j], first[j + 1] + 1):
                if at < first[j + 1]:
                    seen, off = observed[k, at], whole[k, at]
                    left_seen -= seen
                    left_gap -= off
                else:
                    seen, off = left_seen, left_gap
                if seen - off > 1e-6:
                    out[j] += off * off / max(seen - off, 0.5)
