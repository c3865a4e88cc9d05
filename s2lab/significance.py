"""Whether a difference between two agents could be chance: permutation tests and Holm's correction.

Knows no intervals, no run folders and no words.
"""

from collections.abc import Sequence
from itertools import combinations
from math import comb, erfc, prod, sqrt

import numpy as np
from numpy.typing import ArrayLike

from s2lab.stats import FloatArray, Strata, as_strata, mean

_ELEMENTS_AT_ONCE = 4_000_000
_MANY = 30


def permutation_test(
    ours: Sequence[ArrayLike],
    theirs: Sequence[ArrayLike],
    rng: np.random.Generator,
    *,
    permutations: int = 10_000,
) -> float:
    """Two-sided p-value of the difference of means when labels are exchanged within each task.

    Exact while all exchanges number at most `permutations`; the normal limit, whose variance over
    exchanges is exact, when every task has thirty runs a side; otherwise drawn, the data themselves
    counted once (Phipson & Smyth 2010). Unlike the bootstrap it never overstates three seeds.
    """
    x, y = as_strata(ours), as_strata(theirs)
    observed = abs(float(mean(x) - mean(y)))
    sizes = [(a.size, b.size) for a, b in zip(x, y, strict=True)]
    if min(min(pair) for pair in sizes) >= _MANY:
        return _normal_limit(observed, x, y)
    exact = prod(comb(a + b, a) for a, b in sizes) <= permutations
    total = np.zeros(1) if exact else np.zeros(permutations)
    for a, b in zip(x, y, strict=True):
        both = np.concatenate([a, b])
        if exact:
            total = (total[:, None] + _exchanged_exactly(both, a.size)).ravel()
        else:
            total += _exchanged_at_random(both, a.size, permutations, rng)
    differences = np.abs(total / len(x))  # [P]
    reached = int(np.sum(differences >= observed - 1e-12 * max(1.0, observed)))
    return reached / total.size if exact else (reached + 1) / (permutations + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's (1979) step-down adjustment of p-values for several tests at once, order kept."""
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def _normal_limit(observed: float, x: Strata, y: Strata) -> float:
    """Sampling without replacement: each task adds S^2 (1/R + 1/S), S^2 of both sides together."""
    variance = sum(
        float(np.concatenate([a, b]).var(ddof=1)) * (1 / a.size + 1 / b.size)
        for a, b in zip(x, y, strict=True)
    )
    deviation = sqrt(variance) / len(x)
    return erfc(observed / deviation / sqrt(2)) if deviation else 1.0


def _exchanged_exactly(both: FloatArray, ours: int) -> FloatArray:
    picks = np.array(list(combinations(range(both.size), ours)))  # [C, ours]
    our_sum = both[picks].sum(axis=1)
    return np.asarray(our_sum / ours - (both.sum() - our_sum) / (both.size - ours))


def _exchanged_at_random(
    both: FloatArray, ours: int, permutations: int, rng: np.random.Generator
) -> FloatArray:
    block = max(1, _ELEMENTS_AT_ONCE // both.size)
    differences = []
    for start in range(0, permutations, block):
        shape = (min(block, permutations - start), both.size)
        shuffled = rng.permuted(np.broadcast_to(both, shape), axis=1)
        differences.append(shuffled[:, :ours].mean(axis=1) - shuffled[:, ours:].mean(axis=1))
    return np.concatenate(differences)  # [permutations]
