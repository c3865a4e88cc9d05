"""Interventional BDeu of one family, from counts per environment. Knows no search.

Heckerman, Geiger & Chickering (1995), equation 28; rows whose environment sets the variable are
left out (Cooper & Yoo 1999), those that change its mechanism get a table of their own, and where
nobody knows, whichever of pooled and own (minus a penalty) scores higher (after Eaton & Murphy
2007).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from s2lab.causal.discovery.compiled import kernel
from s2lab.causal.discovery.environments import DROPPED, POOLED, SEPARATE, UNDECIDED

DENSE = 4
"""Tables with more cells than this many times the rows are renumbered to the occupied ones."""


@kernel
def family_score(
    columns: NDArray[np.int8],  # [V, N]
    starts: NDArray[np.int64],  # [E + 1]
    world: NDArray[np.int64],  # [E]
    roles: NDArray[np.int8],  # [E] in: roles for the child; out: UNDECIDED is decided
    cardinalities: NDArray[np.int64],  # [V]
    child: int,
    parents: NDArray[np.int64],  # [P]
    ess: float,
    own_penalty: float,
) -> float:
    """Log marginal likelihood of a child given its parents, in nats, summed over worlds.

    `own_penalty` is what an undecided environment pays for a mechanism of its own.
    """
    labels, cells, configurations = parent_cells(columns, cardinalities, parents)
    return labelled_score(
        labels, cells, configurations, columns[child], cardinalities[child],
        starts, world, roles, ess, own_penalty,
    )  # fmt: skip


@kernel
def parent_cells(
    columns: NDArray[np.int8],  # [V, N]
    cardinalities: NDArray[np.int64],  # [V]
    parents: NDArray[np.int64],  # [P]
) -> tuple[NDArray[np.int32], int, float]:  # [N] labels, how many labels, how many cells
    """Number each row's configuration of parents."""
    rows = columns.shape[1]
    labels = np.zeros(rows, np.int32)
    cells, configurations = 1, 1.0
    for parent in parents:
        size = cardinalities[parent]
        column = columns[parent]
        configurations *= size
        for row in range(rows):
            labels[row] = labels[row] * size + column[row]
        cells *= size
        if cells > DENSE * rows:
            cells = renumber(labels, cells)
    return labels, cells, configurations


@kernel
def renumber(labels: NDArray[np.int32], cells: int) -> int:
    """Renumber labels [N] in place to 0, 1, ... in order of appearance; return how many."""
    lookup = np.full(cells, -1, np.int32)
    used = 0
    for row in range(len(labels)):
        label = labels[row]
        if lookup[label] < 0:
            lookup[label] = used
            used += 1
        labels[row] = lookup[label]
    return used


@kernel
def labelled_score(
    labels: NDArray[np.int32],  # [N]
    cells: int,
    configurations: float,
    column: NDArray[np.int8],  # [N] the child's categories
    size: int,
    starts: NDArray[np.int64],  # [E + 1]
    world: NDArray[np.int64],  # [E]
    roles: NDArray[np.int8],  # [E] UNDECIDED is decided in place
    ess: float,
    own_penalty: float,
) -> float:
    """`family_score` once the parents' cells are numbered."""
    environments = len(world)
    pool = np.zeros((cells, size), np.int32)
    own = np.zeros((cells, size), np.int32)
    cell_prior = ess / configurations
    prior = cell_prior / size
    score = 0.0
    first = 0
    while first < environments:
        last = first
        while last < environments and world[last] == world[first]:
            last += 1
        open_ones = 0
        for e in range(first, last):
            if roles[e] == POOLED:
                count(pool, labels, column, starts[e], starts[e + 1], 1)
            elif roles[e] == SEPARATE:
                count(own, labels, column, starts[e], starts[e + 1], 1)
                score += table(own, cell_prior, prior)
                count(own, labels, column, starts[e], starts[e + 1], -1)
            open_ones += roles[e] == UNDECIDED
        if open_ones:
            score += decide(
                pool, own, labels, column, starts, roles, first, last, cell_prior, prior,
                own_penalty,
            )  # fmt: skip
        score += table(pool, cell_prior, prior)
        pool[:] = 0
        first = last
    return score


