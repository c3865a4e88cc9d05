"""How far an estimated graph is from the true one. Knows no data and no learners."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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
