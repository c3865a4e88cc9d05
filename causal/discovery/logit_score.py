"""Additive multinomial logit of one family: every parent's category adds to the logits.

With many parents a full table has more cells than there are rows; this model has one weight per
parent category and own category, and a small Gaussian prior. It is fitted per world on the counts
of distinct configurations. Knows no search.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from s2lab.causal.discovery.compiled import kernel, quick_kernel
from s2lab.causal.discovery.environments import POOLED, SEPARATE, UNDECIDED
from s2lab.causal.discovery.logit_fit import curvature, fit, log_volume
from s2lab.causal.discovery.table_score import count, parent_cells

DOUBTED = 1000.0
"""Nats up to which a mechanism of its own is doubted: fitted together with the others' rows, an
environment that leads parents elsewhere may fit as well."""


@kernel
def distinct(
    features: NDArray[np.int32],  # [cells, P]
    counts: NDArray[np.int32],  # [cells, K]
) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]]:  # [C, P], [C, K], [C]
    """Keep the configurations that have rows."""
    used = 0
    for cell in range(len(counts)):
        used += counts[cell].sum() > 0
    kept = np.empty((used, features.shape[1]), np.int32)
    weights = np.empty((used, counts.shape[1]))
    totals = np.empty(used)
    at = 0
    for cell in range(len(counts)):
        total = counts[cell].sum()
        if total:
            kept[at] = features[cell]
            weights[at] = counts[cell]
            totals[at] = total
            at += 1
    return kept, weights, totals


@kernel
def configuration_features(
    columns: NDArray[np.int8],  # [V, N]
    cardinalities: NDArray[np.int64],  # [V]
    parents: NDArray[np.int64],  # [P]
    labels: NDArray[np.int32],  # [N]
    cells: int,
) -> NDArray[np.int32]:  # [cells, P]
    """Weight rows that every configuration adds: one per parent, after the intercept's."""
    example = np.full(cells, -1, np.int64)  # a row of every configuration
    for row in range(len(labels)):
        example[labels[row]] = row
    features = np.zeros((cells, len(parents)), np.int32)
    for cell in range(cells):
        offset = 1
        for p in range(len(parents)):
            if example[cell] >= 0:
                features[cell, p] = offset + columns[parents[p], example[cell]]
            offset += cardinalities[parents[p]]
    return features


@kernel
def family_fit(
    columns: NDArray[np.int8],  # [V, N]
    starts: NDArray[np.int64],  # [E + 1]
    world: NDArray[np.int64],  # [E]
    roles: NDArray[np.int8],  # [E] UNDECIDED is decided in place
    cardinalities: NDArray[np.int64],  # [V]
    child: int,
    parents: NDArray[np.int64],  # [P]
    ridge: float,
    tolerance: float,
    own_penalty: float,
    weights: NDArray[np.float64],  # [W, F, K] in: starts; out: fits of the pooled rows
) -> float:
    """Log posterior of the child's rows in nats, summed over worlds and separate environments."""
    labels, cells, _ = parent_cells(columns, cardinalities, parents)
    features = configuration_features(columns, cardinalities, parents, labels, cells)
    column, size = columns[child], cardinalities[child]
    environments = len(world)
    score, first = 0.0, 0
    own_scores = np.zeros(environments)
    while first < environments:
        last = first
        while last < environments and world[last] == world[first]:
            last += 1
        mine = weights[world[first]]
        undecided = roles[first:last] == UNDECIDED
        for round_ in range(3 if undecided.any() else 1):
            pool = np.zeros((cells, size), np.int32)
            for e in range(first, last):
                if roles[e] == POOLED:
                    count(pool, labels, column, starts[e], starts[e + 1], 1)
            kept, counts, totals = distinct(features, pool)
            pooled = -fit(mine, kept, counts, totals, ridge, tolerance, 200)
            if round_ == 2:
                break
            for e in range(first, last):
                if round_ == 0 and (roles[e] == SEPARATE or undecided[e - first]):
                    own = np.zeros((cells, size), np.int32)
                    count(own, labels, column, starts[e], starts[e + 1], 1)
                    kept, counts, totals = distinct(features, own)
                    alone = mine.copy()
                    own_scores[e] = -fit(alone, kept, counts, totals, ridge, tolerance, 200)
                if undecided[e - first]:
                    together = likelihood(mine, features, labels, column, starts[e], starts[e + 1])
                    apart = own_scores[e] - own_penalty
                    if round_ == 1 and roles[e] == SEPARATE and 0 < apart - together < DOUBTED:
                        count(pool, labels, column, starts[e], starts[e + 1], 1)
                        kept, counts, totals = distinct(features, pool)
                        count(pool, labels, column, starts[e], starts[e + 1], -1)
                        joint = mine.copy()
                        together = -fit(joint, kept, counts, totals, ridge, tolerance, 200) - pooled
                    roles[e] = SEPARATE if apart > together else POOLED
        score += pooled
        for e in range(first, last):
            if roles[e] == SEPARATE:
                score += own_scores[e] - (own_penalty if undecided[e - first] else 0.0)
        first = last
    return score


