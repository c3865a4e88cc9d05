"""Posterior probability of every edge, summed over all orders of the variables. Knows no data.

Koivisto & Sood (2004): with a uniform prior over orders, sums over orders and over the parents
that each allows are sums over subsets. A graph then counts once per order it is compatible with.
Sets of variables are bit masks; everything is in logarithms.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from s2lab.causal.discovery.compiled import kernel


@kernel
def add_logs(a: float, b: float) -> float:
    """log(exp a + exp b)."""
    if a < b:
        a, b = b, a
    return a if b == -math.inf else a + math.log1p(math.exp(b - a))


@kernel
def edge_posterior(scores: NDArray[np.float64]) -> NDArray[np.float64]:  # [V, 2^V] -> [V, V]
    """Probability of j -> i at [j, i], given the log scores of every family."""
    variables, masks = scores.shape
    everything = masks - 1
    inside = np.empty((variables, masks))  # log sum of scores of parents within a set
    for i in range(variables):
        inside[i] = subset_sums(scores[i], i)
    before = np.full(masks, -np.inf)  # orders of a set that comes first
    before[0] = 0.0
    for mask in range(1, masks):
        for i in range(variables):
            rest = mask & ~(1 << i)
            if rest != mask:
                before[mask] = add_logs(before[mask], before[rest] + inside[i, rest])
    after = np.full(masks, -np.inf)  # orders of the variables outside a set that came first
    after[everything] = 0.0
    for mask in range(everything - 1, -1, -1):
        for i in range(variables):
            if not (mask >> i) & 1:
                after[mask] = add_logs(after[mask], inside[i, mask] + after[mask | (1 << i)])
    posterior = np.zeros((variables, variables))
    for i in range(variables):
        around = np.full(masks, -np.inf)  # weight of a set preceding i, then of its supersets
        for mask in range(masks):
            if not (mask >> i) & 1:
                around[mask] = before[mask] + after[mask | (1 << i)]
        for bit in range(variables):
            if bit != i:
                for mask in range(masks):
                    if not (mask >> bit) & 1:
                        around[mask] = add_logs(around[mask], around[mask | (1 << bit)])
        for mask in range(masks):
            weight = scores[i, mask] + around[mask] - before[everything]
            if weight > -50.0:
                for j in range(variables):
                    if (mask >> j) & 1:
                        posterior[j, i] += math.exp(weight)
    return np.minimum(posterior, 1.0)


@kernel
def subset_sums(scores: NDArray[np.float64], child: int) -> NDArray[np.float64]:  # [2^V] -> [2^V]
    """Log of the sum of exp(score) over all subsets of every set without the child."""
    sums = scores.copy()
    bit = 1
    while bit < len(sums):
        if bit != 1 << child:
            for mask in range(len(sums)):
                if mask & bit:
                    sums[mask] = add_logs(sums[mask], sums[mask ^ bit])
        bit <<= 1
    return sums
