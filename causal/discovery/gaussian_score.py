"""Interventional BIC of linear-Gaussian families, from second moments. Knows no search.

Hauser & Buehlmann (2012), section 4: a variable's regression is fitted on the rows that do not
target it; every edge costs half the logarithm of the number of rows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from s2lab.causal.data import ContinuousData
from s2lab.causal.discovery.family_scores import Family

SMALLEST = 1e-12
"""Share of a variance below which nothing is left to explain."""


class GaussianScores:
    """Log scores in nats of any child with any parents; higher is better."""

    def __init__(self, data: ContinuousData, edge_penalty: float = 0.0) -> None:
        rows, variables = data.values.shape
        self.penalty = 0.5 * np.log(max(rows, 2)) + edge_penalty
        centred = data.values - data.values.mean(axis=0)  # [N, V] against cancellation
        targeted = data.targeted  # [R, V]
        moments, sums, counts = [], [], []
        for r in range(len(data.regimes)):
            block = centred[data.regime_of_row == r]
            moments.append(block.T @ block)
            sums.append(block.sum(axis=0))
            counts.append(len(block))
        everything = np.array(moments), np.array(sums), np.array(counts, np.float64)
        self.rows = np.zeros(variables)  # [V] rows that do not target a variable
        self.covariance = np.zeros((variables, variables, variables))  # [V, V, V] of those rows
        for j in range(variables):
            kept = ~targeted[:, j]
            n = max(everything[2][kept].sum(), 1.0)
            mean = everything[1][kept].sum(axis=0) / n
            self.rows[j] = n
            self.covariance[j] = everything[0][kept].sum(axis=0) / n - np.outer(mean, mean)
        self._cache: dict[tuple[int, Family], float] = {}

    def score(self, child: int, parents: Family) -> float:
        """Maximised log likelihood less the penalty, up to a constant of the child."""
        key = (child, parents)
        if key not in self._cache:
            left = max(self.left(child, parents, [child])[1][0], SMALLEST)
            fit = -0.5 * self.rows[child] * (1 + np.log(2 * np.pi * left))
            self._cache[key] = float(fit) - self.penalty * len(parents)
        return self._cache[key]

    def gains(
        self, child: int, parents: Family, candidates: list[int]
    ) -> NDArray[np.float64]:  # [C]
        """What each candidate would add to the score."""
        together, left = self.left(child, parents, [child, *candidates])
        own = max(left[0], SMALLEST)
        scale = np.diag(self.covariance[child])[candidates]  # [C]
        usable = left[1:] > 1e-9 * np.maximum(scale, SMALLEST)
        share = np.where(usable, together[1:] ** 2 / np.where(usable, left[1:] * own, 1.0), 0.0)
        share = np.minimum(share, 1 - SMALLEST)
        return np.asarray(-0.5 * self.rows[child] * np.log1p(-share) - self.penalty)

    def left(
        self, child: int, parents: Family, others: list[int]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:  # [O], [O]
        """Covariance with the child and variance of others, given the parents."""
        c = self.covariance[child]  # [V, V]
        together, variance = c[others, child], c[others, others]
        if parents:
            s = list(parents)
            rows = c[s]  # [P, V]
            block = rows[:, s]  # [P, P]
            block.flat[:: len(s) + 1] += 1e-12 * max(block.trace(), SMALLEST)
            cross = rows[:, others]  # [P, O]
            solved = np.linalg.solve(block, cross)  # [P, O]
            together = together - rows[:, child] @ solved
            variance = variance - (solved * cross).sum(axis=0)
        return together, variance
