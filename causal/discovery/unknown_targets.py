"""What a graph and its scores say about targets that were not told. Knows no search."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from s2lab.causal.discovery.environments import SEPARATE, Environments
from s2lab.causal.discovery.family_scores import Family, FamilyScores


def guess_targets(rows: Environments, scores: FamilyScores, parents: list[Family]) -> Environments:
    """The rows with the targets that a graph makes likely, as if they were known."""
    targeted, unknown = rows.targeted.copy(), rows.unknown.copy()
    for child, held in enumerate(parents):
        _, roles = scores.of_kind(scores.additive[child], child, held)
        targeted[:, child] |= rows.unknown & (roles == SEPARATE)
    unknown &= ~targeted.any(axis=1)
    return replace(rows, targeted=targeted, unknown=unknown)


def decided_targets(
    rows: Environments,
    regimes: tuple[tuple[str, ...], ...],
    scores: FamilyScores,
    parents: list[Family],
) -> dict[str, tuple[str, ...]]:
    """For every label of unknown targets, the variables whose mechanism differs there."""
    found: dict[str, set[int]] = {}
    for child, held in enumerate(parents):
        _, roles = scores.of_kind(scores.additive[child], child, held)
        for e in np.flatnonzero(rows.unknown):
            chosen = found.setdefault(regimes[rows.regime[e]][-1], set())
            if roles[e] == SEPARATE or rows.targeted[e, child]:
                chosen.add(child)
    return {label: tuple(rows.variables[j] for j in sorted(js)) for label, js in found.items()}
