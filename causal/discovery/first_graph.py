"""The graph that local search starts from: parents in the order of effects, then hill climbing.

Decides for every variable between tables and additive families, first among its predecessors and
again once the graph has settled. Knows scores and effects, no estimator.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from s2lab.causal.discovery.effects import MANY, PROVEN, Effects, effect_order
from s2lab.causal.discovery.family_scores import Family, FamilyScores
from s2lab.causal.discovery.fitted import watched
from s2lab.causal.discovery.graph_search import Climber, descendants
from s2lab.causal.discovery.parent_search import MARGIN, BothKinds, find_parents, prune

EFFECT = 3.0
"""-log10 p of an effect that makes a candidate beyond `SMALL` variables."""

SMALL = 30
"""Up to so many variables every predecessor is a candidate, not only those with an effect."""

HINT = 1.0
"""-log10 p of an effect that makes a candidate of climbing beyond `MANY` variables."""

FINE = 6
"""Categories per variable from which tables charge far more for a parent than additive families."""

REVISIONS = 5
"""How often kinds are chosen again at most."""


def first_graph(
    scores: FamilyScores, effects: Effects, deadline: float, show_progress: bool
) -> Climber:
    """Parents in the order of effects, climbed until no kind of score changes any more."""
    climber = Climber(
        scores.score,
        parents_in_order(scores, effects, deadline, show_progress),
        lambda child, held: new_parents(scores, effects, child, held),
        effects.surprise < PROVEN,
        lambda child, held: scores.doubtful(child, held) if scores.additive[child] else held,
        deadline,
    )
    found = list(climber.parents)
    climber.climb()
    if not (effects.partial or all(scores.additive)):
        for _ in range(REVISIONS):
            doubted = doubtful_families(scores, found, climber.parents)
            if not searched_again(scores, effects, climber, doubted):
                break
            found = list(climber.parents)
            climber.climb()
    return climber


def doubtful_families(
    scores: FamilyScores, before: Sequence[Family], after: Sequence[Family]
) -> list[int]:
    """Whose search deserves another look: of few variables all, of many those that climbing
    changed and those that are additive."""
    if len(after) <= SMALL:
        return list(range(len(after)))
    return [j for j, held in enumerate(after) if held != before[j] or scores.additive[j]]


def searched_again(
    scores: FamilyScores, effects: Effects, climber: Climber, children: Sequence[int]
) -> bool:
    """Search the parents of some variables anew among all that do not descend from them now.

    Among predecessors only, a true parent may be out of sight; what is left then looks additive,
    or makes room for others. Whether any family or kind became better.
    """
    improved = False
    below = descendants(climber.parents)
    for child in children:
        if time.monotonic() > climber.deadline:
            break
        held = climber.parents[child]
        near = neighbours(climber.parents, held)
        candidates = [
            i
            for i in range(len(below))
            if i in held
            or (
                not below[child] >> i & 1
                and effects.surprise[child, i] < PROVEN
                and (
                    len(below) <= SMALL
                    or i in near
                    or effects.surprise[i, child] > EFFECT
                    or not effects.tested[i]
                )
            )
        ]
        kinds = find_parents(scores, child, candidates)
        kept, _ = prune(scores, False, child, held, scores.of_kind(False, child, held)[0])
        contenders = [(kinds.prefers_additive, kinds.preferred), (False, kept)]
        values = [scores.posterior(additive, child, family) for additive, family in contenders]
        present = scores.posterior(scores.additive[child], child, held)
        if max(values) > present + MARGIN:
            chosen = contenders[int(np.argmax(values))]
            scores.additive[child], climber.parents[child] = chosen
            below = descendants(climber.parents)
            improved = True
    return improved


def neighbours(parents: Sequence[Family], some: Family) -> set[int]:
    """Causes and effects of some variables: any of them may stand in for another of them."""
    causes = {q for p in some for q in parents[p]}
    return causes | {j for j, held in enumerate(parents) if any(p in held for p in some)}


def parents_in_order(
    scores: FamilyScores, effects: Effects, deadline: float, show_progress: bool
) -> list[Family]:
    """Search every variable's parents among those before it."""
    order = effect_order(effects)  # [V]
    found = [BothKinds((), (), False)] * len(order)
    for at in watched(range(len(order)), "parents", show_progress):
        if time.monotonic() > deadline:
            break
        child = int(order[at])
        before = [int(i) for i in order[:at]]
        if len(order) > SMALL:
            before = [
                i for i in before if effects.surprise[i, child] > EFFECT or not effects.tested[i]
            ]
        found[child] = find_parents(scores, child, before, effects.partial)
    scores.additive = [kinds.prefers_additive for kinds in found]
    if scores.rows.cardinalities.mean() >= FINE and mostly_additive(found):
        scores.additive = [True] * len(found)
        return [kinds.additive for kinds in found]
    return [kinds.preferred for kinds in found]


def mostly_additive(found: Sequence[BothKinds]) -> bool:
    """Whether most variables with several parents prefer the additive kind: then one scale serves
    all, for with one parent the kinds agree and with very many, evidence favours tables too soon.
    """
    several = [kinds.prefers_additive for kinds in found if len(kinds.preferred) > 1]
    return 2 * sum(several) > len(several)


def new_parents(scores: FamilyScores, effects: Effects, child: int, held: Family) -> list[int]:
    """Who may become a parent: nobody that provably responds to the child."""
    allowed = effects.surprise[child] < PROVEN  # [V]
    if len(allowed) > MANY:
        allowed &= (effects.surprise[:, child] > HINT) | ~effects.tested
    candidates = [int(i) for i in np.flatnonzero(allowed) if i != child and i not in held]
    if not scores.additive[child]:
        return candidates
    found = scores.screen(child, held, candidates)  # [C]
    limit = -np.log10(scores.options.alpha)
    return [c for c, value in zip(candidates, found, strict=True) if value > limit]