@kernel
def decide(
    pool: NDArray[np.int32],  # [cells, K] counts of the pooled rows; undecided ones are added
    own: NDArray[np.int32],  # [cells, K] zeros
    labels: NDArray[np.int32],  # [N]
    column: NDArray[np.int8],  # [N]
    starts: NDArray[np.int64],  # [E + 1]
    roles: NDArray[np.int8],  # [E]
    first: int,
    last: int,
    cell_prior: float,
    prior: float,
    own_penalty: float,
) -> float:
    """Decide every undecided environment of a world; return the score of the separate tables.

    Two passes: against the pooled rows alone, then against all that were judged to belong.
    """
    undecided = roles[first:last] == UNDECIDED
    own_scores = np.zeros(last - first)
    for again in range(2):
        for e in range(first, last):
            if not undecided[e - first]:
                continue
            if again and roles[e] == POOLED:
                count(pool, labels, column, starts[e], starts[e + 1], -1)
            count(own, labels, column, starts[e], starts[e + 1], 1)
            together, apart = compare(
                pool, own, labels[starts[e] : starts[e + 1]], cell_prior, prior
            )
            count(own, labels, column, starts[e], starts[e + 1], -1)
            own_scores[e - first] = apart - own_penalty
            roles[e] = SEPARATE if apart - own_penalty > together else POOLED
            if again and roles[e] == POOLED:
                count(pool, labels, column, starts[e], starts[e + 1], 1)
        if not again:
            for e in range(first, last):
                if undecided[e - first] and roles[e] == POOLED:
                    count(pool, labels, column, starts[e], starts[e + 1], 1)
    total = 0.0
    for e in range(first, last):
        if undecided[e - first] and roles[e] == SEPARATE:
            total += own_scores[e - first]
    return total


@kernel
def count(
    counts: NDArray[np.int32],  # [cells, K]
    labels: NDArray[np.int32],  # [N]
    column: NDArray[np.int8],  # [N]
    start: int,
    stop: int,
    step: int,
) -> None:
    """Add `step` to the cell of every row from start to stop."""
    for row in range(start, stop):
        counts[labels[row], column[row]] += step


@kernel
def compare(
    pool: NDArray[np.int32],  # [cells, K]
    own: NDArray[np.int32],  # [cells, K]; emptied cell marks are restored
    labels: NDArray[np.int32],  # [rows of the environment]
    cell_prior: float,
    prior: float,
) -> tuple[float, float]:
    """Score the rows in `own` after those in `pool`, and by themselves."""
    together, apart = 0.0, 0.0
    seen = np.zeros(len(pool), np.bool_)
    for label in labels:
        if seen[label]:
            continue
        seen[label] = True
        in_pool, in_own = 0, 0
        for k in range(pool.shape[1]):
            if own[label, k]:
                together += math.lgamma(prior + pool[label, k] + own[label, k])
                together -= math.lgamma(prior + pool[label, k])
                apart += math.lgamma(prior + own[label, k]) - math.lgamma(prior)
            in_pool += pool[label, k]
            in_own += own[label, k]
        together -= math.lgamma(cell_prior + in_pool + in_own) - math.lgamma(cell_prior + in_pool)
        apart -= math.lgamma(cell_prior + in_own) - math.lgamma(cell_prior)
    return together, apart


@kernel
def table(counts: NDArray[np.int32], cell_prior: float, prior: float) -> float:
    """Dirichlet-multinomial log likelihood of a table [cells, K]."""
    score = 0.0
    base, cell_base = math.lgamma(prior), math.lgamma(cell_prior)
    for cell in range(len(counts)):
        total = 0
        for k in range(counts.shape[1]):
            n = counts[cell, k]
            if n:
                score += math.lgamma(prior + n) - base
                total += n
        if total:
            score -= math.lgamma(cell_prior + total) - cell_base
    return score


__all__ = ["DROPPED", "family_score", "labelled_score", "parent_cells", "renumber"]
