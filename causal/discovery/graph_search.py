"""Hill climbing over graphs: add, delete or reverse one edge while the score rises.

Knows scores of families, no data.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from s2lab.causal.discovery.family_scores import Family
from s2lab.causal.discovery.parent_search import MARGIN, joined, without

Score = Callable[[int, Family], float]
"""Log score of a child with its parents."""

TURNED = 6
"""Most parents of a family whose edges are turned one by one."""

Move = tuple[str, int, int]
"""add, delete or reverse the edge from the first variable to the second."""


@dataclass
class Climber:
    """A graph on its way up. It remembers which single changes of every family are worth it."""

    score: Score
    parents: list[Family]
    """Per variable; changed in place."""
    addable: Callable[[int, Family], list[int]]
    """Which new parents of a child are worth a try, given those it has."""
    reversible: NDArray[np.bool_]  # [V, V] edges whose direction is open to doubt
    removable: Callable[[int, Family], Sequence[int]] = lambda child, parents: parents
    """Which parents of a child are worth leaving out."""
    deadline: float = float("inf")
    """`time.monotonic()` at which to stop."""
    taboo: set[tuple[int, int]] = field(default_factory=set)
    """Edges that may not be added."""
    _open: list[dict[Move, float | None]] = field(default_factory=list)
    """Per child, the moves that gain, and those whose gain nobody needed yet (None)."""

    def climb(self) -> float:
        """Take the best move until none helps; return the total gain in nats."""
        self._open = [self._moves_at(j) for j in range(len(self.parents))]
        return self._climb_on()

    def _climb_on(self) -> float:
        """Climb with the moves that are known to be open."""
        total = 0.0
        while time.monotonic() < self.deadline:
            gain, move = self._best()
            if move is None:
                break
            total += gain
            self.apply(move)
        return total

    def _best(self) -> tuple[float, Move | None]:
        """The move that gains most and closes no cycle. Moves that gain nothing are forgotten."""
        below = descendants(self.parents)
        best: tuple[float, Move | None] = (MARGIN, None)
        for moves in self._open:
            for move, known in list(moves.items()):
                beaten = known is not None and known <= best[0]
                if beaten or closes_cycle(move, below, self.parents):
                    continue
                if known is None:
                    if time.monotonic() >= self.deadline:
                        return best
                    known = self._gain(move)
                    if known > MARGIN:
                        moves[move] = known
                    else:
                        del moves[move]
                if known > best[0]:
                    best = known, move
        return best

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

    def turned(self) -> tuple[list[Family], float]:
        """Turn every open edge between small families, free both ends of such edges, climb; keep
        what helps. Returns the best graph and its score.
        """
        best, best_total = list(self.parents), self.total()
        open_edges = self._open_edges(best, TURNED)
        waiting = list(open_edges)
        while waiting and time.monotonic() < self.deadline:
            p, c = waiting.pop()
            self.parents = freed(best, {p, c}, open_edges)
            if not closes_cycle(("add", c, p), descendants(self.parents), self.parents):
                self.parents[p] = joined(self.parents[p], c)
            self.climb()
            total = self.total()
            if total > best_total + MARGIN:
                best, best_total = list(self.parents), total
                open_edges = self._open_edges(best, TURNED)
                waiting = list(open_edges)
        self.parents = best
        return best, best_total

    def reordered(self) -> tuple[list[Family], float]:
        """Put single variables behind all their children by open edges, climb; keep what helps.

        A variable that stands before several of its parents has edges with their other causes too,
        so that turning it round one edge at a time gains nothing. After `climb`; returns the best
        graph and its score.
        """
        best, best_total, best_open = list(self.parents), self.total(), self._open
        tried: set[tuple[object, ...]] = set()
        waiting = followers(best, self.reversible)
        while waiting and time.monotonic() < self.deadline:
            node, loose = waiting.pop()
            around = (node, *((j, best[j]) for j in (node, *loose)))
            if len(loose) < 2 or around in tried:
                continue
            tried.add(around)
            self.parents, self._open = list(best), [dict(moves) for moves in best_open]
            for child in loose:
                self.parents[child] = without(best[child], node)
            held_back = self.taboo
            for self.taboo in (held_back | {(node, child) for child in loose}, held_back):
                self._renew(set(loose))
                self._climb_on()
            total = self.total()
            if total > best_total + MARGIN:
                best, best_total, best_open = list(self.parents), total, self._open
                waiting = followers(best, self.reversible)
        self.parents = best
        return best, best_total

    def _open_edges(self, parents: list[Family], most: int) -> list[tuple[int, int]]:
        """Edges between families of at most so many whose direction is open to doubt."""
        return [
            (p, child)
            for child, held in enumerate(parents)
            for p in held
            if self.reversible[p, child] and max(len(held), len(parents[p])) <= most
        ]

    def _shaken(self, parents: list[Family], rng: np.random.Generator) -> list[Family]:
        size = len(parents)
        count = int(rng.integers(1, 1 + min(4, size)))
        loose = set(rng.choice(size, count, replace=False).tolist())
        return freed(parents, loose, self._open_edges(parents, size))

    def apply(self, move: Move) -> None:
        """Change the graph and renew the gains that it touches."""
        kind, a, b = move
        if kind == "add":
            self.parents[b] = joined(self.parents[b], a)
        else:
            self.parents[b] = without(self.parents[b], a)
        if kind == "reverse":
            self.parents[a] = joined(self.parents[a], b)
        self._renew({b} | ({a} if kind == "reverse" else set()))

    def _renew(self, changed: set[int]) -> None:
        """Look at the moves of changed families again."""
        for j in range(len(self.parents)):  # reversals look at the parent's family too
            if j in changed or changed & set(self.parents[j]):
                self._open[j] = self._moves_at(j)

    def _moves_at(self, child: int) -> dict[Move, float | None]:
        """Every move at the edges into a child that may be worth it."""
        parents = self.parents[child]
        moves: list[Move] = [("delete", p, child) for p in self.removable(child, parents)]
        moves += [("reverse", p, child) for p in parents if self.reversible[p, child]]
        moves += [
            ("add", c, child) for c in self.addable(child, parents) if (c, child) not in self.taboo
        ]
        return dict.fromkeys(moves)

    def _gain(self, move: Move) -> float:
        """What a move adds to the score."""
        kind, a, b = move
        held = self.parents[b]
        changed = joined(held, a) if kind == "add" else without(held, a)
        gain = self.score(b, changed) - self.score(b, held)
        if kind == "reverse":
            theirs = self.parents[a]
            gain += self.score(a, joined(theirs, b)) - self.score(a, theirs)
        return gain


def freed(
    parents: Sequence[Family], loose: set[int], edges: Sequence[tuple[int, int]]
) -> list[Family]:
    """The graph without those of some edges that begin or end at a loose variable."""
    gone = {edge for edge in edges if loose & set(edge)}
    return [tuple(p for p in held if (p, j) not in gone) for j, held in enumerate(parents)]


def followers(
    parents: Sequence[Family], reversible: NDArray[np.bool_]
) -> list[tuple[int, list[int]]]:
    """Variables with their children by open edges, those with most such children last."""
    found: dict[int, list[int]] = {}
    for child, held in enumerate(parents):
        for p in held:
            if reversible[p, child]:
                found.setdefault(p, []).append(child)
    return sorted(found.items(), key=lambda each: len(each[1]))


def descendants(parents: Sequence[Family]) -> list[int]:
    """Per variable, itself and whoever it has a directed path to, as a bit mask."""
    children: list[list[int]] = [[] for _ in parents]
    for child, held in enumerate(parents):
        for p in held:
            children[p].append(child)
    waits = [len(c) for c in children]
    below = [1 << j for j in range(len(parents))]
    ready = [j for j, count in enumerate(waits) if not count]
    while ready:
        node = ready.pop()
        for p in parents[node]:
            below[p] |= below[node]
            waits[p] -= 1
            if not waits[p]:
                ready.append(p)
    return below


def closes_cycle(move: Move, below: Sequence[int], parents: Sequence[Family]) -> bool:
    """Whether a move would close a directed cycle."""
    kind, a, b = move
    if kind == "delete":
        return False
    if kind == "add":
        return bool(below[b] >> a & 1)
    return any(below[a] >> p & 1 for p in parents[b] if p != a)
