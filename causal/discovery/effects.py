"""Who responds to whose intervention, and the order of causes that follows. Knows no scores.

Two tests per target t and variable j. Within the rows of a perfect do(t), X_j depends on X_t only
if t is an ancestor of j. And the distribution of X_j differs between these rows (or those of a
soft intervention on t) and the observations only if j descends from t. Both use Pearson's
statistic with its exact permutation mean and variance (Haldane 1940), which holds in sparse tables.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincc

from s2lab.causal.discovery.compiled import kernel
from s2lab.causal.discovery.environments import Environments

STRONGEST = 300.0
"""Largest -log10 p that is told apart."""

PROVEN = 8.0
"""-log10 p of an effect above which its direction is not doubted."""

MANY = 300
"""Beyond so many variables only clear effects count in an order."""

CLEAR = 4.0
"""Deviations from chance above which an effect is clear."""

UNKNOWN_SHIFT = 3.0
"""-log10 p above which a variable counts as shifted in an environment of unknown targets."""


@kernel
def pearson(counts: NDArray[np.int64]) -> tuple[float, float, float]:
    """Pearson's statistic of a table [R, C], its permutation mean and variance; 0 if trivial."""
    n = counts.sum()
    rows, columns = counts.sum(axis=1), counts.sum(axis=0)
    r, c = (rows > 0).sum(), (columns > 0).sum()
    if r < 2 or c < 2 or n < 4:
        return 0.0, 0.0, 0.0
    statistic, inverse_rows, inverse_columns = 0.0, 0.0, 0.0
    for i in range(len(rows)):
        if rows[i]:
            inverse_rows += 1.0 / rows[i]
            for j in range(len(columns)):
                if columns[j]:
                    expected = rows[i] * columns[j] / n
                    statistic += (counts[i, j] - expected) ** 2 / expected
    for j in range(len(columns)):
        if columns[j]:
            inverse_columns += 1.0 / columns[j]
    v_rows, v_columns = (r - 1) * (n - r) / (n - 1), (c - 1) * (n - c) / (n - 1)
    w_rows = (n * inverse_rows - r * r) / (n - 2)
    w_columns = (n * inverse_columns - c * c) / (n - 2)
    variance = 2 * n / (n - 3) * (v_rows - w_rows) * (v_columns - w_columns)
    variance += n * n / (n - 1) * w_rows * w_columns
    return statistic, n / (n - 1) * (r - 1) * (c - 1), max(variance, 1e-12)


@kernel
def within_tests(
    columns: NDArray[np.int8],  # [V, N]
    starts: NDArray[np.int64],  # [E + 1]
    targeted: NDArray[np.bool_],  # [E, V]
    cardinalities: NDArray[np.int64],  # [V]
) -> NDArray[np.float64]:  # [3, V, V]
    """Statistic, mean and variance of X_j against X_t in the rows that target t, summed."""
    variables = len(columns)
    sums = np.zeros((3, variables, variables))
    for e in range(len(targeted)):
        for t in np.flatnonzero(targeted[e]):
            for j in range(variables):
                if not targeted[e, j]:
                    counts = np.zeros((cardinalities[t], cardinalities[j]), np.int64)
                    for row in range(starts[e], starts[e + 1]):
                        counts[columns[t, row], columns[j, row]] += 1
                    found = pearson(counts)
                    for at in range(3):
                        sums[at, t, j] += found[at]
    return sums


@kernel
def shift_tests(
    columns: NDArray[np.int8],  # [V, N]
    starts: NDArray[np.int64],  # [E + 1]
    reference: NDArray[np.int64],  # [E] environment to compare with; -1: none
    cardinalities: NDArray[np.int64],  # [V]
) -> NDArray[np.float64]:  # [3, E, V]
    """Statistic, mean and variance of X_j between every environment and its reference."""
    variables, environments = len(columns), len(reference)
    results = np.zeros((3, environments, variables))
    for j in range(variables):
        marginals = np.zeros((environments, cardinalities[j]), np.int64)
        for e in range(environments):
            for row in range(starts[e], starts[e + 1]):
                marginals[e, columns[j, row]] += 1
        for e in range(environments):
            if reference[e] >= 0:
                counts = np.empty((2, cardinalities[j]), np.int64)
                counts[0], counts[1] = marginals[e], marginals[reference[e]]
                found = pearson(counts)
                for at in range(3):
                    results[at, e, j] = found[at]
    return results


def evidence(sums: NDArray[np.float64]) -> NDArray[np.float64]:  # [3, ...] -> [...]
    """-log10 p of a statistic, by the gamma distribution of its mean and variance."""
    statistic, mean, variance = sums
    usable = (mean > 0) & (variance > 0)
    safe_mean, safe_variance = np.where(usable, mean, 1.0), np.where(usable, variance, 1.0)
    shape, scale = safe_mean**2 / safe_variance, safe_variance / safe_mean
    tail = np.where(usable, gammaincc(shape, statistic / scale), 1.0)
    return np.asarray(-np.log10(np.maximum(tail, 10.0**-STRONGEST)))


