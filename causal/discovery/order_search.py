"""Search over orders of the variables, each with its best parents among those before it.

Teyssier & Koller (2005): an order decides every family by itself, so steps between orders see past
the many graphs of one class that a search over edges must cross. Knows scores, no data.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from s2lab.causal.discovery.compiled import kernel
from s2lab.causal.discovery.family_scores import Family
from s2lab.causal.discovery.parent_search import MARGIN

CANDIDATES = 9
"""Most candidates of a variable; their subsets are all scored."""

MOST_PARENTS = 4
"""Most parents that a search over orders gives a variable."""


def best_in_orders(
    score: Callable[[int, Family], float],
    candidates: Sequence[Sequence[int]],
    times: int,
    rng: np.random.Generator,
) -> tuple[list[Family], float]:
    """The best graph met on climbs from `times` shaken orders, and its score.

    A variable's parents are among the first `CANDIDATES` of its candidates.
    """
    size = len(candidates)
    kept = [tuple(named)[:CANDIDATES] for named in candidates]
    who = np.full((size, CANDIDATES), -1, np.int64)
    best = np.zeros((size, 1 << CANDIDATES))  # [V, masks] best score with parents in a mask
    choice: list[list[Family]] = []
    for child, named in enumerate(kept):
        who[child, : len(named)] = named
        choice.append(fill_masks(score, child, named, best[child]))
    order = rng.permutation(size)
    top, top_order = -np.inf, order
    for again in range(max(times, 1)):
        trial = top_order.copy()
        for _ in range(int(rng.integers(2, 6)) if again else 0):
            node = trial[at := int(rng.integers(size))]
            trial = np.insert(np.delete(trial, at), int(rng.integers(size)), node)
        climb_orders(best, who, trial)
        total = sum(best[j, mask] for j, mask in enumerate(masks_of(who, trial)))
        if total > top + MARGIN:
            top, top_order = total, trial
    masks = masks_of(who, top_order)
    return [choice[j][int(masks[j])] for j in range(size)], float(top)


def fill_masks(
    score: Callable[[int, Family], float],
    child: int,
    named: Sequence[int],
    best: NDArray[np.float64],  # [masks] out
) -> list[Family]:
    """Find the best parents inside every set of candidates, a bit mask; return them."""
    count = len(named)
    choice: list[Family] = [()] * (1 << count)
    best[: 1 << count] = -np.inf
    for parents in range(min(count, MOST_PARENTS) + 1):
        for places in combinations(range(count), parents):
            mask = sum(1 << p for p in places)
            choice[mask] = tuple(sorted(named[p] for p in places))
            best[mask] = score(child, choice[mask])
    for mask in range(1 << count):
        for p in range(count):
            less = mask & ~(1 << p)
            if best[less] >= best[mask]:
                best[mask], choice[mask] = best[less], choice[less]
    return choice


def masks_of(who: NDArray[np.int64], order: NDArray[np.int64]) -> NDArray[np.int64]:  # [V]
    """Which candidates of every variable come before it."""
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    before = (who >= 0) & (place[who] < place[:, None])  # [V, C]
    return np.asarray(before @ (1 << np.arange(who.shape[1])))


@kernel
def bit_of(who: NDArray[np.int64], child: int, other: int) -> int:
    """Mask of one variable among a child's candidates, 0 where it is none."""
    for c in range(who.shape[1]):
        if who[child, c] == other:
            return 1 << c
    return 0


@kernel
def climb_orders(
    best: NDArray[np.float64],  # [V, masks]
    who: NDArray[np.int64],  # [V, C] candidates, -1: none
    order: NDArray[np.int64],  # [V] changed in place
) -> None:
    """Move single variables to the places that raise the score most, until none does."""
    size = len(order)
    masks = np.zeros(size, np.int64)
    for at in range(size):
        for other in order[:at]:
            masks[order[at]] |= bit_of(who, order[at], other)
    improved = True
    while improved:
        improved = False
        for node in range(size):
            at = int(np.argmax(order == node))
            top, target = 1e-9, at
            for step in (-1, 1):
                gain, mine = 0.0, masks[node]
                place = at + step
                while 0 <= place < size:
                    other = order[place]
                    mine ^= bit_of(who, node, other)
                    theirs = masks[other] ^ bit_of(who, other, node)
                    gain += best[other, theirs] - best[other, masks[other]]
                    whole = gain + best[node, mine] - best[node, masks[node]]
                    if whole > top:
                        top, target = whole, place
                    place += step
            if target != at:
                improved = True
                step = 1 if target > at else -1
                for place in range(at, target, step):
                    other = order[place + step]
                    masks[node] ^= bit_of(who, node, other)
                    masks[other] ^= bit_of(who, other, node)
                    order[place] = other
                order[target] = node
