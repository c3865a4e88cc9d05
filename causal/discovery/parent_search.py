"""Parents of one variable among given candidates: forwards, then backwards. Knows no graph."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from s2lab.causal.discovery.family_scores import Family, FamilyScores

MARGIN = 1e-9

EXCHANGED = 100
"""Most candidates among which parents are exchanged."""

DENSE = 0.5
"""Share of its candidates that are parents from which a variable starts from all of them too."""

LENIENCE = 1.5
"""The screen lets pass what is this much (in -log10 p) short of significance; the fit decides."""


def joined(parents: Family, other: int) -> Family:
    """The family with one more parent."""
    return tuple(sorted((*parents, other)))


def without(parents: Family, other: int) -> Family:
    """The family with one parent fewer."""
    return tuple(p for p in parents if p != other)


def table_parents(scores: FamilyScores, child: int, candidates: Sequence[int]) -> Family:
    """Add the parent that helps most while one does, dropping those that no longer help.

    Then exchange single parents, to so many candidates as that is quick with.
    """
    exchange = len(candidates) <= EXCHANGED
    parents: Family = ()
    best = scores.of_kind(False, child, parents)[0]
    while True:
        gains = {
            c: scores.of_kind(False, child, joined(parents, c))[0] - best
            for c in candidates
            if c not in parents
        }
        pick = max(gains, key=lambda c: gains[c], default=None)
        if pick is None or gains[pick] <= MARGIN:
            if not exchange:
                return parents
            swapped, total = exchanged(scores, child, parents, candidates, best)
            if total <= best + MARGIN:
                return parents
            parents, best = swapped, total
            continue
        parents, best = joined(parents, pick), best + gains[pick]
        parents, best = prune(scores, False, child, parents, best)


def exchanged(
    scores: FamilyScores, child: int, parents: Family, candidates: Sequence[int], best: float
) -> tuple[Family, float]:
    """Put the best other candidate in one parent's place, where that helps.

    A cause that stands in for the true one can make the table too large for both.
    """
    found = parents
    for p in parents:
        for c in candidates:
            if c not in parents:
                trial = joined(without(parents, p), c)
                total = scores.of_kind(False, child, trial)[0]
                if total > best:
                    found, best = trial, total
    return found, best


def additive_parents(
    scores: FamilyScores, child: int, candidates: Sequence[int], start: Family = ()
) -> Family:
    """As `table_parents` for the additive logit; what a fit leaves unexplained names the next.

    Several clear candidates may enter at once; those that are not needed beside the others go.
    """
    parents = tuple(sorted(set(start)))
    best = scores.of_kind(True, child, parents)[0]
    refused: set[int] = set()
    while True:
        left = [c for c in candidates if c not in parents and c not in refused]
        found = scores.screen(child, parents, left)  # [C]
        limit = -math.log10(scores.options.alpha) - LENIENCE
        ranked = sorted(zip(found.tolist(), left, strict=True), reverse=True)
        clear = [c for value, c in ranked if value > limit]
        if not clear:
            return prune(scores, True, child, parents, best)[0]
        strongest = ranked[0][0]
        batch = [c for value, c in ranked if value > max(limit, 0.5 * strongest)][:4]
        trial = parents
        for c in batch:
            trial = joined(trial, c)
        gained = scores.of_kind(True, child, trial)[0]
        if gained <= best + MARGIN:
            refused.add(batch[0])
            single = joined(parents, batch[0])
            gained = scores.of_kind(True, child, single)[0]
            if len(batch) > 1 and gained > best + MARGIN:
                refused.discard(batch[0])
                parents, best = single, gained
            continue
        parents, best = trial, gained


def prune(
    scores: FamilyScores, additive: bool, child: int, parents: Family, best: float
) -> tuple[Family, float]:
    """Drop the least needed parent while the score rises."""
    while len(parents) > 1 or (parents and additive):
        tried = scores.doubtful(child, parents) if additive else parents
        losses = {p: scores.of_kind(additive, child, without(parents, p))[0] - best for p in tried}
        pick = max(losses, key=lambda p: losses[p], default=None)
        if pick is None or losses[pick] <= MARGIN:
            return parents, best
        parents, best = without(parents, pick), best + losses[pick]
    return parents, best


def better(scores: FamilyScores, child: int, parents: Family, candidates: Sequence[int]) -> Family:
    """The parents, or what is left of all candidates if that scores higher.

    Where nearly all candidates are parents, each is seen better beside all the others.
    """
    everybody = tuple(sorted(candidates))
    best = scores.of_kind(True, child, everybody)[0]
    left, total = prune(scores, True, child, everybody, best)
    return left if total > scores.of_kind(True, child, parents)[0] + MARGIN else parents


@dataclass(frozen=True)
class BothKinds:
    """What a variable's parents are under either kind of score."""

    table: Family
    additive: Family
    prefers_additive: bool
    """Whether the additive family has more evidence."""

    @property
    def preferred(self) -> Family:
        """The parents with more evidence."""
        return self.additive if self.prefers_additive else self.table


def find_parents(
    scores: FamilyScores, child: int, candidates: Sequence[int], tables_only: bool = False
) -> BothKinds:
    """Search under both kinds of score."""
    table = table_parents(scores, child, candidates)
    if len(candidates) < 2 or tables_only:
        return BothKinds(table, table, False)
    additive = additive_parents(scores, child, candidates, table)
    if len(candidates) > len(additive) > len(candidates) * DENSE:
        additive = better(scores, child, additive, candidates)
    if max(len(table), len(additive)) < 2:
        return BothKinds(table, additive, False)  # with one parent the kinds say the same
    gain = scores.posterior(True, child, additive) - scores.posterior(False, child, table)
    return BothKinds(table, additive, bool(gain > 0 and np.isfinite(gain)))
