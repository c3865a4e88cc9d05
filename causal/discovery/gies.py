"""Greedy interventional equivalence search for linear-Gaussian data. Knows no truth.

Hauser & Buehlmann (2012), "Characterization and greedy learning of interventional Markov
equivalence classes of directed acyclic graphs", JMLR 13: forward, backward and turning phases on
interventional essential graphs, repeated while the score grows.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2lab.causal.data import ContinuousData
from s2lab.causal.discovery.estimator import RealGraphEstimator, check_known_targets
from s2lab.causal.discovery.fitted import deadline_after, watched
from s2lab.causal.discovery.gies_operators import (
    bound_inserts,
    member_of_class,
    pick_insert,
    pick_other,
)
from s2lab.causal.discovery.gies_score import graph_score, pooled_covariances
from s2lab.causal.discovery.pace import check_seconds
from s2lab.causal.equivalence import essential_graph
from s2lab.causal.errors import InputError
from s2lab.causal.graph import CausalGraph, find_cycle

MAX_VARIABLES = 500
"""Covariances are kept per variable: 8 V^3 bytes."""
LEAST_GAIN = 1e-3
"""A smaller growth of the score is rounding, not evidence; also keeps turns from going round."""
PHASES = ("forward", "backward", "turning")


class GiesDiscovery(RealGraphEstimator):
    """The interventional equivalence class that greedy search finds under a Gaussian BIC score.

    Parameters: `penalty`, the score's price of an edge in nats, None for BIC's log(rows) / 2;
    `max_seconds`, None for no limit: the search then stops between two steps; `show_progress` on
    stderr. Interventions are perfect and their targets known; environments have intercepts of their
    own. Deterministic.

    After `fit`: `interventional_cpdag_` ([V, V] bool, the class that was found), `causal_graph_`
    (pgmpy DAG) and `adjacency_matrix_` (DataFrame [V, V], row -> column) of one member of it,
    `score_` in nats without the likelihood's term in log 2 pi, `steps_`, the operators applied.
    """

    def __init__(
        self,
        penalty: float | None = None,
        max_seconds: float | None = None,
        show_progress: bool = False,
    ) -> None:
        self.penalty = penalty
        self.max_seconds = max_seconds
        self.show_progress = show_progress

    def fit(self, X: Any, y: Any = None, *, targets: Any = None) -> GiesDiscovery:
        """Learn from real rows X [N, V]; `targets` as in `ContinuousData.from_frame`.

        Raises `InputError` on bad options, more than 500 variables, unknown targets, a variable
        that every row targets, and on what `ContinuousData.from_frame` refuses.
        """
        if self.penalty is not None and not self.penalty >= 0:
            raise InputError(f"penalty is {self.penalty}; it must be 0 or more, or None for BIC's")
        check_seconds(self.max_seconds)
        deadline = deadline_after(self.max_seconds)
        data = ContinuousData.from_frame(X, targets)
        check_known_targets(data, "gies")
        if len(data.variables) > MAX_VARIABLES:
            raise InputError(
                f"{len(data.variables)} variables; 'gies' takes at most {MAX_VARIABLES}"
            )
        covariances, rows = pooled_covariances(data)
        penalty = 0.5 * np.log(len(data.values)) if self.penalty is None else self.penalty
        search = Search(covariances, rows, float(penalty), data.targeted)
        for _ in watched(search.steps_taken(), "steps", self.show_progress):
            if time.monotonic() > deadline:
                break
        arrows = member_of_class(search.graph, np.zeros(0, np.int64))
        score = graph_score(covariances, rows, float(penalty), arrows)
        self.store(CausalGraph(data.variables, arrows), score, data.regimes, None)
        self.steps_ = search.steps
        return self


@dataclass(eq=False)
class Search:
    """The state of one search: the essential graph and what is known of the next insertions."""

    covariances: NDArray[np.float64]  # [V, V, V]
    rows: NDArray[np.float64]  # [V]
    penalty: float
    targeted: NDArray[np.bool_]  # [R, V]
    steps: int = 0
    graph: NDArray[np.bool_] = field(init=False)  # [V, V]
    bounds: NDArray[np.float64] = field(init=False)  # [V, V] of insertions into `bounded`
    bounded: NDArray[np.bool_] | None = None  # [V, V] the graph that `bounds` belongs to

    def __post_init__(self) -> None:
        size = len(self.rows)
        self.graph = np.zeros((size, size), np.bool_)
        self.bounds = np.full((size, size), -np.inf)

    def steps_taken(self) -> Iterator[int]:
        """Repeat the three phases until none of them gains; yields after every step."""
        before = -1
        while self.steps > before:
            before = self.steps
            for phase in PHASES:
                while self.step(phase):
                    yield self.steps

    def step(self, phase: str) -> bool:
        """Apply the best operator of one phase; False where none gains."""
        problem = (self.graph, self.covariances, self.rows, self.penalty)
        if phase == "forward":
            bound_inserts(*problem, self._stale(), self.bounds)
            self.bounded = self.graph
            gain, x, y, clique = pick_insert(*problem, self.bounds)
        else:
            gain, x, y, clique = pick_other(*problem, phase == "turning")
        if not gain > LEAST_GAIN:
            return False
        leading = np.flatnonzero(clique).tolist()
        if phase == "forward":
            leading.append(y)
        elif phase == "turning":
            leading += [y, x]
        else:
            leading += [x, y] if self.graph[y, x] else [y]
        arrows = member_of_class(self.graph, np.array(leading, np.int64))
        arrows[x, y], arrows[y, x] = phase != "backward", False
        assert not find_cycle(arrows), "an invalid operator was applied"
        self.graph = essential_graph(arrows, self.targeted)
        self.steps += 1
        return True

    def _stale(self) -> NDArray[np.bool_]:  # [V]
        """Which nodes' bounds on new parents do not hold for the graph as it is now.

        They depend on the node's own edges and on who is adjacent to its neighbours.
        """
        if self.bounded is None:
            return np.ones(len(self.rows), bool)
        changed = (self.bounded != self.graph) | (self.bounded != self.graph).T  # [V, V]
        joined = (self.bounded | self.bounded.T) != (self.graph | self.graph.T)  # [V, V]
        lines = self.graph & self.graph.T
        return np.asarray(changed.any(axis=1) | lines[:, joined.any(axis=1)].any(axis=1))
