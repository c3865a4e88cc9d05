"""Hill climbing over graphs: add, delete or reverse one edge while the score rises.

Knows scores of families, no data.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from s2lab.causal.discovery.family_scores import Family
from s2lab.causal.discovery.parent_search import MARGIN, joined, without

Score = Callable[[int, Family], float]
"""Log score of a child with its parents."""

Move = tuple[str, int, int]
"""add, delete or reverse the edge from the first variable to the second."""


@dataclass
class Climber:
    """A graph on its way up. `moves` caches the gain of every single change."""

    score: Score
    parents: list[Family]
    """Per variable; changed in place."""
    addable: Callable[[int, Family], list[int]]
    """Which new parents of a child are worth a try, given those it has."""
    reversible: NDArray[np.bool_]  # [V, V] edges whose direction is open to doubt
    deadline: float = float("inf")
    """`time.monotonic()` at which to stop."""
    taboo: set[tuple[int, int]] = field(default_factory=set)
    """Edges that may not be added."""
    _gains: list[dict[Move, float]] = field(default_factory=list)

    def climb(self) -> float:
        """Take the best move until none helps; return the total gain in nats."""
        self._gains = [self._gains_at(j) for j in range(len(self.parents))]
        total = 0.0
        while time.monotonic() < self.deadline:
            ranked = sorted(
                ((gain, move) for gains in self._gains for move, gain in gains.items()),
                reverse=True,
            )
            best = next(((g, m) for g, m in ranked if g > MARGIN and self._acyclic(m)), None)
            if best is None:
                break
            total += best[0]
            self.apply(best[1])
        return total

    def total(self) -> float:
        """Score of the graph."""
        return sum(self.score(j, held) for j, held in enumerate(self.parents))

    def restarted(self, times: int, rng: np.random.Generator) -> tuple[list[Family], float]:
        """Climb from the empty graph, then from shaken copies of the best graph so far.

        A shake takes all open edges from a few variables. Returns the best graph and its score.
        """
        best, best_total = list(self.parents), self.total()
        for again in range(times):
            if time.monotonic() >= self.deadline:
                break
            self.parents = [()] * len(best) if again == 0 else self._shaken(best, rng)
            self.climb()
            total = self.total()
            if total > best_total + MARGIN:
                best, best_total = list(self.parents), total
        self.parents = best
        return best, best_total

    def _shaken(self, parents: list[Family], rng: np.random.Generator) -> list[Family]:
        count = int(rng.integers(1, 1 + min(4, len(parents))))
        loose = set(rng.choice(len(parents), count, replace=False).tolist())
        return [
            tuple(p for p in held if not ((p in loose or j in loose) and self.reversible[p, j]))
            for j, held in enumerate(parents)
        ]

    def apply(self, move: Move) -> None:
        """Change the graph and renew the gains that it touches."""
        kind, a, b = move
        if kind == "add":
            self.parents[b] = joined(self.parents[b], a)
        else:
            self.parents[b] = without(self.parents[b], a)
        if kind == "reverse":
            self.parents[a] = joined(self.parents[a], b)
        changed = {b} | ({a} if kind == "reverse" else set())
        for j in range(len(self.parents)):  # reversals look at the parent's family too
            if j in changed or changed & set(self.parents[j]):
                self._gains[j] = self._gains_at(j)

    def _gains_at(self, child: int) -> dict[Move, float]:
        """Gain of every move at the edges into a child."""
        parents = self.parents[child]
        here = self.score(child, parents)
        gains: dict[Move, float] = {}
        for p in parents:
            less = self.score(child, without(parents, p)) - here
            gains["delete", p, child] = less
            if self.reversible[p, child]:
                theirs = self.parents[p]
                more = self.score(p, joined(theirs, child)) - self.score(p, theirs)
                gains["reverse", p, child] = less + more
        for c in self.addable(child, parents):
            if (c, child) not in self.taboo:
                gains["add", c, child] = self.score(child, joined(parents, c)) - here
        return gains

    def _acyclic(self, move: Move) -> bool:
        kind, a, b = move
        if kind == "delete":
            return True
        if kind == "add":
            return not self._reaches(b, a, None)
        return not self._reaches(a, b, (a, b))

    def _reaches(self, start: int, goal: int, skip: tuple[int, int] | None) -> bool:
        """Whether a directed path leads from start to goal, not using the edge `skip`."""
        seen, waiting = {goal}, [goal]
        while waiting:
            node = waiting.pop()
            for parent in self.parents[node]:
                if (parent, node) == skip or parent in seen:
                    continue
                if parent == start:
                    return True
                seen.add(parent)
                waiting.append(parent)
        return start == goal
