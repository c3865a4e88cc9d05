"""Fit multinomial logits on one-hot features by L-BFGS (Nocedal 1980). Knows no variables.

The inverse Hessian starts as that of rows which all have the marginal distribution.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from s2lab.causal.discovery.compiled import kernel, quick_kernel

MEMORY = 8
"""Steps that L-BFGS remembers."""

RARE = 0.01
"""Categories rarer than this are taken to be this frequent in the first guess at the curvature."""

LONGEST = 2.0
"""Most that a step may change a weight: the first guess at the curvature is far off where rows are
nearly certain, and a fit that overshoots there does not find back."""

LEVEL = 0.05
"""Precision of the prior on the intercept, whatever that on the parents' weights: a rare category
is no evidence against a family."""


@quick_kernel
def loss_and_gradient(
    weights: NDArray[np.float64],  # [F, K] row 0 is the intercept
    features: NDArray[np.int32],  # [C, P] rows of `weights` that a configuration adds
    counts: NDArray[np.float64],  # [C, K] rows of every category in a configuration
    totals: NDArray[np.float64],  # [C]
    ridge: float,
    gradient: NDArray[np.float64],  # [F, K] out
) -> float:
    """Negative log posterior in nats, and its gradient."""
    cells, parents = features.shape
    size = weights.shape[1]
    logits = np.empty(size)
    loss = 0.0
    for f in range(weights.shape[0]):
        precision = ridge if f else LEVEL
        for k in range(size):
            gradient[f, k] = precision * weights[f, k]
            loss += 0.5 * precision * weights[f, k] * weights[f, k]
    for c in range(cells):
        for k in range(size):
            logits[k] = weights[0, k]
        for p in range(parents):
            f = features[c, p]
            for k in range(size):
                logits[k] += weights[f, k]
        top = logits[0]
        for k in range(1, size):
            top = max(top, logits[k])
        partition = 0.0
        for k in range(size):
            logits[k] -= top
            loss -= counts[c, k] * logits[k]
            logits[k] = math.exp(logits[k])
            partition += logits[k]
        loss += totals[c] * math.log(partition)
        scale = totals[c] / partition
        for k in range(size):
            logits[k] = logits[k] * scale - counts[c, k]
            gradient[0, k] += logits[k]
        for p in range(parents):
            f = features[c, p]
            for k in range(size):
                gradient[f, k] += logits[k]
    return loss


@kernel
def curvature(
    width: int,
    features: NDArray[np.int32],  # [C, P]
    counts: NDArray[np.float64],  # [C, K]
    totals: NDArray[np.float64],  # [C]
    ridge: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:  # [F, F], [K]
    """Inverse of the features' second moments, and of the marginal probabilities.

    Their product is the first guess at the inverse Hessian: exact, but for the mean of
    p (1 - p) over rows being replaced by that of p.
    """
    size = counts.shape[1]
    found = moments(width, features, totals)
    for f in range(width):
        found[f, f] += max((ridge if f else LEVEL) * size, 1e-6)
    return np.linalg.inv(found), 1.0 / shares(counts, totals)  # type: ignore[return-value]  # of any float type


@kernel
def moments(
    width: int,
    features: NDArray[np.int32],  # [C, P]
    totals: NDArray[np.float64],  # [C]
) -> NDArray[np.float64]:  # [F, F]
    """The features' second moments, summed over rows."""
    found = np.zeros((width, width))
    for c in range(len(features)):
        found[0, 0] += totals[c]
        for f in features[c]:
            found[0, f] += totals[c]
            for g in features[c]:
                found[f, g] += totals[c]
    found[1:, 0] = found[0, 1:]
    return found


@kernel
def shares(
    counts: NDArray[np.float64],  # [C, K]
    totals: NDArray[np.float64],  # [C]
) -> NDArray[np.float64]:  # [K]
    """Marginal probabilities, one row of each category added."""
    size = counts.shape[1]
    share = np.empty(size)
    for k in range(size):
        share[k] = (counts[:, k].sum() + 1.0) / (totals.sum() + size)
    return share


