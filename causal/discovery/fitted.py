"""What every learner of ours is after `fit`: pgmpy's and sklearn's attributes. Knows no search."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from s2lab.causal.equivalence import interventional_cpdag
from s2lab.causal.errors import InputError
from s2lab.causal.graph import CausalGraph
from s2lab.causal.pgmpy_bridge import adjacency_frame, to_pgmpy_dag

Item = TypeVar("Item")


class GraphEstimator(BaseEstimator):  # type: ignore[misc]  # sklearn has no types
    """A learner whose constructor only stores; `store` sets what `fit` found."""

    graph_: CausalGraph
    score_: float
    edge_probabilities_: NDArray[np.float64]  # [V, V] parent to child
    interventional_cpdag_: NDArray[np.bool_]  # [V, V]

    def store(
        self,
        graph: CausalGraph,
        score: float | None,
        targets: Iterable[Sequence[str]],
        edge_probabilities: NDArray[np.float64] | None,
    ) -> None:
        """Set the attributes of a fitted learner; `targets` are the sets that can orient edges.

        A learner without a score or edge probabilities passes None and has no such attribute.
        """
        self.graph_ = graph
        if score is not None:
            self.score_ = float(score)
        self.interventional_cpdag_ = interventional_cpdag(graph, targets)
        self.adjacency_matrix_ = adjacency_frame(graph)
        self.n_features_in_ = len(graph.variables)
        self.feature_names_in_ = np.array(graph.variables, dtype=object)
        if edge_probabilities is not None:
            self.edge_probabilities_ = edge_probabilities
        self.__dict__.pop("causal_graph_", None)

    def __sklearn_tags__(self) -> Any:
        """Tell sklearn that columns are categories, named by numbers or by text."""
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags

    @cached_property
    def causal_graph_(self) -> Any:
        """The recovered graph as a pgmpy DAG, converted when first asked for."""
        if "graph_" not in self.__dict__:
            raise AttributeError("causal_graph_ is set by fit")
        return to_pgmpy_dag(self.graph_)


def deadline_after(max_seconds: float | None) -> float:
    """`time.monotonic()` at which a search must stop. Raises `InputError` below 0."""
    if max_seconds is None:
        return float("inf")
    if not max_seconds >= 0:
        raise InputError(f"max_seconds is {max_seconds}; it must be 0 or more, or None")
    return time.monotonic() + max_seconds


def watched(items: Iterable[Item], what: str, progress: bool) -> Iterator[Item]:
    """Go through items, under a progress bar on stderr where one is wanted.

    The bar only pulses where nobody knows how many there are.
    """
    if not progress:
        yield from items
        return
    from rich.console import Console
    from rich.progress import track

    yield from track(items, description=what, console=Console(stderr=True), transient=True)
