"""What data can orient: CPDAGs and interventional CPDAGs. Knows no data and no learners.

A partially directed graph is a [V, V] bool matrix: [i, j] alone is i -> j, [i, j] with [j, i] is
an undirected edge.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from s2lab.causal.graph import CausalGraph


def cpdag(graph: CausalGraph) -> NDArray[np.bool_]:
    """Return the [V, V] essential graph of the Markov equivalence class (Chickering 1995)."""
    return interventional_cpdag(graph, ())


def interventional_cpdag(
    graph: CausalGraph, targets: Iterable[Iterable[str]]
) -> NDArray[np.bool_]:  # [V, V]
    """Return the essential graph under perfect interventions on `targets`, observations included.

    Hauser & Buehlmann (2012), theorem 10: the class keeps the skeleton, the v-structures and
    every edge of which a target set contains exactly one end; Meek's (1995) four rules complete it.
    """
    arrows = graph.parent_to_child
    skeleton = arrows | arrows.T  # [V, V]
    fixed = v_structures(arrows)  # [V, V] arrows that the class shares
    for target in targets:
        inside = np.zeros(len(graph.variables), bool)  # [V]
        inside[[graph.index(name) for name in target]] = True
        fixed |= arrows & (inside[:, None] != inside[None, :])
    fixed = meek_closure(skeleton, fixed)
    return skeleton & ~fixed.T


def v_structures(arrows: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the arrows [V, V] that take part in a -> c <- b with a and b not adjacent."""
    adjacent = arrows | arrows.T | np.eye(len(arrows), dtype=bool)  # [V, V]
    found = np.zeros_like(arrows)
    for child in range(len(arrows)):
        parents = np.flatnonzero(arrows[:, child])
        unmarried = ~adjacent[np.ix_(parents, parents)]  # [parents, parents]
        found[parents[unmarried.any(axis=1)], child] = True
    return found


def meek_closure(skeleton: NDArray[np.bool_], fixed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Close the arrows `fixed` [V, V] under Meek's rules 1 to 4 on `skeleton` [V, V]."""
    fixed = fixed.copy()
    while True:
        open_edges = skeleton & ~fixed & ~fixed.T
        implied = [
            (a, b) for a, b in np.argwhere(open_edges) if meek_implies(skeleton, fixed, a, b)
        ]
        if not implied:
            return fixed
        for a, b in implied:
            fixed[a, b] |= not fixed[b, a]


def meek_implies(skeleton: NDArray[np.bool_], fixed: NDArray[np.bool_], a: int, b: int) -> bool:
    """Whether a rule of Meek (1995, figure 1) turns the open edge a - b into a -> b."""
    into_a, into_b = fixed[:, a], fixed[:, b]  # [V] arrows into a, into b
    if (into_a & ~skeleton[:, b] & (np.arange(len(fixed)) != b)).any():
        return True  # rule 1: c -> a, c and b apart: no new v-structure
    if (fixed[a] & into_b).any():
        return True  # rule 2: a -> c -> b: no cycle
    undirected_a = skeleton[a] & ~fixed[a] & ~into_a  # [V]
    middle = np.flatnonzero(undirected_a & into_b)
    if (
        len(middle) > 1
        and (~skeleton[np.ix_(middle, middle)] & ~np.eye(len(middle), dtype=bool)).any()
    ):
        return True  # rule 3: a - c -> b and a - d -> b, c and d apart
    for d in np.flatnonzero(into_b & skeleton[a]):  # rule 4: a - c -> d -> b, c and b apart
        if (undirected_a & fixed[:, d] & ~skeleton[:, b] & (np.arange(len(fixed)) != b)).any():
            return True
    return False
