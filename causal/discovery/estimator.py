"""What every learner of ours leaves behind after `fit`. Knows no way of learning."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from s2lab.causal.data import ContinuousData, InterventionalData
from s2lab.causal.equivalence import interventional_cpdag
from s2lab.causal.errors import InputError
from s2lab.causal.graph import CausalGraph
from s2lab.causal.pgmpy_bridge import adjacency_frame, to_pgmpy_dag


def check_known_targets(data: InterventionalData | ContinuousData, method: str) -> None:
    """Refuse targets that are not known, and several worlds, for a learner of neither."""
    check_one_world(data, method)
    if data.unknown.any():
        regime = data.regimes[int(np.argmax(data.unknown))]
        raise InputError(f"targets {regime!r} are not known; {method!r} needs known targets")


def check_one_world(data: InterventionalData | ContinuousData, method: str) -> None:
    """Refuse several worlds for a learner that cannot tell them apart."""
    if data.world_of_row is not None and len(np.unique(data.world_of_row)) > 1:
        raise InputError(f"{method!r} learns from one world; give the rows of one of them")


class GraphEstimator(BaseEstimator):  # type: ignore[misc]  # sklearn has no types
    """A fitted graph in pgmpy's and sklearn's names."""

    def _keep(self, graph: CausalGraph, regimes: Iterable[Iterable[str]]) -> None:
        """Set the attributes that follow from a graph and from what was intervened on."""
        self.graph_ = graph
        self.interventional_cpdag_ = interventional_cpdag(graph, regimes)  # [V, V]
        self.adjacency_matrix_ = adjacency_frame(graph)
        self.n_features_in_ = len(graph.variables)
        self.feature_names_in_ = np.array(graph.variables, dtype=object)
        self.__dict__.pop("causal_graph_", None)

    @cached_property
    def causal_graph_(self) -> Any:
        """The recovered graph as a pgmpy DAG, converted when first asked for."""
        if "graph_" not in self.__dict__:
            raise AttributeError("causal_graph_ is set by fit")
        return to_pgmpy_dag(self.graph_)
