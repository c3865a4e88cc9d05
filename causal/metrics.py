"""How far an estimate is from the true graph or the true targets. Knows no data and no learners."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from s2lab.causal.equivalence import cpdag, interventional_cpdag
from s2lab.causal.errors import InputError
from s2lab.causal.graph import CausalGraph

Edge = tuple[str, str]


@dataclass(frozen=True)
class EdgeDifferences:
    """The three ways in which two graphs over the same variables differ."""

    missing: tuple[Edge, ...]
    """True edges without a recovered edge in either direction."""
    extra: tuple[Edge, ...]
    """Recovered edges between variables that are not truly adjacent."""
    reversed: tuple[Edge, ...]
    """True edges that were recovered the wrong way round, given in their true direction."""

    def distance(self, reversal_cost: int = 1) -> int:
        """Structural Hamming distance; SDI's paper counts a reversal as 2."""
        return len(self.missing) + len(self.extra) + reversal_cost * len(self.reversed)

    def __str__(self) -> str:
        parts = []
        for word in ("missing", "extra", "reversed"):
            edges = getattr(self, word)
            if edges:
                parts.append(f"{word} {', '.join(f'{a}->{b}' for a, b in edges)}")
        return "; ".join(parts) or "no difference"


def edge_differences(true: CausalGraph, estimated: CausalGraph) -> EdgeDifferences:
    """Compare by variable name. Raises `InputError` when the graphs name different variables."""
    truth = true.parent_to_child  # [V, V]
    found = estimated.reordered(true.variables).parent_to_child  # [V, V]

    def edges(matrix: np.ndarray) -> tuple[Edge, ...]:
        return tuple((true.variables[i], true.variables[j]) for i, j in np.argwhere(matrix))

    return EdgeDifferences(
        missing=edges(truth & ~found & ~found.T),
        extra=edges(found & ~truth & ~truth.T),
        reversed=edges(truth & found.T & ~found),
    )


def structural_hamming_distance(
    true: CausalGraph, estimated: CausalGraph, reversal_cost: int = 1
) -> int:
    """Count missing, extra and reversed edges (Tsamardinos et al. 2006, on DAGs)."""
    return edge_differences(true, estimated).distance(reversal_cost)


def pdag_distance(true: ArrayLike, estimated: ArrayLike) -> int:
    """Count the pairs of variables on which two partially directed graphs [V, V] disagree.

    Missing, extra, reversed, and directed against undirected all count 1 (Tsamardinos et al. 2006).
    [i, j] alone is i -> j, [i, j] with [j, i] is undirected; both matrices in one variable order.
    Raises `InputError` on matrices of different or not square shape.
    """
    truth, found = (np.asarray(matrix) != 0 for matrix in (true, estimated))  # [V, V]
    if truth.ndim != 2 or truth.shape != found.shape or truth.shape[0] != truth.shape[1]:
        raise InputError(
            f"adjacency matrices have shapes {truth.shape} and {found.shape}; "
            "both must be [V, V] over the same variables"
        )
    differs = truth != found
    return int(np.triu(differs | differs.T, 1).sum())


def cpdag_distance(true: CausalGraph, estimated: CausalGraph) -> int:
    """Return `pdag_distance` between the Markov equivalence classes of two DAGs, by name."""
    return pdag_distance(cpdag(true), cpdag(estimated.reordered(true.variables)))


def interventional_cpdag_distance(
    true: CausalGraph, estimated: CausalGraph, targets: Iterable[Iterable[str]]
) -> int:
    """Return `pdag_distance` between what interventions on `targets` can orient in two DAGs."""
    sets = [tuple(target) for target in targets]
    found = interventional_cpdag(estimated.reordered(true.variables), sets)
    return pdag_distance(interventional_cpdag(true, sets), found)


@dataclass(frozen=True)
class EdgeRates:
    """How many found edges are true, and how many true ones are found; direction counts."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """Harmonic mean of the two, 0 where both are 0."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def edge_rates(true: CausalGraph, estimated: CausalGraph) -> EdgeRates:
    """Precision and recall of directed edges; a rate of nothing is 1 (no edge, no mistake)."""
    truth = true.parent_to_child  # [V, V]
    found = estimated.reordered(true.variables).parent_to_child  # [V, V]
    hits = int((truth & found).sum())
    return EdgeRates(
        precision=hits / int(found.sum()) if found.any() else 1.0,
        recall=hits / int(truth.sum()) if truth.any() else 1.0,
    )


@dataclass(frozen=True)
class RankingQuality:
    """How well probabilities of edges put true edges above absent ones."""

    auroc: float
    """Chance that a true edge is above an absent one, ties one half."""
    auprc: float
    """Average precision: sum over thresholds of precision times the step in recall."""


