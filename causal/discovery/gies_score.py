"""Gaussian scores of families from covariances. Knows no graph search."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from s2lab.causal.data import ContinuousData
from s2lab.causal.discovery.compiled import kernel
from s2lab.causal.errors import InputError

COLLINEAR = 1e-10
"""Share of its own variance below which what is left of a column counts as explained."""


def pooled_covariances(
    data: ContinuousData,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:  # [V, V, V], [V]
    """Per variable, the covariance over the rows that do not target it, and their number.

    Rows are centred within their regime, for an intervention moves means (Hauser & Buehlmann 2012,
    section 5.1, with an intercept per environment). Raises `InputError` on a variable that every
    row targets: its mechanism was never seen.
    """
    size = len(data.variables)
    targeted = data.targeted  # [R, V]
    scatter = np.zeros((size, size, size))  # [V, V, V]
    rows = np.zeros(size)  # [V]
    for regime, inside in enumerate(targeted):
        values = data.values[data.regime_of_row == regime]  # [n, V]
        if not len(values):
            raise InputError(f"environment {data.regimes[regime]!r} has no rows; drop it")
        centred = values - values.mean(axis=0)
        scatter[~inside] += centred.T @ centred
        rows[~inside] += len(values)
    if not rows.all():
        name = data.variables[int(np.argmin(rows))]
        raise InputError(f"every row targets {name!r}; add rows in which it is left alone")
    return scatter / rows[:, None, None], rows


@kernel
def residual_variances(
    covariance: NDArray[np.float64],  # [V, V]
    inputs: NDArray[np.int64],  # [P]
    child: int,
) -> tuple[float, float]:
    """Variance of the child given all inputs but the last, and given all of them.

    One Cholesky factor of (inputs, child); an input that the ones before it explain adds nothing.
    """
    many = len(inputs)
    factor = np.zeros((many, many))
    answer = np.zeros(many)  # the child's row of the factor
    without = left = covariance[child, child]
    for i in range(many):
        for j in range(i):
            product = covariance[inputs[i], inputs[j]]
            for k in range(j):
                product -= factor[i, k] * factor[j, k]
            factor[i, j] = product / factor[j, j] if factor[j, j] > 0 else 0.0
        own = covariance[inputs[i], inputs[i]]
        pivot = own
        product = covariance[inputs[i], child]
        for k in range(i):
            pivot -= factor[i, k] ** 2
            product -= factor[i, k] * answer[k]
        without = left
        if pivot > COLLINEAR * own:
            factor[i, i] = np.sqrt(pivot)
            answer[i] = product / factor[i, i]
            left -= answer[i] ** 2
    least = max(COLLINEAR * covariance[child, child], 1e-300)
    return max(without, least), max(left, least)


@kernel
def gain_of_parent(
    covariances: NDArray[np.float64],  # [V, V, V]
    rows: NDArray[np.float64],  # [V]
    penalty: float,
    child: int,
    others: NDArray[np.bool_],  # [V] its other parents; the new one itself is overlooked
    parent: int,
) -> float:
    """Return how much the score grows when a parent joins the others."""
    inputs = np.empty(others.sum() + 1, np.int64)
    many = 0
    for node in range(len(others)):
        if others[node] and node != parent:
            inputs[many] = node
            many += 1
    inputs[many] = parent
    before, after = residual_variances(covariances[child], inputs[: many + 1], child)
    return float(0.5 * rows[child] * (np.log(before) - np.log(after)) - penalty)


def graph_score(
    covariances: NDArray[np.float64],  # [V, V, V]
    rows: NDArray[np.float64],  # [V]
    penalty: float,
    arrows: NDArray[np.bool_],  # [V, V]
) -> float:
    """Penalised log-likelihood of a DAG without its term in log 2 pi.

    Per variable -rows / 2 (1 + log residual variance) - penalty (parents + 1).
    """
    total = 0.0
    for child in range(len(rows)):
        parents = np.flatnonzero(arrows[:, child])
        _, left = residual_variances(covariances[child], parents, child)
        total -= 0.5 * float(rows[child]) * (1 + np.log(left)) + penalty * (len(parents) + 1)
    return float(total)
