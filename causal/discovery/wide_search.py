"""Parents of all variables at once, in rounds, where rows are too many for a pass per candidate.

Every round screens all candidates of all variables by one product of matrices and lets the clear
ones in; first on a part of the rows, then on all. Knows scores and effects, no estimator.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from s2lab.causal.discovery.environments import Environments
from s2lab.causal.discovery.family_scores import Family, FamilyScores
from s2lab.causal.discovery.fitted import watched
from s2lab.causal.discovery.parent_search import LENIENCE, MARGIN, joined, prune, without
from s2lab.causal.discovery.residuals import ResidualScreen

CELLS = 10**8
"""Rows times variables beyond which parents of `MANY` variables are searched in rounds.

One seed of 200 variables with 919 thousand rows: at expected degree 2 rounds made 2 mistakes in
29 s, the other search none in 49 s; at degree 8 they made 20 of 781 edges in 129 s, and the other
search had not ended after 390 s.
"""

MANY = 300
"""Up to so many variables the other search is kept, slow as it is where rows are many."""

FIRST_ROWS = 250_000
"""About how many rows the first rounds look at."""

TOGETHER = 4
"""How many clear candidates may enter a family in one round."""

KEPT = 2
"""After so many parents that are needed, stronger ones are taken for needed too."""

ROUNDS = 30
"""Most rounds over one set of rows."""


def thinned(rows: Environments, about: int) -> Environments:
    """Every n-th row of every environment, about so many in all."""
    step = max(1, rows.rows // about)
    return replace(
        rows,
        columns=np.ascontiguousarray(rows.columns[:, ::step]),
        starts=-(-rows.starts // step),
    )


class Rounds:
    """Additive families that grow together."""

    def __init__(
        self, scores: FamilyScores, allowed: NDArray[np.bool_], parents: Sequence[Family]
    ) -> None:
        self.scores, self.allowed = scores, allowed  # [V, V] who may become whose parent
        self.parents = list(parents)
        self.screen = ResidualScreen(scores.rows)

    def run(self, deadline: float, show_progress: bool) -> None:
        """Let parents in until nobody asks for more."""
        active = list(range(len(self.parents)))
        for _ in watched(range(ROUNDS), "rounds", show_progress):
            if not active or time.monotonic() > deadline:
                break
            fits = [(self.parents[j], *self.scores.weights_of(j, self.parents[j])) for j in active]
            values, statistics = self.screen.statistics(active, fits)  # [C, V]
            active = [
                child
                for i, child in enumerate(active)
                if time.monotonic() < deadline and self._grown(child, values[i], statistics[i])
            ]

    def _grown(
        self, child: int, values: NDArray[np.float64], statistics: NDArray[np.float64]
    ) -> bool:
        """Take in clear candidates, drop who is not needed beside them; whether anybody came."""
        scores, held = self.scores, self.parents[child]
        limit = -math.log10(scores.options.alpha) - LENIENCE
        waiting = [
            int(c)
            for c in np.argsort(-statistics)
            if self.allowed[c, child] and values[c] > limit and c not in held
        ]
        best = scores.of_kind(True, child, held)[0]
        while waiting:
            strongest = statistics[waiting[0]]
            batch = [c for c in waiting[:TOGETHER] if statistics[c] > 0.5 * strongest]
            for some in [batch, batch[:1]] if len(batch) > 1 else [batch]:
                trial = held
                for c in some:
                    trial = joined(trial, c)
                gained = scores.of_kind(True, child, trial)[0]
                if gained > best + MARGIN:
                    kept, total = prune(scores, True, child, trial, gained)
                    self.parents[child] = kept
                    return total > best + MARGIN
            waiting.pop(0)
        return False


def parents_in_rounds(
    scores: FamilyScores, allowed: NDArray[np.bool_], deadline: float, show_progress: bool
) -> list[Family]:
    """Additive families of all variables: from a part of the rows, then from all."""
    parents: list[Family] = [()] * len(allowed)
    few = thinned(scores.rows, FIRST_ROWS)
    if few.rows < scores.rows.rows:
        first = Rounds(FamilyScores(few, scores.options), allowed, parents)
        first.run(deadline, show_progress)
        parents = first.parents
    rounds = Rounds(scores, allowed, parents)
    rounds.run(deadline, show_progress)
    for child, held in enumerate(rounds.parents):
        if time.monotonic() > deadline:
            break
        best = scores.of_kind(True, child, held)[0]
        held = prune(scores, True, child, held, best)[0]
        rounds.parents[child] = needed_beside_pairs(scores, child, held)
    return rounds.parents


def needed_beside_pairs(scores: FamilyScores, child: int, held: Family) -> Family:
    """The parents that matter beside all pairs of the others, tried from the weakest on.

    Two in a row that do end the trials.
    """
    kept = 0
    for p in scores.weakest(child, held):
        if kept == KEPT or len(held) < 3:
            break
        if scores.needed_beside_pairs(child, without(held, p), p):
            kept += 1
        else:
            held, kept = without(held, p), 0
    return held