@kernel
def parent_strengths(
    columns: NDArray[np.int8],  # [V, N]
    starts: NDArray[np.int64],  # [E + 1]
    world: NDArray[np.int64],  # [E]
    roles: NDArray[np.int8],  # [E] decided
    cardinalities: NDArray[np.int64],  # [V]
    child: int,
    parents: NDArray[np.int64],  # [P]
    ridge: float,
    weights: NDArray[np.float64],  # [W, F, K] fits of the pooled rows
) -> NDArray[np.float64]:  # [P]
    """How much every parent is needed: Wald's statistic of its weights, summed over worlds.

    With the curvature that fits start from, which is too large: two to three times what leaving
    the parent out costs, and in the same order.
    """
    labels, cells, _ = parent_cells(columns, cardinalities, parents)
    features = configuration_features(columns, cardinalities, parents, labels, cells)
    strengths = np.zeros(len(parents))
    for w in range(len(weights)):
        pool = np.zeros((cells, cardinalities[child]), np.int32)
        for e in range(len(world)):
            if world[e] == w and roles[e] == POOLED:
                count(pool, labels, columns[child], starts[e], starts[e + 1], 1)
        kept, counts, totals = distinct(features, pool)
        inverse, spread = curvature(weights.shape[1], kept, counts, totals, ridge)
        at = 1
        for p in range(len(parents)):
            stop = at + cardinalities[parents[p]]
            own = np.ascontiguousarray(weights[w, at:stop])  # [K_parent, K]
            block = np.linalg.inv(np.ascontiguousarray(inverse[at:stop, at:stop]))
            strengths[p] += ((block @ own) * own / spread).sum()
            at = stop
    return strengths


@kernel
def family_volume(
    columns: NDArray[np.int8],  # [V, N]
    starts: NDArray[np.int64],  # [E + 1]
    world: NDArray[np.int64],  # [E]
    roles: NDArray[np.int8],  # [E] decided
    cardinalities: NDArray[np.int64],  # [V]
    child: int,
    parents: NDArray[np.int64],  # [P]
    ridge: float,
) -> float:
    """What the freedom of all weights costs in nats by Laplace's approximation, over all fits."""
    labels, cells, _ = parent_cells(columns, cardinalities, parents)
    features = configuration_features(columns, cardinalities, parents, labels, cells)
    width = 1 + cardinalities[parents].sum()
    pool = np.zeros((cells, cardinalities[child]), np.int32)
    volume = 0.0
    for e in range(len(world)):
        if roles[e] == SEPARATE:
            own = np.zeros_like(pool)
            count(own, labels, columns[child], starts[e], starts[e + 1], 1)
            kept, counts, totals = distinct(features, own)
            volume += log_volume(width, kept, counts, totals, ridge)
        elif roles[e] == POOLED:
            count(pool, labels, columns[child], starts[e], starts[e + 1], 1)
        if e + 1 == len(world) or world[e + 1] != world[e]:
            kept, counts, totals = distinct(features, pool)
            volume += log_volume(width, kept, counts, totals, ridge)
            pool[:] = 0
    return volume


@quick_kernel
def likelihood(
    weights: NDArray[np.float64],  # [F, K]
    features: NDArray[np.int32],  # [cells, P]
    labels: NDArray[np.int32],  # [N]
    column: NDArray[np.int8],  # [N]
    start: int,
    stop: int,
) -> float:
    """Log likelihood of some rows under given weights."""
    total = 0.0
    logits = np.empty(weights.shape[1])
    for row in range(start, stop):
        add_logits(weights, features[labels[row]], logits)
        top = logits.max()
        total += logits[column[row]] - top - math.log(np.exp(logits - top).sum())
    return total


@quick_kernel
def add_logits(
    weights: NDArray[np.float64],  # [F, K]
    features: NDArray[np.int32],  # [P]
    logits: NDArray[np.float64],  # [K] out
) -> None:
    """Add up the intercept and the parents' weights."""
    for k in range(len(logits)):
        logits[k] = weights[0, k]
    for f in features:
        for k in range(len(logits)):
            logits[k] += weights[f, k]
