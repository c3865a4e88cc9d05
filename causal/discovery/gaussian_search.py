"""The search of `ancestral` over real variables: effects by correlation, families by BIC.

Knows no truth.
"""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr

from s2lab.causal.data import ContinuousData
from s2lab.causal.discovery.effects import STRONGEST, order_by_effects
from s2lab.causal.discovery.family_scores import Family
from s2lab.causal.discovery.gaussian_score import GaussianScores
from s2lab.causal.discovery.graph_search import Climber
from s2lab.causal.discovery.parent_search import MARGIN, joined, without
from s2lab.causal.errors import InputError

PROVEN = 8.0
"""-log10 p of an effect above which its direction is not doubted."""


def real_graph(
    data: ContinuousData, edge_penalty: float, deadline: float
) -> tuple[list[Family], float, NDArray[np.float64]]:
    """Return parents per variable, the score in nats and edge probabilities [V, V].

    Raises `InputError` on unknown targets and on several worlds.
    """
    if data.unknown.any() or (data.world_of_row is not None and data.world_of_row.any()):
        raise InputError("real data needs known targets and a single world; bin it otherwise")
    scores = GaussianScores(data, edge_penalty)
    surprise, weight = real_effects(data)  # [V, V] both
    order = order_by_effects(weight)  # [V]
    parents: list[Family] = [()] * len(order)
    for at, child in enumerate(order):
        if time.monotonic() < deadline:
            parents[child] = forward(scores, int(child), [int(i) for i in order[:at]])

    def addable(child: int, held: Family) -> list[int]:
        allowed = surprise[child] < PROVEN  # [V]
        candidates = [int(i) for i in np.flatnonzero(allowed) if i != child and i not in held]
        gains = scores.gains(child, held, candidates)  # [C]
        return [c for c, gain in zip(candidates, gains, strict=True) if gain > MARGIN]

    ends = []
    for start in (parents, [()] * len(order)):
        climber = Climber(scores.score, list(start), addable, surprise < PROVEN, deadline=deadline)
        climber.climb()
        ends.append((climber.total(), climber))
    _, climber = max(ends, key=lambda end: end[0])
    parents, total = climber.reordered()
    probabilities = np.zeros((len(parents), len(parents)))  # [V, V]
    for child, held in enumerate(parents):
        for p in held:
            gain = scores.score(child, held) - scores.score(child, without(held, p))
            probabilities[p, child] = 1 / (1 + np.exp(-np.clip(gain, -50, 50)))
    return parents, total, probabilities


def forward(scores: GaussianScores, child: int, candidates: list[int]) -> Family:
    """Add the parent that helps most while one does, dropping those that no longer help."""
    parents: Family = ()
    while True:
        left = [c for c in candidates if c not in parents]
        gains = scores.gains(child, parents, left) if left else np.zeros(0)  # [C]
        if not len(gains) or gains.max() <= MARGIN:
            return parents
        parents = joined(parents, left[int(gains.argmax())])
        while len(parents) > 1:
            best = scores.score(child, parents)
            losses = {p: scores.score(child, without(parents, p)) - best for p in parents}
            pick = max(losses, key=lambda p: losses[p])
            if losses[pick] <= MARGIN:
                break
            parents = without(parents, pick)


def real_effects(
    data: ContinuousData,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:  # [V, V], [V, V]
    """-log10 p that j responds to what is done to t, at [t, j], and the evidence it is from.

    Fisher's z of the correlation within the rows that target t, and Welch's test of the shift of
    j's mean against the observations: the better one for p, the sum of squares less their means as
    evidence, which is around 0 where there is no effect.
    """
    variables = len(data.variables)
    surprise, weight = np.zeros((variables, variables)), np.zeros((variables, variables))
    observed = data.observational.values  # [O, V]
    for r, regime in enumerate(data.regimes):
        block = data.values[data.regime_of_row == r]  # [n, V]
        if len(block) < 8:
            continue
        deviation = block.std(axis=0)  # [V]
        shift = np.zeros(variables)
        if len(regime) == 1 and len(observed) > 8:
            spread = block.var(axis=0) / len(block) + observed.var(axis=0) / len(observed)
            gap = np.abs(block.mean(axis=0) - observed.mean(axis=0))
            shift = gap / np.sqrt(np.maximum(spread, 1e-24)) * (deviation > 1e-9)
        centred = (block - block.mean(axis=0)) / np.maximum(deviation, 1e-12)
        for name in regime:
            t = data.variables.index(name)
            correlation = np.clip(centred[:, t] @ centred / len(block), -1 + 1e-12, 1 - 1e-12)
            z = np.abs(np.arctanh(correlation)) * np.sqrt(len(block) - 3)  # [V]
            tail = -(log_ndtr(-np.maximum(z, shift)) + np.log(4)) / np.log(10)
            surprise[t] = np.maximum(surprise[t], np.clip(tail, 0.0, STRONGEST))
            weight[t] += z**2 - 1 + (shift**2 - 1) * bool(shift.any())
            for other in regime:
                surprise[t, data.variables.index(other)] = 0.0
                weight[t, data.variables.index(other)] = 0.0
    return surprise, weight
