"""Scores of families, each computed once: a full table or an additive logit per variable.

Knows rows and their environments, no graph and no search.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincc
from scipy.stats import chi2

from s2lab.causal.discovery.environments import SEPARATE, Environments
from s2lab.causal.discovery.logit_residuals import residual_statistics
from s2lab.causal.discovery.logit_score import (
    family_fit,
    family_volume,
    parent_strengths,
)
from s2lab.causal.discovery.table_score import family_score

Family = tuple[int, ...]
"""Parents of a variable: ascending positions."""


DOUBTFUL = 3
"""How many parents of an additive family are tried to be left out at a time."""

NEEDED = 5.0
"""A parent whose Wald statistic is so many times what significance asks is not left out."""


@dataclass(frozen=True)
class ScoreOptions:
    """What the scores are told."""

    equivalent_sample_size: float = 1.0
    """Weight of BDeu's prior in rows, per world and table."""
    edge_penalty: float = 0.0
    """Nats per parent of a table."""
    alpha: float = 1e-4
    """An additive parent must be significant at this level."""
    ridge: float = 0.5
    """Precision of the Gaussian prior on additive weights."""
    tolerance: float = 0.02
    """Nats by which a fit may miss its optimum."""


class FamilyScores:
    """Log scores in nats of any child with any parents; higher is better."""

    def __init__(self, rows: Environments, options: ScoreOptions) -> None:
        self.rows, self.options = rows, options
        self.roles = [rows.roles(j) for j in range(len(rows.variables))]  # V x [E]
        self.additive = [False] * len(rows.variables)
        """Which variables are scored by the additive logit rather than by a table."""
        self.fitted = 0
        """How many families were scored."""
        self._cache: dict[tuple[bool, int, Family], tuple[float, NDArray[np.int8]]] = {}
        self._doubts: dict[tuple[int, Family], list[int]] = {}
        self._screens: dict[tuple[int, Family, Family], NDArray[np.float64]] = {}
        self._weights: dict[int, tuple[Family, NDArray[np.float64]]] = {}

    def score(self, child: int, parents: Family) -> float:
        """Score of a family under its variable's kind."""
        return self.of_kind(self.additive[child], child, parents)[0]

    def of_kind(
        self, additive: bool, child: int, parents: Family
    ) -> tuple[float, NDArray[np.int8]]:  # score, [E] roles after deciding
        """Score of a family under one kind, and the roles that its environments played."""
        key = (additive, child, parents)
        if key not in self._cache:
            self.fitted += 1
            roles = self.roles[child].copy()  # [E]
            value = (
                self._logit(child, parents, roles)
                if additive
                else self._table(child, parents, roles)
            )
            self._cache[key] = (value, roles)
        return self._cache[key]

    def screen(self, child: int, parents: Family, candidates: list[int]) -> NDArray[np.float64]:
        """-log10 p of what each candidate [C] would add to the fit of this family."""
        key = (child, parents, tuple(candidates))
        if key not in self._screens:
            self._screens[key] = self._screen(*key) if candidates else np.zeros(0)
        return self._screens[key]

    def _screen(self, child: int, parents: Family, candidates: Family) -> NDArray[np.float64]:
        roles, weights = self.weights_of(child, parents)
        rows, chosen = self.rows, np.array(candidates, np.int64)
        statistics = residual_statistics(
            rows.columns, rows.starts, rows.world, roles, rows.cardinalities, child,
            np.array(parents, np.int64), weights, chosen,
        )  # fmt: skip
        freedom = (rows.cardinalities[chosen] - 1) * (rows.cardinalities[child] - 1) * rows.worlds
        tail = gammaincc(np.maximum(freedom, 1) / 2, statistics / 2)
        return np.asarray(-np.log10(np.maximum(tail, 1e-300)) * (freedom > 0))

    def doubtful(self, child: int, parents: Family) -> list[int]:
        """The parents of an additive family that it may do without, weakest first; at most
        `DOUBTFUL` of them are worth a fit."""
        if (child, parents) not in self._doubts:
            self._doubts[child, parents] = self._doubt(child, parents) if parents else []
        return self._doubts[child, parents]

    def _doubt(self, child: int, parents: Family) -> list[int]:
        roles, weights = self.weights_of(child, parents)
        rows = self.rows
        strengths = parent_strengths(
            rows.columns, rows.starts, rows.world, roles, rows.cardinalities, child,
            np.array(parents, np.int64), self.options.ridge, weights,
        )  # fmt: skip
        needed = np.array([2 * NEEDED * self._parents_penalty(child, (p,)) for p in parents])
        weakest = np.argsort(strengths)[:DOUBTFUL]
        return [parents[i] for i in weakest if strengths[i] < needed[i]]

    def weights_of(
        self, child: int, parents: Family
    ) -> tuple[NDArray[np.int8], NDArray[np.float64]]:  # [E], [W, F, K]
        """Decided roles and weights of an additive family, fitted again if others came between."""
        _, roles = self.of_kind(True, child, parents)
        if self._weights[child][0] != parents:
            self._logit(child, parents, roles.copy())
        return roles, self._weights[child][1]

    def evidence(self, additive: bool, child: int, parents: Family) -> float:
        """Approximate log evidence, comparable between kinds: BDeu itself, and Laplace's
        approximation for the additive logit."""
        value, roles = self.of_kind(additive, child, parents)
        if not additive:
            return value + self.options.edge_penalty * len(parents)
        rows = self.rows
        volume = family_volume(
            rows.columns, rows.starts, rows.world, roles, rows.cardinalities, child,
            np.array(parents, np.int64), self.options.ridge,
        )  # fmt: skip
        return value + self._parents_penalty(child, parents) - float(volume)

    def posterior(self, additive: bool, child: int, parents: Family) -> float:
        """Evidence, less what the prior charges for every parent."""
        charged = self.options.edge_penalty * len(parents)
        return self.evidence(additive, child, parents) - charged

    def _table(self, child: int, parents: Family, roles: NDArray[np.int8]) -> float:
        rows, options = self.rows, self.options
        value = family_score(
            rows.columns, rows.starts, rows.world, roles, rows.cardinalities, child,
            np.array(parents, np.int64), options.equivalent_sample_size,
            np.log(len(rows.variables)),
        )  # fmt: skip
        return float(value) - options.edge_penalty * len(parents)

    def _logit(self, child: int, parents: Family, roles: NDArray[np.int8]) -> float:
        rows, options = self.rows, self.options
        weights = self._start(child, parents)
        sizes, freedom = rows.cardinalities, self._freedom(child, parents)
        own_penalty = threshold(1e-3, freedom) + np.log(len(rows.variables))
        value = family_fit(
            rows.columns, rows.starts, rows.world, roles, sizes, child,
            np.array(parents, np.int64), options.ridge, options.tolerance * max(1, freedom // 10),
            own_penalty, weights,
        )  # fmt: skip
        self._weights[child] = (parents, weights)
        return float(value) - self._parents_penalty(child, parents)

    def _parents_penalty(self, child: int, parents: Family) -> float:
        """What significance asks of every parent, summed."""
        sizes = self.rows.cardinalities
        groups = self._groups(child)
        return sum(
            threshold(self.options.alpha, (int(sizes[p]) - 1) * (int(sizes[child]) - 1) * groups)
            for p in parents
        )

    def _freedom(self, child: int, parents: Family) -> int:
        """Free weights of an additive family."""
        sizes = self.rows.cardinalities
        return (1 + sum(int(sizes[p]) - 1 for p in parents)) * (int(sizes[child]) - 1)

    def _groups(self, child: int) -> int:
        """How many mechanisms of a variable are known to differ."""
        return self.rows.worlds + int((self.roles[child] == SEPARATE).sum())

    def _start(self, child: int, parents: Family) -> NDArray[np.float64]:  # [W, F, K]
        """Weights to start from: those of the variable's last fit where parents are shared."""
        sizes = self.rows.cardinalities
        width = 1 + sum(int(sizes[p]) for p in parents)
        weights = np.zeros((self.rows.worlds, width, int(sizes[child])))
        if child in self._weights:
            before, known = self._weights[child]
            place, at = {}, 1
            for p in before:
                place[p] = at
                at += int(sizes[p])
            weights[:, 0] = known[:, 0]
            at = 1
            for p in parents:
                if p in place:
                    weights[:, at : at + sizes[p]] = known[:, place[p] : place[p] + sizes[p]]
                at += int(sizes[p])
        return weights


@lru_cache(maxsize=4096)
def threshold(alpha: float, freedom: int) -> float:
    """Half the chi-square quantile: the gain in nats that chance exceeds with probability alpha."""
    return 0.5 * float(chi2.isf(alpha, freedom)) if freedom > 0 else 0.0


__all__ = ["Family", "FamilyScores", "ScoreOptions", "threshold"]
