"""The best graph of all: dynamic programming over sets of variables. Knows no truth.

Silander & Myllymaki (2006): the best graph on a set has a sink whose parents are the best ones in
the rest of the set. The local score is interventional BDeu.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from s2lab.causal.data import InterventionalData, as_frame
from s2lab.causal.discovery.bdeu import local_scores
from s2lab.causal.equivalence import interventional_cpdag
from s2lab.causal.errors import InputError
from s2lab.causal.graph import CausalGraph
from s2lab.causal.pgmpy_bridge import adjacency_frame, to_pgmpy_dag

MAX_VARIABLES = 16
MAX_CATEGORIES = 64


class ExactDiscovery(BaseEstimator):  # type: ignore[misc]  # sklearn has no types
    """The graph with the highest interventional BDeu score (Cooper & Yoo 1999), among all of them.

    Parameters: `equivalent_sample_size`, the weight of BDeu's prior in rows; `edge_penalty`, nats
    taken from the score per edge; `max_parents`, None for no limit. Time grows as 2^V rows.

    After `fit`: `adjacency_matrix_` (DataFrame [V, V], row -> column), `causal_graph_` (pgmpy DAG),
    `interventional_cpdag_` ([V, V] bool: what the data can orient), `score_` in nats.
    """

    def __init__(
        self,
        equivalent_sample_size: float = 1.0,
        edge_penalty: float = 0.0,
        max_parents: int | None = None,
    ) -> None:
        self.equivalent_sample_size = equivalent_sample_size
        self.edge_penalty = edge_penalty
        self.max_parents = max_parents

    def fit(self, X: Any, y: Any = None, *, targets: Any = None) -> ExactDiscovery:
        """Learn from categorical rows X [N, V]; `targets` as in `InterventionalData.from_frame`.

        Raises `InputError` on bad options, more than 16 variables or 64 categories, and on what
        `InterventionalData.from_frame` refuses.
        """
        self._check_options()
        frame = as_frame(X)
        data = InterventionalData.from_frame(frame, targets)
        check_size(data)
        scores = local_scores(data, float(self.equivalent_sample_size))  # [V, 2^V]
        scores -= self._penalties(len(data.variables))
        parents, self.score_ = best_graph(scores)
        self.graph_ = CausalGraph(data.variables, parents)
        self.interventional_cpdag_ = interventional_cpdag(self.graph_, data.regimes)
        self.adjacency_matrix_ = adjacency_frame(self.graph_)
        self.n_features_in_ = len(data.variables)
        self.feature_names_in_ = np.array(data.variables, dtype=object)
        self.__dict__.pop("causal_graph_", None)
        return self

    @cached_property
    def causal_graph_(self) -> Any:
        """The recovered graph as a pgmpy DAG, converted when first asked for."""
        if "graph_" not in self.__dict__:
            raise AttributeError("causal_graph_ is set by fit")
        return to_pgmpy_dag(self.graph_)

    def _check_options(self) -> None:
        if not self.equivalent_sample_size > 0:
            raise InputError(
                f"equivalent_sample_size is {self.equivalent_sample_size}; it must be above 0"
            )
        if not self.edge_penalty >= 0:
            raise InputError(f"edge_penalty is {self.edge_penalty}; it must be 0 or more")
        if self.max_parents is not None and self.max_parents < 0:
            raise InputError(f"max_parents is {self.max_parents}; it must be 0 or more, or None")

    def _penalties(self, variables: int) -> NDArray[np.float64]:  # [2^V]
        sizes = np.array([mask.bit_count() for mask in range(1 << variables)])
        penalties = self.edge_penalty * sizes.astype(np.float64)
        if self.max_parents is not None:
            penalties[sizes > self.max_parents] = np.inf
        return penalties


def check_size(data: InterventionalData) -> None:
    """Refuse what dynamic programming over subsets cannot hold."""
    if len(data.variables) > MAX_VARIABLES:
        raise InputError(f"{len(data.variables)} variables; 'exact' takes at most {MAX_VARIABLES}")
    for name, size in zip(data.variables, data.cardinalities, strict=True):
        if size > MAX_CATEGORIES:
            raise InputError(
                f"column {name!r} has {size} categories, at most {MAX_CATEGORIES} are taken; "
                "bin real numbers first"
            )


@njit(cache=True)
def best_graph(
    scores: NDArray[np.float64],  # [V, 2^V]
) -> tuple[NDArray[np.bool_], float]:  # [V, V] parent_to_child
    """Return the acyclic graph with the highest sum of local scores, and that sum.

    Of equally good parent sets the smaller one is taken.
    """
    variables, masks = scores.shape
    best = scores.copy()  # [V, 2^V] best score with parents inside the mask
    choice = np.zeros((variables, masks), np.int32)  # the parents that reach it
    for i in range(variables):
        for mask in range(masks):
            if (mask >> i) & 1:
                continue
            choice[i, mask] = mask
            for j in range(variables):
                inside = mask & ~(1 << j)
                if inside != mask and best[i, inside] >= best[i, mask]:
                    best[i, mask] = best[i, inside]
                    choice[i, mask] = choice[i, inside]
    total = np.full(masks, -np.inf)  # [2^V] best graph on every set
    total[0] = 0.0
    sink = np.zeros(masks, np.int64)
    for mask in range(1, masks):
        for i in range(variables):
            rest = mask & ~(1 << i)
            if rest != mask and total[rest] + best[i, rest] > total[mask]:
                total[mask] = total[rest] + best[i, rest]
                sink[mask] = i
    parent_to_child = np.zeros((variables, variables), np.bool_)
    mask = masks - 1
    while mask:
        i = sink[mask]
        mask &= ~(1 << i)
        for j in range(variables):
            parent_to_child[j, i] = (choice[i, mask] >> j) & 1
    return parent_to_child, total[masks - 1]