@kernel
def log_volume(
    width: int,
    features: NDArray[np.int32],  # [C, P]
    counts: NDArray[np.float64],  # [C, K]
    totals: NDArray[np.float64],  # [C]
    ridge: float,
) -> float:
    """Half the logarithm of posterior over prior precision, as a determinant over all weights.

    What Laplace's approximation takes from the log posterior for the freedom of the weights. The
    precision is that of rows which all have the marginal distribution: moments times covariance
    of categories, so weights that nothing tells apart cost nothing, and rare categories little.
    """
    share = shares(counts, totals)
    spread = np.diag(share) - np.outer(share, share)  # [K, K]
    scaled = moments(width, features, totals) / ridge  # [F, F] by the prior's precisions
    scaled[0] *= math.sqrt(ridge / LEVEL)
    scaled[:, 0] *= math.sqrt(ridge / LEVEL)
    of_features = np.maximum(np.linalg.eigvalsh(scaled), 0.0)  # [F]
    of_categories = np.maximum(np.linalg.eigvalsh(spread), 0.0)  # [K]
    total = 0.0
    for a in of_features:
        for b in of_categories:
            total += math.log1p(a * b)
    return 0.5 * total


@kernel
def fit(
    weights: NDArray[np.float64],  # [F, K] in: a start; out: the fit
    features: NDArray[np.int32],  # [C, P]
    counts: NDArray[np.float64],  # [C, K]
    totals: NDArray[np.float64],  # [C]
    ridge: float,
    tolerance: float,
    max_steps: int,
) -> float:
    """Minimise the negative log posterior by L-BFGS; return it.

    Stops when the gradient promises, or three steps have gained, less than `tolerance` nats.
    """
    moments, spread = curvature(len(weights), features, counts, totals, ridge)
    spread = np.minimum(spread, 1.0 / RARE)
    gradient, trial_gradient = np.zeros_like(weights), np.zeros_like(weights)
    moves = np.zeros((MEMORY, *weights.shape))
    turns = np.zeros((MEMORY, *weights.shape))
    rho = np.zeros(MEMORY)
    gained = np.zeros(3)
    loss = loss_and_gradient(weights, features, counts, totals, ridge, gradient)
    for step in range(max_steps):
        direction = -descent(gradient, moments, spread, moves, turns, rho, step)
        slope = (direction * gradient).sum()
        if -slope < tolerance:
            break
        length = min(1.0, LONGEST / np.abs(direction).max())
        while True:
            trial = weights + length * direction
            trial_loss = loss_and_gradient(trial, features, counts, totals, ridge, trial_gradient)
            if trial_loss <= loss + 1e-4 * length * slope or length < 1e-6:
                break
            length *= 0.5
        at = step % MEMORY
        moves[at] = trial - weights
        turns[at] = trial_gradient - gradient
        bend = (moves[at] * turns[at]).sum()
        rho[at] = 1.0 / bend if bend > 1e-12 else 0.0
        weights[:] = trial
        gradient[:] = trial_gradient
        gained[step % len(gained)] = loss - trial_loss
        loss = trial_loss
        if step >= len(gained) and gained.sum() < tolerance:
            break
    return loss


@kernel
def descent(
    gradient: NDArray[np.float64],  # [F, K]
    moments: NDArray[np.float64],  # [F, F] first guess at the inverse Hessian, over features
    spread: NDArray[np.float64],  # [K] and over categories
    moves: NDArray[np.float64],  # [MEMORY, F, K]
    turns: NDArray[np.float64],  # [MEMORY, F, K]
    rho: NDArray[np.float64],  # [MEMORY]
    step: int,
) -> NDArray[np.float64]:  # [F, K]
    """Inverse Hessian times gradient by the two-loop recursion."""
    result: NDArray[np.float64] = gradient.copy()
    alpha = np.zeros(MEMORY)
    oldest = max(0, step - MEMORY)
    for s in range(step - 1, oldest - 1, -1):
        at = s % MEMORY
        alpha[at] = rho[at] * (moves[at] * result).sum()
        result -= alpha[at] * turns[at]
    result = np.dot(moments, result) * spread
    for s in range(oldest, step):
        at = s % MEMORY
        result += moves[at] * (alpha[at] - rho[at] * (turns[at] * result).sum())
    return result
