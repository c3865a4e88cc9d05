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
    inside = np.zeros((0, len(graph.variables)), bool)  # [targets, V]
    for target in targets:
        row = np.isin(np.arange(len(graph.variables)), [graph.index(name) for name in target])
        inside = np.concatenate([inside, row[None]])
    return essential_graph(graph.parent_to_child, inside)


def essential_graph(
    arrows: NDArray[np.bool_],  # [V, V] acyclic
    inside: NDArray[np.bool_],  # [targets, V] members of every target set
) -> NDArray[np.bool_]:  # [V, V]
    """Return `interventional_cpdag` of plain matrices."""
    skeleton = arrows | arrows.T  # [V, V]
    away = inside.astype(np.float32)
    cut = (away.T @ (1 - away)) > 0  # [V, V] some set has the first and not the second
    fixed = v_structures(arrows) | (arrows & (cut | cut.T))  # arrows that the class shares
    return skeleton & ~meek_closure(skeleton, fixed).T


def v_structures(arrows: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the arrows [V, V] that take part in a -> c <- b with a and b not adjacent."""
    apart = ~(arrows | arrows.T | np.eye(len(arrows), dtype=bool))  # [V, V]
    return np.asarray(arrows & (apart.astype(np.float32) @ arrows > 0))


def meek_closure(
    skeleton: NDArray[np.bool_], fixed: NDArray[np.bool_]
) -> NDArray[np.bool_]:  # [V, V]
    """Close the arrows `fixed` [V, V] under Meek's rules 1 to 4 on `skeleton` [V, V]."""
    fixed = fixed.copy()
    apart = ~skeleton & ~np.eye(len(skeleton), dtype=bool)  # [V, V] different and not adjacent
    while True:
        tails, heads = np.nonzero(skeleton & ~fixed & ~fixed.T)  # [E] open edges, both ways round
        if not len(tails):
            return fixed
        implied = meek_implies(skeleton, fixed, apart, tails, heads)  # [E]
        if not implied.any():
            return fixed
        fixed[tails[implied], heads[implied]] = True


def meek_implies(
    skeleton: NDArray[np.bool_],  # [V, V]
    fixed: NDArray[np.bool_],  # [V, V]
    apart: NDArray[np.bool_],  # [V, V]
    tails: NDArray[np.int64],  # [E]
    heads: NDArray[np.int64],  # [E]
) -> NDArray[np.bool_]:  # [E]
    """Whether a rule of Meek (1995, figure 1) turns the open edges a - b into a -> b."""
    into_tail, into_head = fixed.T[tails], fixed.T[heads]  # [E, V] c -> a, c -> b
    implied = (into_tail & apart[heads]).any(axis=1)  # rule 1: c -> a, c and b apart
    implied |= (fixed[tails] & into_head).any(axis=1)  # rule 2: a -> c -> b
    undirected = (skeleton & ~fixed & ~fixed.T)[tails]  # [E, V] a - c
    middle = undirected & into_head  # rule 3: a - c -> b, a - d -> b, c and d apart
    implied |= ((middle.astype(np.float32) @ apart) * middle > 0).any(axis=1)
    first = undirected & apart[heads]  # rule 4: a - c -> d -> b, a and d adjacent, c and b apart
    last = into_head & skeleton[tails]
    implied |= ((first.astype(np.float32) @ fixed) * last > 0).any(axis=1)
    return np.asarray(implied)
