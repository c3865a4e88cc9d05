"""Interventional BDeu for every set of parents at once. Knows no search, no names.

Heckerman, Geiger & Chickering (1995), equation 28, with Cooper & Yoo (1999): rows in which a
variable was set from outside say nothing about its mechanism and are left out of its own term.

The score of a variable i with parents S is a difference of two table scores, G_i(S + i) - G_i(S),
where G_i(F) = sum over cells of F of [lgamma(a + n) - lgamma(a)], a = ess / (number of cells of F),
n the rows in the cell that do not target i. So 2^V tables serve all V 2^(V-1) families.
Sets of variables are bit masks.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from s2lab.causal.data import InterventionalData
from s2lab.causal.discovery.compiled import kernel

TABLE = 512
"""Counts up to this use a running sum of logarithms instead of lgamma."""


def local_scores(
    data: InterventionalData, equivalent_sample_size: float = 1.0
) -> NDArray[np.float64]:  # [V, 2^V]
    """Return the log marginal likelihood of every variable for every set of parents, in nats.

    It is -inf where a set contains the variable itself.
    """
    codes, weights, targeted = distinct_rows(data)
    tables = table_scores(codes, weights, targeted, data.cardinalities, equivalent_sample_size)
    return families_from_tables(tables)


def distinct_rows(
    data: InterventionalData,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:  # [U, V], [U], [U, V]
    """Merge equal rows of one regime: their categories, how many there are, what they target."""
    keyed = np.column_stack([data.codes, data.regime_of_row])  # [N, V + 1]
    rows, weights = np.unique(keyed, axis=0, return_counts=True)
    return np.ascontiguousarray(rows[:, :-1]), weights, data.targeted[rows[:, -1]]


@kernel
def table_scores(
    codes: NDArray[np.int64],  # [U, V]
    weights: NDArray[np.int64],  # [U]
    targeted: NDArray[np.bool_],  # [U, V]
    cardinalities: NDArray[np.int64],  # [V]
    ess: float,
) -> NDArray[np.float64]:  # [V, 2^V]
    """Fill G_i(F) for every variable i and set F.

    A set extends the one without its lowest bit; sets are visited in counting order, so the cell
    labels of that one are still at the level of its own lowest bit.
    """
    rows, variables = codes.shape
    scores = np.zeros((variables, 1 << variables))
    labels = np.zeros((variables + 1, rows), np.int32)  # cell of every row, per level
    cells = np.ones(variables + 1, np.int64)  # occupied cells, per level
    lookup = np.full(rows * max(1, cardinalities.max()), -1, np.int32)
    counts = np.zeros(rows, np.int64)  # rows in every occupied cell
    removed = np.zeros(rows, np.int64)  # of these, the rows that target the variable in hand
    rising = np.zeros(TABLE + 1)  # lgamma(a + n) - lgamma(a) for small n
    starts, members = rows_by_target(targeted)
    for i in range(variables):  # the empty set has one cell: every row
        left = weights.sum() - weights[members[starts[i] : starts[i + 1]]].sum()
        scores[i, 0] = math.lgamma(ess + left) - math.lgamma(ess)
    for mask in range(1, 1 << variables):
        level = lowest_bit(mask, variables)
        above = lowest_bit(mask & (mask - 1), variables)
        size = cardinalities[level]
        cells[level] = split_cells(
            labels[above], codes[:, level], size, weights, labels[level], lookup, counts
        )
        lookup[: cells[above] * size] = -1
        prior = ess
        for variable in range(variables):
            if (mask >> variable) & 1:
                prior /= cardinalities[variable]
        base = math.lgamma(prior)
        everything, filled = 0.0, 0
        for cell in range(cells[level]):
            filled = extend(rising, filled, counts[cell], prior)
            everything += rise(rising, counts[cell], prior, base)
        for i in range(variables):
            value = everything
            mine = members[starts[i] : starts[i + 1]]
            for row in mine:
                removed[labels[level, row]] += weights[row]
            for row in mine:
                cell = labels[level, row]
                if removed[cell]:
                    value += rise(rising, counts[cell] - removed[cell], prior, base)
                    value -= rise(rising, counts[cell], prior, base)
                    removed[cell] = 0
            scores[i, mask] = value
    return scores


@kernel
def split_cells(
    above: NDArray[np.int32],  # [U] cell of every row in the smaller table
    column: NDArray[np.int64],  # [U] category of the added variable
    size: int,
    weights: NDArray[np.int64],  # [U]
    labels: NDArray[np.int32],  # [U] out: cell of every row in the larger table
    lookup: NDArray[np.int32],  # all -1 on entry
    counts: NDArray[np.int64],  # out: rows in every cell
) -> int:
    """Split a table's occupied cells by one more variable; return how many there are then."""
    used = 0
    for row in range(len(column)):
        raw = above[row] * size + column[row]
        cell = lookup[raw]
        if cell < 0:
            cell = used
            lookup[raw] = used
            counts[used] = 0
            used += 1
        labels[row] = cell
        counts[cell] += weights[row]
    return used


@kernel
def rows_by_target(
    targeted: NDArray[np.bool_],  # [U, V]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:  # [V + 1], [all]
    """List the rows that target each variable: those of i are members[starts[i]:starts[i + 1]]."""
    rows, variables = targeted.shape
    starts = np.zeros(variables + 1, np.int64)
    members = np.empty(targeted.sum(), np.int64)
    at = 0
    for i in range(variables):
        for row in range(rows):
            if targeted[row, i]:
                members[at] = row
                at += 1
        starts[i + 1] = at
    return starts, members


@kernel
def lowest_bit(mask: int, variables: int) -> int:
    """Position of the lowest bit of a mask; the number of variables for an empty one."""
    if mask == 0:
        return variables
    bit = 0
    while not (mask >> bit) & 1:
        bit += 1
    return bit


@kernel
def extend(rising: NDArray[np.float64], filled: int, count: int, prior: float) -> int:
    """Make rising[n] = lgamma(prior + n) - lgamma(prior) valid up to a count; return how far."""
    while filled < min(count, TABLE):
        rising[filled + 1] = rising[filled] + math.log(prior + filled)
        filled += 1
    return filled


@kernel
def rise(rising: NDArray[np.float64], count: int, prior: float, base: float) -> float:
    """Return lgamma(prior + count) - lgamma(prior); `base` is the latter."""
    if count <= TABLE:
        return float(rising[count])
    return math.lgamma(prior + count) - base


@kernel
def families_from_tables(tables: NDArray[np.float64]) -> NDArray[np.float64]:  # [V, 2^V]
    """Turn G_i(F) into scores of i with parents S."""
    variables, masks = tables.shape
    scores = np.full((variables, masks), -np.inf)
    for i in range(variables):
        for parents in range(masks):
            if not (parents >> i) & 1:
                scores[i, parents] = tables[i, parents | (1 << i)] - tables[i, parents]
    return scores
