"""How well a code recovers known factors. Knows neither where codes nor where factors come from.

Codes are float [N, K], factors [N, F]; a score is the same for every order and sign of the codes.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class DCI:
    """Disentanglement, completeness, informativeness (Eastwood & Williams 2018), each at most 1."""

    disentanglement: float
    """How much each code speaks of one factor only, weighted by importance."""
    completeness: float
    """How much each factor is spoken of by one code only."""
    informativeness: float
    """R^2 of the regressor on rows that it was not fitted on."""


def correlations(codes: Array, factors: Array) -> Array:  # [K, F]
    """Pearson's correlation of each code with each factor; 0 where either never changes."""
    left, right = codes - codes.mean(0), factors - factors.mean(0)
    scale = np.sqrt((left**2).sum(0))[:, None] * np.sqrt((right**2).sum(0))[None]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(scale > 1e-12, left.T @ right / scale, 0.0)


def matched_correlation(codes: Array, factors: Array) -> tuple[float, list[tuple[int, int]]]:
    """Mean absolute correlation under the best assignment of codes to factors (Hungarian).

    Returns:
        The mean over factors, a factor without a code counting 0, and pairs (code, factor).
    """
    from scipy.optimize import linear_sum_assignment

    strength = np.abs(correlations(codes, factors))
    rows, columns = linear_sum_assignment(-strength)
    pairs = list(zip(rows.tolist(), columns.tolist(), strict=True))
    return float(strength[rows, columns].sum() / factors.shape[1]), pairs


def linear_r2(codes: Array, factors: Array) -> Array:  # [F]
    """Variance of each factor that a least-squares map of all codes explains."""
    inputs = np.column_stack([codes, np.ones(len(codes))])
    found, *_ = np.linalg.lstsq(inputs, factors.astype(float), rcond=None)
    rest = ((factors - inputs @ found) ** 2).sum(0)
    total = ((factors - factors.mean(0)) ** 2).sum(0)
    r2: Array = np.where(total > 0, 1 - rest / np.where(total > 0, total, 1.0), 0.0)
    return r2


def dci(codes: Array, factors: Array, seed: int = 0) -> DCI:
    """Eastwood & Williams (2018), section 3, with random forests as the regressors.

    Importance R[k, f] of code k for factor f; disentanglement of code k is 1 - H(R[k] / sum) in
    base F, averaged with weights sum_f R[k, f]; completeness the same along columns in base K.
    """
    from sklearn.ensemble import RandomForestRegressor

    order = np.random.default_rng(seed).permutation(len(codes))
    half = len(order) // 2
    importance, told = [], []
    for factor in factors.T.astype(float):
        forest = RandomForestRegressor(50, max_depth=8, random_state=seed)
        forest.fit(codes[order[:half]], factor[order[:half]])
        importance.append(forest.feature_importances_)
        told.append(forest.score(codes[order[half:]], factor[order[half:]]))
    weights = np.stack(importance, axis=1)  # [K, F]
    per_code = 1 - _entropy(weights, axis=1)
    per_factor = 1 - _entropy(weights, axis=0)
    share = weights.sum(1) / max(weights.sum(), 1e-12)
    return DCI(float(share @ per_code), float(per_factor.mean()), float(np.mean(told)))


def mutual_information_gap(codes: Array, factors: Array, bins: int = 20) -> float:
    """Chen et al. (2018): the gap between the two codes that know most of a factor, over its H.

    Codes are cut into `bins` equal ranges; the mean over factors, 0 with a single code's worth of
    knowledge spread evenly and 1 where one code knows everything and the others nothing.
    """
    from sklearn.metrics import mutual_info_score

    gaps = []
    cut = [
        np.digitize(code, np.linspace(code.min(), code.max(), bins + 1)[1:-1]) for code in codes.T
    ]
    for factor in factors.T:
        entropy = mutual_info_score(factor, factor)
        known = sorted((mutual_info_score(factor, code) for code in cut), reverse=True)
        if entropy > 0:
            gaps.append((known[0] - (known[1] if len(known) > 1 else 0.0)) / entropy)
    return float(np.mean(gaps)) if gaps else 0.0


def policy_purity(policies: Array, blocked: Array) -> Array:  # [K, A]
    """Mean probability that policy k gives to action a where a changes something.

    Args:
        policies: [N, K, A], rows sum to one
        blocked: bool [N, A]
    """
    free = (~blocked)[:, None, :]  # [N, 1, A]
    purity: Array = (policies * free).sum(0) / np.maximum(free.sum(0), 1)
    return purity


def _entropy(weights: Array, axis: int) -> Array:
    """In units of the largest possible, of weights scaled to sum to one; 0 for no weights."""
    total = weights.sum(axis, keepdims=True)
    shares = weights / np.where(total > 0, total, 1.0)
    terms = np.where(shares > 0, -shares * np.log(np.where(shares > 0, shares, 1.0)), 0.0)
    most = np.log(weights.shape[axis]) if weights.shape[axis] > 1 else 1.0
    return np.where(total.squeeze(axis) > 0, terms.sum(axis) / most, 1.0)
