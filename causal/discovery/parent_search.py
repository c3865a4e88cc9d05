"""Parents of one variable among given candidates: forwards, then backwards. Knows no graph."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from s2lab.causal.discovery.family_scores import Family, FamilyScores

MARGIN = 1e-9

LENIENCE = 1.5
"""The screen lets pass what is this much (in -log10 p) short of significance; the fit decides."""


def joined(parents: Family, other: int) -> Family:
    """The family with one more parent."""
    return tuple(sorted((*parents, other)))


def without(parents: Family, other: int) -> Family:
    """The family with one parent fewer."""
    return tuple(p for p in parents if p != other)


def table_parents(scores: FamilyScores, child: int, candidates: Sequence[int]) -> Family:
    """Add the parent that helps most while one does, dropping those that no longer help."""
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
            return parents
        parents, best = joined(parents, pick), best + gains[pick]
        parents, best = prune(scores, False, child, parents, best)


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
        losses = {
            p: scores.of_kind(additive, child, without(parents, p))[0] - best for p in parents
        }
        pick = max(losses, key=lambda p: losses[p])
        if losses[pick] <= MARGIN:
            return parents, best
        parents, best = without(parents, pick), best + losses[pick]
    return parents, best


def find_parents(
    scores: FamilyScores, child: int, candidates: Sequence[int], tables_only: bool = False
) -> Family:
    """Search under both kinds of score, keep the kind with more evidence, return its parents."""
    table = table_parents(scores, child, candidates)
    if len(candidates) < 2 or tables_only:
        return table
    additive = additive_parents(scores, child, candidates, table)
    gain = scores.evidence(True, child, additive) - scores.evidence(False, child, table)
    scores.additive[child] = bool(gain > 0 and np.isfinite(gain))
    return additive if scores.additive[child] else table