def references(rows: Environments) -> NDArray[np.int64]:  # [E]
    """The observational environment of every other one's world; -1 where there is none."""
    observed = ~rows.targeted.any(axis=1) & ~rows.unknown  # [E]
    of_world = {int(rows.world[e]): int(e) for e in np.flatnonzero(observed)}
    found = [-1 if observed[e] else of_world.get(int(w), -1) for e, w in enumerate(rows.world)]
    return np.array(found, np.int64)


@dataclass(frozen=True, eq=False)
class Effects:
    """What the interventions say about who comes before whom."""

    surprise: NDArray[np.float64]  # [V, V] -log10 p that j responds to what is done to t, at [t, j]
    weight: NDArray[np.float64]  # [V, V] standardised evidence for t before j; noise is around 0
    tested: NDArray[np.bool_]  # [V] whether anything was done to a variable, alone and knowingly
    partial: bool
    """Whether some variables were never acted on, as far as anybody knows."""


def measure_effects(rows: Environments) -> Effects:
    """Test every variable's response to every target; worlds and both tests are summed.

    Environments of unknown targets say which of two variables shifts without the other: the
    weight of a before b counts those where only b does, less the reverse.
    """
    shifts = shift_tests(rows.columns, rows.starts, references(rows), rows.cardinalities)
    variables = len(rows.variables)
    single = (rows.targeted.sum(axis=1) == 1) & ~rows.unknown  # [E]
    shift = np.zeros((3, variables, variables))
    for e in np.flatnonzero(single):
        shift[:, np.flatnonzero(rows.targeted[e])[0]] += shifts[:, e]
    within = np.zeros_like(shift)
    if not rows.soft:
        known = rows.targeted & ~rows.unknown[:, None]
        within = within_tests(rows.columns, rows.starts, known, rows.cardinalities)
    surprise = np.maximum(np.maximum(evidence(shift), evidence(within)) - np.log10(2.0), 0.0)
    weight = standardised(shift) + standardised(within)  # [V, V]
    if rows.unknown.any():
        shifted = evidence(shifts[:, rows.unknown]) > UNKNOWN_SHIFT  # [U, V]
        only = (~shifted).T.astype(np.float64) @ shifted  # [V, V] b shifts and a does not
        weight += only - only.T
    np.fill_diagonal(surprise, 0.0)
    np.fill_diagonal(weight, 0.0)
    tested = rows.targeted[single].any(axis=0)  # [V]
    return Effects(surprise, weight, tested, not tested.all() and not rows.unknown.any())


def standardised(sums: NDArray[np.float64]) -> NDArray[np.float64]:  # [3, ...] -> [...]
    """How many deviations a statistic is above its mean."""
    statistic, mean, variance = sums
    return np.asarray((statistic - mean) / np.sqrt(np.maximum(variance, 1e-9)) * (variance > 0))


def proven_descendants(effects: Effects) -> NDArray[np.bool_]:  # [V, V] ancestor, descendant
    """Who is reached from whom by effects whose direction is not doubted."""
    reached = effects.surprise > PROVEN
    for middle in range(len(reached)):
        reached |= np.outer(reached[:, middle], reached[middle])
    return reached


def effect_order(effects: Effects) -> NDArray[np.int64]:  # [V]
    """Causes first."""
    weight = effects.weight  # [V, V]
    if len(weight) > MANY:  # noise adds up over many variables
        weight = np.where(np.abs(weight) > CLEAR, weight, 0.0)
    return order_by_effects(weight)


def order_by_effects(weight: NDArray[np.float64]) -> NDArray[np.int64]:  # [V, V] -> [V]
    """Causes first: take the variable with the least evidence of causes among those left.

    Then move single variables while that puts more evidence forwards.
    """
    variables = len(weight)
    incoming = weight.sum(axis=0)  # [V]
    left = np.ones(variables, bool)
    order = []
    for _ in range(variables):
        node = int(np.argmin(np.where(left, incoming, np.inf)))
        order.append(node)
        left[node] = False
        incoming -= weight[node]
    return reinsert(weight, np.array(order, np.int64))


@kernel
def reinsert(
    found: NDArray[np.float64],  # [V, V]
    order: NDArray[np.int64],  # [V] changed in place
) -> NDArray[np.int64]:  # [V]
    """Move single variables to better places until no move helps."""
    size = len(order)
    improved = True
    while improved:
        improved = False
        for at in range(size):
            node = order[at]
            best_gain, best_place, gain = 1e-9, at, 0.0
            for place in range(at - 1, -1, -1):
                gain += found[node, order[place]] - found[order[place], node]
                if gain > best_gain:
                    best_gain, best_place = gain, place
            gain = 0.0
            for place in range(at + 1, size):
                gain += found[order[place], node] - found[node, order[place]]
                if gain > best_gain:
                    best_gain, best_place = gain, place
            if best_place != at:
                improved = True
                step = 1 if best_place > at else -1
                for place in range(at, best_place, step):
                    order[place] = order[place + step]
                order[best_place] = node
    return order