def rank_edges(true: CausalGraph, edge_probabilities: ArrayLike) -> RankingQuality:
    """Judge `edge_probabilities` [V, V] (parent to child, the true graph's variable order).

    All ordered pairs of different variables count. Raises `InputError` on a wrong shape, on NaN,
    and where the truth has no edge or all of them, for then nothing can be ranked.
    """
    size = len(true.variables)
    scores = np.asarray(edge_probabilities, np.float64)  # [V, V]
    if scores.shape != (size, size):
        raise InputError(f"edge_probabilities has shape {scores.shape}, expected {(size, size)}")
    pairs = ~np.eye(size, dtype=bool)
    scores, labels = scores[pairs], true.parent_to_child[pairs]  # [V (V - 1)]
    if np.isnan(scores).any():
        raise InputError("edge_probabilities has NaN; every pair needs a number")
    if labels.all() or not labels.any():
        raise InputError("the true graph has no edge (or all of them); nothing can be ranked")
    descending = np.argsort(-scores, kind="stable")
    last_of_tie = np.flatnonzero(np.diff(scores[descending], append=-np.inf))
    hits = np.cumsum(labels[descending])[last_of_tie]  # true edges down to each threshold
    misses = last_of_tie + 1 - hits
    recall = np.concatenate([[0.0], hits / labels.sum()])
    fallout = np.concatenate([[0.0], misses / (~labels).sum()])
    return RankingQuality(
        auroc=float(np.sum(np.diff(fallout) * (recall[1:] + recall[:-1]) / 2)),
        auprc=float(np.sum(np.diff(recall) * hits / (hits + misses))),
    )


def target_accuracy(
    true: Sequence[str | Iterable[str] | None], estimated: Sequence[str | Iterable[str] | None]
) -> float:
    """Return the fraction of environments whose target set is exactly right.

    One entry per environment: None, a variable, or several. Raises `InputError` on different
    lengths and on no environment at all.
    """
    if len(true) != len(estimated) or not true:
        raise InputError(
            f"{len(true)} true and {len(estimated)} estimated target sets; "
            "one of each is needed per environment, and at least one environment"
        )
    hits = [as_set(one) == as_set(other) for one, other in zip(true, estimated, strict=True)]
    return float(np.mean(hits))


def as_set(target: str | Iterable[str] | None) -> frozenset[Any]:
    """Return the target set of one environment."""
    return frozenset(() if target is None else (target,) if isinstance(target, str) else target)


def adjustment_mistakes(
    true: CausalGraph, estimated: CausalGraph
) -> NDArray[np.bool_]:  # [V, V]; [i, j]: the effect of do(i) on j would be computed wrongly
    """Mark the pairs whose effect the estimate's parents of i, as adjustment set, get wrong.

    Peters & Buehlmann (2015), section 2: where i's estimated parents contain j, "no effect" must be
    true; else they must be a valid adjustment set for (i, j) in the true graph, which Shpitser's
    criterion decides: no descendant of a directed path's inner or end node, and every other path
    is blocked.
    """
    truth = true.parent_to_child  # [V, V]
    found = estimated.reordered(true.variables).parent_to_child  # [V, V]
    reaches = reachability(truth)  # [V, V]
    wrong = np.zeros_like(truth)
    for i in range(len(truth)):
        adjust = found[:, i]  # [V]
        for j in range(len(truth)):
            if i != j and adjust[j]:
                wrong[i, j] = reaches[i, j]
            elif i != j:
                wrong[i, j] = not is_adjustment_set(truth, reaches, i, j, adjust)
    return wrong


def structural_intervention_distance(true: CausalGraph, estimated: CausalGraph) -> int:
    """Count the pairs (i, j) in `adjustment_mistakes`: 0 to V (V - 1), not symmetric.

    Peters & Buehlmann (2015), SID for DAGs. Graphs are compared by variable name.
    """
    return int(adjustment_mistakes(true, estimated).sum())


def reachability(arrows: NDArray[np.bool_]) -> NDArray[np.bool_]:  # [V, V]
    """Return who has a directed path (of length 0 too) to whom, by repeated squaring."""
    reaches = arrows | np.eye(len(arrows), dtype=bool)
    for _ in range(max(len(arrows) - 1, 1).bit_length()):
        reaches = (reaches.astype(np.float32) @ reaches.astype(np.float32)) > 0
    return reaches


def is_adjustment_set(
    arrows: NDArray[np.bool_],  # [V, V]
    reaches: NDArray[np.bool_],  # [V, V]
    i: int,
    j: int,
    adjust: NDArray[np.bool_],  # [V], without i and j
) -> bool:
    """Whether adjusting for a set gives the effect of i on j (Shpitser et al. 2010)."""
    causal = reaches[i] & reaches[:, j]  # [V] on a directed path from i to j, ends included
    causal[i] = False
    if (adjust & reaches[causal].any(axis=0)).any():
        return False
    cut = arrows.copy()
    cut[i, causal] = False
    # A collider is open above a member of the set. `reaches` knows the cut arrows too, but below
    # them the set has no member, as was just checked.
    opens = np.asarray((reaches & adjust).any(axis=1))  # [V]
    return not d_connected(cut, i, j, adjust, opens)


def d_connected(
    arrows: NDArray[np.bool_],  # [V, V]
    i: int,
    j: int,
    given: NDArray[np.bool_],  # [V]
    opens: NDArray[np.bool_],  # [V] given, or an ancestor of a given one
) -> bool:
    """Whether an open path joins i and j: Bayes ball (Shachter 1998) over (node, direction)."""
    seen = np.zeros((len(arrows), 2), bool)
    waiting = [(i, 0)]  # 0: arrived from a child (or starting), 1: arrived from a parent
    while waiting:
        node, from_parent = waiting.pop()
        if seen[node, from_parent]:
            continue
        if node == j:
            return True
        seen[node, from_parent] = True
        if opens[node] if from_parent else not given[node]:
            waiting += [(int(parent), 0) for parent in np.flatnonzero(arrows[:, node])]
        if not given[node]:
            waiting += [(int(child), 1) for child in np.flatnonzero(arrows[node])]
    return False
