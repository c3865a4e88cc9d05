"""Order from effects, parents among predecessors, then local search. Knows no truth.

The default learner: who responds to whose intervention gives an order of causes; each variable
then searches its parents among its predecessors under a local score; hill climbing repairs what
the order got wrong.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2lab.causal.data import ContinuousData, InterventionalData, as_frame
from s2lab.causal.discovery.effects import measure_effects
from s2lab.causal.discovery.environments import Environments
from s2lab.causal.discovery.family_scores import Family, FamilyScores, ScoreOptions
from s2lab.causal.discovery.first_graph import SMALL, first_graph
from s2lab.causal.discovery.fitted import GraphEstimator, deadline_after
from s2lab.causal.discovery.gaussian_search import real_graph
from s2lab.causal.discovery.graph_search import Climber
from s2lab.causal.discovery.order_search import best_in_orders
from s2lab.causal.discovery.parent_search import MARGIN
from s2lab.causal.discovery.unknown_targets import decided_targets, guess_targets
from s2lab.causal.discovery.wide_graph import is_wide, wide_graph
from s2lab.causal.errors import InputError
from s2lab.causal.graph import CausalGraph
from s2lab.causal.regimes import TARGETS_AND_WORLDS

RESTARTED = 1_000_000
"""Up to so many cells of data the local search is restarted where directions are open."""


class AncestralDiscovery(GraphEstimator):
    """Causal discovery from interventions on few to a thousand variables.

    Parameters: `interventions`, "perfect" (a target is set from outside) or "soft" (its mechanism
    changes, its parents stay); `equivalent_sample_size`, the weight of BDeu's prior in rows;
    `alpha`, the level at which a parent of an additive family must be significant;
    `edge_penalty`, nats per edge of a table (None: the logarithm of the number of variables);
    `kind`, "categorical", "real" or "auto" (real where a column has fractions);
    `restarts`, perturbed starts of the local search where some variable was never a target alone;
    `seed`, for these; `max_seconds`, after which the best graph so far is returned (`finished_`
    is False then); `show_progress` on stderr.

    Beyond 10**8 values (rows times variables) of at most ten categories, with known targets and
    something done to every variable, parents are found by tests of independence in place of scores:
    first on about 250,000 of the rows, then on all whose variable is not a target. `score_` is
    BDeu's there, `edge_probabilities_` come from the tests.

    After `fit`: `causal_graph_` (pgmpy DAG), `adjacency_matrix_` (DataFrame, row -> column),
    `edge_probabilities_` ([V, V], from the gain of each single edge), `interventional_cpdag_`,
    `intervention_targets_` (label -> columns, for targets that were unknown), `score_` in nats.
    """

    intervention_targets_: dict[str, tuple[str, ...]]

    def __init__(
        self,
        interventions: str = "perfect",
        equivalent_sample_size: float = 1.0,
        alpha: float = 1e-4,
        edge_penalty: float | None = None,
        kind: str = "auto",
        restarts: int = 50,
        seed: int = 0,
        max_seconds: float | None = None,
        show_progress: bool = False,
    ) -> None:
        self.interventions = interventions
        self.equivalent_sample_size = equivalent_sample_size
        self.alpha = alpha
        self.edge_penalty = edge_penalty
        self.kind = kind
        self.restarts = restarts
        self.seed = seed
        self.max_seconds = max_seconds
        self.show_progress = show_progress

    def fit(
        self, X: Any, y: Any = None, *, targets: Any = None, worlds: Any = None
    ) -> AncestralDiscovery:
        """Learn from rows X [N, V]; `targets` and `worlds` as in `InterventionalData.from_frame`.

        Raises `InputError` on bad options, on more than 64 categories, on an environment without
        rows, on unknown targets of real data, and on what `from_frame` refuses.
        """
        self._check_options()
        deadline = deadline_after(self.max_seconds)
        frame = as_frame(X)
        if self.kind == "real" or (self.kind == "auto" and has_fractions(frame)):
            real = ContinuousData.from_frame(frame, targets, worlds)
            return self._fit_real(real, deadline)
        return self.fit_data(InterventionalData.from_frame(frame, targets, worlds), deadline)

    def fit_data(
        self, data: InterventionalData, deadline: float = float("inf")
    ) -> AncestralDiscovery:
        """Learn from data that is already coded, without copying it."""
        self._check_options()
        rows = Environments.from_data(data, self.interventions == "soft")
        variables = len(rows.variables)
        penalty = np.log(variables) if self.edge_penalty is None else float(self.edge_penalty)
        scores = FamilyScores(
            rows, ScoreOptions(float(self.equivalent_sample_size), penalty, float(self.alpha))
        )
        effects = measure_effects(rows)
        if is_wide(rows, effects):
            search = wide_graph(rows, effects, self.alpha, deadline, self.show_progress)
            total = sum(scores.score(j, held) for j, held in enumerate(search.parents))
            found = search.parents, total, search.probabilities()
            return self._stored(data, scores, *found, deadline)
        climber = first_graph(scores, effects, deadline, self.show_progress)
        if rows.unknown.any():
            guessed = guess_targets(rows, scores, climber.parents)
            told = FamilyScores(guessed, scores.options)
            climber = first_graph(told, measure_effects(guessed), deadline, self.show_progress)
            scores.additive = told.additive
            climber.score = scores.score
            climber.climb()
        small = rows.rows * variables < RESTARTED
        hidden = bool(rows.unknown.any())
        plain = small and not (effects.partial or hidden)
        if plain or (hidden and not small and variables <= SMALL):
            climber.turned()
        elif small:
            rng = np.random.default_rng(self.seed)
            climber.restarted(self.restarts, rng)
            if effects.partial:
                self._reordered(climber, scores, rng)
        parents, total = climber.parents, climber.total()
        probabilities = single_edge_probabilities(scores, parents)
        return self._stored(data, scores, parents, total, probabilities, deadline)

    def _stored(
        self,
        data: InterventionalData,
        scores: FamilyScores,
        parents: list[Family],
        total: float,
        probabilities: NDArray[np.float64],  # [V, V]
        deadline: float,
    ) -> AncestralDiscovery:
        self.intervention_targets_ = decided_targets(scores.rows, data.regimes, scores, parents)
        known = [tuple(v for v in regime if v in data.variables) for regime in data.regimes]
        targets = [*known, *self.intervention_targets_.values()]
        self.store(CausalGraph(data.variables, as_matrix(parents)), total, targets, probabilities)
        self.additive_ = np.array(scores.additive)  # [V]
        self.finished_ = time.monotonic() < deadline
        return self

    def _fit_real(self, data: ContinuousData, deadline: float) -> AncestralDiscovery:
        variables = len(data.variables)
        penalty = np.log(variables) if self.edge_penalty is None else float(self.edge_penalty)
        parents, total, probabilities = real_graph(data, penalty, deadline)
        graph = CausalGraph(data.variables, as_matrix(parents))
        self.intervention_targets_ = {}
        self.store(graph, total, data.regimes, probabilities)
        self.finished_ = time.monotonic() < deadline
        return self

    def _reordered(self, climber: Climber, scores: FamilyScores, rng: np.random.Generator) -> None:
        """Search over orders too, among the causes that a graph and single edges suggest.

        Repeated while it helps: a better graph suggests better causes.
        """
        best, best_total = list(climber.parents), climber.total()
        while time.monotonic() < climber.deadline:
            candidates = [suggested(scores, climber, best, j) for j in range(len(best))]
            climber.parents, _ = best_in_orders(scores.score, candidates, self.restarts, rng)
            climber.climb()
            total = climber.total()
            if total <= best_total + MARGIN:
                break
            best, best_total = list(climber.parents), total
        climber.parents = best

    def _check_options(self) -> None:
        if self.interventions not in ("perfect", "soft"):
            raise InputError(
                f"interventions is {self.interventions!r}; it must be 'perfect' or 'soft'"
            )
        if self.kind not in ("auto", "categorical", "real"):
            raise InputError(f"kind is {self.kind!r}; it must be 'auto', 'categorical' or 'real'")
        if not self.equivalent_sample_size > 0:
            raise InputError(
                f"equivalent_sample_size is {self.equivalent_sample_size}; it must be above 0"
            )
        if self.restarts < 0:
            raise InputError(f"restarts is {self.restarts}; it must be 0 or more")
        if not 0 < self.alpha < 1:
            raise InputError(f"alpha is {self.alpha}; it must be between 0 and 1")
        if self.edge_penalty is not None and not self.edge_penalty >= 0:
            raise InputError(f"edge_penalty is {self.edge_penalty}; it must be 0 or more, or None")


def suggested(
    scores: FamilyScores, climber: Climber, parents: list[Family], child: int
) -> list[int]:
    """Who may be a cause of a variable, likely ones first: its neighbours, then by single gain."""
    near = [*parents[child], *(j for j, held in enumerate(parents) if child in held)]
    alone = scores.score(child, ())
    allowed = set(climber.addable(child, ()))
    gains = {c: scores.score(child, (c,)) - alone for c in allowed if c not in near}
    others = sorted((c for c in gains if gains[c] > 0), key=lambda c: -gains[c])
    return [*(c for c in near if c in allowed or c in parents[child]), *others]


def has_fractions(frame: Any) -> bool:
    """Whether some column of numbers has values that are not whole."""
    for position, name in enumerate(frame.columns):
        if name in TARGETS_AND_WORLDS:
            continue
        column = frame.iloc[:, position]
        if getattr(column.dtype, "kind", "O") == "f":
            values = column.to_numpy()
            if (np.isfinite(values) & (values != np.floor(values))).any():
                return True
    return False


def as_matrix(parents: list[Family]) -> NDArray[np.bool_]:  # [V, V] parent to child
    """The graph of given parents."""
    matrix = np.zeros((len(parents), len(parents)), bool)
    for child, held in enumerate(parents):
        matrix[list(held), child] = True
    return matrix


def single_edge_probabilities(
    scores: FamilyScores, parents: list[Family]
) -> NDArray[np.float64]:  # [V, V]
    """Probability of every found edge against its absence, the rest of the graph being right."""
    probabilities = np.zeros((len(parents), len(parents)))
    for child, held in enumerate(parents):
        here = scores.score(child, held)
        open_ = set(scores.doubtful(child, held) if scores.additive[child] else held)
        probabilities[list(set(held) - open_), child] = 1.0
        for p in open_:
            gain = here - scores.score(child, tuple(q for q in held if q != p))
            probabilities[p, child] = 1 / (1 + np.exp(-np.clip(gain, -50, 50)))
    return probabilities
