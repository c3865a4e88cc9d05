"""What a learner of graphs is: pgmpy's and sklearn's shape. Knows no learner in particular."""

from __future__ import annotations

import inspect
from typing import Any, Protocol

from s2lab.causal.errors import InputError
from s2lab.causal.graph import CausalGraph


class Discoverer(Protocol):
    """A learner: the constructor only stores, `fit` learns and returns the learner itself.

    A learner that can use interventions names `targets` in `fit(X, y=None, *, targets=None)`: one
    entry per row (None, a column, or a tuple of columns). After `fit`, `causal_graph_` is a pgmpy
    DAG (or any networkx DiGraph) and `adjacency_matrix_` is [V, V], [i, j] meaning i -> j.
    """

    def fit(self, X: Any, y: Any = None) -> Any:
        """Learn from a DataFrame of rows by variables."""
        ...


def takes_targets(discoverer: Any) -> bool:
    """Whether `fit` names a parameter `targets`."""
    return "targets" in inspect.signature(discoverer.fit).parameters


def fitted_graph(discoverer: Any, variables: tuple[str, ...]) -> CausalGraph:
    """Return the recovered graph of a fitted learner, in the given variable order.

    Raises `InputError` when there is none, when some edges are undirected, or on a cycle.
    """
    kind = type(discoverer).__name__
    graph = getattr(discoverer, "causal_graph_", None)
    if graph is None:
        raise InputError(f"{kind} has no causal_graph_ after fit")
    if isinstance(graph, CausalGraph):
        return graph.reordered(variables)
    undirected = list(getattr(graph, "undirected_edges", ()))
    if undirected:
        raise InputError(
            f"{kind} left edges undirected, for example {undirected[0]}; ask it for a DAG "
            '(pgmpy: return_type="dag")'
        )
    return CausalGraph.from_networkx(graph).reordered(variables)
