"""NOTEARS: a linear model whose weights are made acyclic by a smooth constraint. Knows no truth.

Zheng, Aragam, Ravikumar & Xing (2018), "DAGs with NO TEARS", NeurIPS: h(W) = tr exp(W o W) - V is
zero exactly for acyclic W; an augmented Lagrangian drives it there.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm
from scipy.optimize import minimize

from s2lab.causal.data import ContinuousData
from s2lab.causal.discovery.acyclic import strongest_acyclic
from s2lab.causal.discovery.estimator import RealGraphEstimator, check_known_targets
from s2lab.causal.discovery.fitted import watched
from s2lab.causal.discovery.gies_score import pooled_covariances
from s2lab.causal.discovery.pace import check_seconds
from s2lab.causal.errors import InputError
from s2lab.causal.graph import CausalGraph

PROGRESS = 0.25
"""The penalty grows tenfold unless a round shrinks h at least to this share."""
MOST_PENALTY = 1e16


class NotearsDiscovery(RealGraphEstimator):
    """Sparse linear regression of every variable on the others, without directed cycles.

    Parameters, defaults of the paper's public code: `sparsity`, weight of the L1 penalty;
    `threshold`, weights below it are no edges; `tolerance` on h(W); `max_rounds` of the augmented
    Lagrangian; `max_seconds`, None for no limit; `show_progress` on stderr. Rows that target a
    variable are left out of its regression (perfect interventions). Columns are taken as they are,
    not standardised, for the method lives off variances. Deterministic.

    After `fit`: `weights_` [V, V] parent to child before the threshold, `causal_graph_` (pgmpy
    DAG), `adjacency_matrix_`, `interventional_cpdag_`, `score_` (minus the penalised loss),
    `acyclicity_`, the h(W) that was reached, and `rounds_`.
    """

    def __init__(
        self,
        sparsity: float = 0.1,
        threshold: float = 0.3,
        tolerance: float = 1e-8,
        max_rounds: int = 100,
        max_seconds: float | None = None,
        show_progress: bool = False,
    ) -> None:
        self.sparsity = sparsity
        self.threshold = threshold
        self.tolerance = tolerance
        self.max_rounds = max_rounds
        self.max_seconds = max_seconds
        self.show_progress = show_progress

    def fit(self, X: Any, y: Any = None, *, targets: Any = None) -> NotearsDiscovery:
        """Learn from real rows X [N, V]; `targets` as in `ContinuousData.from_frame`.

        Raises `InputError` on bad options, unknown targets, a variable that every row targets, and
        on what `ContinuousData.from_frame` refuses.
        """
        for name in ("sparsity", "threshold"):
            if not getattr(self, name) >= 0:
                raise InputError(f"{name} is {getattr(self, name)}; it must be 0 or more")
        if not self.tolerance > 0:
            raise InputError(f"tolerance is {self.tolerance}; it must be above 0")
        if self.max_rounds < 1:
            raise InputError(f"max_rounds is {self.max_rounds}; it must be 1 or more")
        check_seconds(self.max_seconds)
        data = ContinuousData.from_frame(X, targets)
        check_known_targets(data, "notears")
        covariances, _ = pooled_covariances(data)
        score = self._descend(covariances)
        strength = np.abs(self.weights_)
        arrows = strongest_acyclic(strength, strength > self.threshold)
        self.store(CausalGraph(data.variables, arrows), score, data.regimes, None)
        return self

    def _descend(self, covariances: NDArray[np.float64]) -> float:  # [V, V, V]
        """Set weights from smooth problems with a growing price on cycles (their algorithm 1)."""
        size, started = len(covariances), time.perf_counter()
        split = np.zeros(2 * size * size)  # positive parts, then negative parts, both >= 0
        bounds = [(0.0, 0.0 if i == j else None) for i in range(size) for j in range(size)] * 2
        price, penalty, before, self.rounds_ = 0.0, 1.0, np.inf, 0
        cyclic, late = np.inf, False
        for _ in watched(range(self.max_rounds), "rounds", self.show_progress):
            if cyclic <= self.tolerance or late:
                break
            constants = (covariances, self.sparsity, price, penalty)
            found = minimize(penalised_loss, split, constants, "L-BFGS-B", jac=True, bounds=bounds)
            self.rounds_ += 1
            late = self.max_seconds is not None and time.perf_counter() - started > self.max_seconds
            cyclic, _ = acyclicity(join(found.x, size))
            if cyclic > PROGRESS * before and penalty < MOST_PENALTY:
                penalty *= 10  # once more from the same start; a last round is kept all the same
                if late or self.rounds_ == self.max_rounds:
                    split = found.x
                continue
            split, before = found.x, cyclic
            price += penalty * cyclic
            late |= penalty >= MOST_PENALTY
        self.weights_, self.acyclicity_ = join(split, size), cyclic
        loss, _ = squared_loss(self.weights_, covariances)
        return -(loss + self.sparsity * float(np.abs(self.weights_).sum()))


def join(split: NDArray[np.float64], size: int) -> NDArray[np.float64]:  # [2 V V] -> [V, V]
    """Return weights from their positive and negative parts."""
    positive, negative = split.reshape(2, size, size)
    return np.asarray(positive - negative)


def acyclicity(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:  # [V, V]
    """Return h(W) = tr exp(W o W) - V and its gradient exp(W o W)^T o 2 W (theorem 1)."""
    exponential = expm(weights * weights)
    return float(np.trace(exponential) - len(weights)), exponential.T * 2 * weights


def squared_loss(
    weights: NDArray[np.float64],  # [V, V]
    covariances: NDArray[np.float64],  # [V, V, V] per child
) -> tuple[float, NDArray[np.float64]]:
    """Half the residual variance, summed over variables, and its gradient [V, V]."""
    residual = np.eye(len(weights)) - weights  # [V, V] column j: x_j minus its prediction
    product = np.einsum("jik,kj->ij", covariances, residual)  # [V, V] covariance with residual j
    return 0.5 * float(np.sum(residual * product)), -product


def penalised_loss(
    split: NDArray[np.float64],  # [2 V V]
    covariances: NDArray[np.float64],  # [V, V, V]
    sparsity: float,
    price: float,
    penalty: float,
) -> tuple[float, NDArray[np.float64]]:
    """Return the augmented Lagrangian with the L1 norm, and its gradient [2 V V]."""
    weights = join(split, len(covariances))
    loss, slope = squared_loss(weights, covariances)
    cyclic, cyclic_slope = acyclicity(weights)
    slope = slope + (price + penalty * cyclic) * cyclic_slope
    total = loss + sparsity * float(split.sum()) + price * cyclic + 0.5 * penalty * cyclic**2
    return total, np.concatenate([(slope + sparsity).ravel(), (sparsity - slope).ravel()])
