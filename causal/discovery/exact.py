"""The best graph of all: dynamic programming over sets of variables. Knows no truth.

Silander & Myllymaki (2006): the best graph on a set has a sink whose parents are the best ones in
the rest of the set. The local score is interventional BDeu.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2lab.causal.data import InterventionalData, as_frame
from s2lab.causal.discovery.bdeu import local_scores
from s2lab.causal.discovery.compiled import kernel
from s2lab.causal.discovery.environments import MAX_CATEGORIES, SEPARATE, Environments
from s2lab.causal.discovery.fitted import GraphEstimator, deadline_after, watched
from s2lab.causal.discovery.posterior import edge_posterior
from s2lab.causal.discovery.table_score import family_score, labelled_score, parent_cells
from s2lab.causal.errors import InputError
from s2lab.causal.graph import CausalGraph

MAX_VARIABLES = 16


class ExactDiscovery(GraphEstimator):
    """The graph with the highest interventional BDeu score (Cooper & Yoo 1999), among all of them.

    Parameters: `equivalent_sample_size`, the weight of BDeu's prior in rows; `edge_penalty`, nats
    taken from the score per edge; `max_parents`, None for no limit; `interventions`, "perfect" (a
    target is set from outside: its rows say nothing of its mechanism) or "soft" (its mechanism
    changes: its rows get a table of their own); `max_seconds`, after which it gives up;
    `show_progress` on stderr where families are scored one by one.
    Time grows as 2^V rows; with unknown targets, soft ones or several worlds as V 2^V rows.

    After `fit`: `adjacency_matrix_` (DataFrame [V, V], row -> column), `causal_graph_` (pgmpy DAG),
    `edge_probabilities_` ([V, V], posterior under a uniform prior over orders),
    `interventional_cpdag_` ([V, V] bool: what the data can orient), `intervention_targets_` (label
    -> columns, for targets that were unknown), `score_` in nats.
    """

    intervention_targets_: dict[str, tuple[str, ...]]

    def __init__(
        self,
        equivalent_sample_size: float = 1.0,
        edge_penalty: float = 0.0,
        max_parents: int | None = None,
        interventions: str = "perfect",
        max_seconds: float | None = None,
        show_progress: bool = False,
    ) -> None:
        self.equivalent_sample_size = equivalent_sample_size
        self.edge_penalty = edge_penalty
        self.max_parents = max_parents
        self.interventions = interventions
        self.max_seconds = max_seconds
        self.show_progress = show_progress

    def fit(
        self, X: Any, y: Any = None, *, targets: Any = None, worlds: Any = None
    ) -> ExactDiscovery:
        """Learn from categorical rows X [N, V]; `targets` and `worlds` as in
        `InterventionalData.from_frame`, "?1" naming an environment of unknown targets.

        Raises `InputError` on bad options, more than 16 variables or 64 categories, when the time
        is up, and on what `InterventionalData.from_frame` refuses.
        """
        self._check_options()
        deadline = deadline_after(self.max_seconds)
        data = InterventionalData.from_frame(as_frame(X), targets, worlds)
        check_size(data)
        ess = float(self.equivalent_sample_size)
        rows = Environments.from_data(data, self.interventions == "soft")
        if rows.unknown.any() or rows.worlds > 1 or (rows.soft and rows.targeted.any()):
            scores = self._family_by_family(rows, ess, deadline)
        else:
            scores = local_scores(data, ess)  # [V, 2^V]
        scores -= self._penalties(len(data.variables))
        check_time(deadline, self.max_seconds)
        parents, total = best_graph(scores)
        posterior = edge_posterior(scores)  # [V, V]
        check_time(deadline, self.max_seconds)
        self.intervention_targets_ = self._decided(rows, data.regimes, parents, ess)
        known = [tuple(v for v in regime if v in data.variables) for regime in data.regimes]
        found = list(self.intervention_targets_.values())
        self.store(CausalGraph(data.variables, parents), total, [*known, *found], posterior)
        return self

    def _family_by_family(
        self, rows: Environments, ess: float, deadline: float
    ) -> NDArray[np.float64]:  # [V, 2^V]
        variables = len(rows.variables)
        roles = np.stack([rows.roles(j) for j in range(variables)])  # [V, E]
        penalty = float(np.log(variables))
        scores = np.full((variables, 1 << variables), -np.inf)
        limit = variables if self.max_parents is None else self.max_parents
        for mask in watched(range(1 << variables), "sets of parents", self.show_progress):
            if mask.bit_count() <= limit:
                parents = np.array([j for j in range(variables) if mask >> j & 1], np.int64)
                scores[:, mask] = scores_of_parents(
                    rows.columns, rows.starts, rows.world, roles, rows.cardinalities, parents, ess,
                    penalty,
                )  # fmt: skip
            if mask % 64 == 0:
                check_time(deadline, self.max_seconds)
        return scores

    def _decided(
        self,
        rows: Environments,
        regimes: tuple[tuple[str, ...], ...],
        parent_to_child: NDArray[np.bool_],  # [V, V]
        ess: float,
    ) -> dict[str, tuple[str, ...]]:
        """For every label of unknown targets, the variables whose mechanism differs there."""
        found: dict[str, list[str]] = {
            regimes[rows.regime[e]][-1]: [] for e in np.flatnonzero(rows.unknown)
        }
        for child in range(len(rows.variables) if found else 0):
            roles = rows.roles(child)  # [E]
            family_score(
                rows.columns, rows.starts, rows.world, roles, rows.cardinalities, child,
                np.flatnonzero(parent_to_child[:, child]), ess, float(np.log(len(rows.variables))),
            )  # fmt: skip
            for e in np.flatnonzero(rows.unknown):
                chosen = found[regimes[rows.regime[e]][-1]]
                if (roles[e] == SEPARATE or rows.targeted[e, child]) and (
                    rows.variables[child] not in chosen
                ):
                    chosen.append(rows.variables[child])
        return {label: tuple(names) for label, names in found.items()}

    def _check_options(self) -> None:
        if not self.equivalent_sample_size > 0:
            raise InputError(
                f"equivalent_sample_size is {self.equivalent_sample_size}; it must be above 0"
            )
        if not self.edge_penalty >= 0:
            raise InputError(f"edge_penalty is {self.edge_penalty}; it must be 0 or more")
        if self.max_parents is not None and self.max_parents < 0:
            raise InputError(f"max_parents is {self.max_parents}; it must be 0 or more, or None")
        if self.interventions not in ("perfect", "soft"):
            raise InputError(
                f"interventions is {self.interventions!r}; it must be 'perfect' or 'soft'"
            )

    def _penalties(self, variables: int) -> NDArray[np.float64]:  # [2^V]
        sizes = np.array([mask.bit_count() for mask in range(1 << variables)])
        penalties = self.edge_penalty * sizes.astype(np.float64)
        if self.max_parents is not None:
            penalties[sizes > self.max_parents] = np.inf
        return penalties


def check_time(deadline: float, max_seconds: float | None) -> None:
    """Give up when the time is over: half an exact search has no answer."""
    if time.monotonic() > deadline:
        raise InputError(
            f"'exact' is not done after max_seconds={max_seconds}; allow more, set max_parents, or "
            "use 'ancestral'"
        )


@kernel
def scores_of_parents(
    columns: NDArray[np.int8],  # [V, N]
    starts: NDArray[np.int64],  # [E + 1]
    world: NDArray[np.int64],  # [E]
    roles: NDArray[np.int8],  # [V, E]
    cardinalities: NDArray[np.int64],  # [V]
    parents: NDArray[np.int64],  # [P]
    ess: float,
    own_penalty: float,
) -> NDArray[np.float64]:  # [V]
    """Score of every variable with these parents; -inf for the parents themselves."""
    labels, cells, configurations = parent_cells(columns, cardinalities, parents)
    scores = np.full(len(columns), -np.inf)
    for child in range(len(columns)):
        if not (parents == child).any():
            scores[child] = labelled_score(
                labels, cells, configurations, columns[child], cardinalities[child], starts, world,
                roles[child].copy(), ess, own_penalty,
            )  # fmt: skip
    return scores


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


@kernel
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
