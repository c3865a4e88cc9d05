"""Families of very many variables, changed until each has the parents that tests ask for.

One search over the whole graph: parents grow and are pruned, edges turn whose direction no
intervention proved, and variables move behind their children where that leaves fewer edges. Knows
rows and effects, no scores, and not when which of its steps is taken (`wide_graph`).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from s2lab.causal.discovery.effects import PROVEN, Effects
from s2lab.causal.discovery.environments import Environments
from s2lab.causal.discovery.fitted import watched
from s2lab.causal.discovery.graph_search import closes_cycle, descendants, followers
from s2lab.causal.discovery.parent_search import joined, without
from s2lab.causal.discovery.residuals import ResidualScreen
from s2lab.causal.discovery.stratified import association, associations

Family = tuple[int, ...]

HINT = 2.0
"""-log10 p in a screen from which a variable is tested."""

TOGETHER = 4
"""How many clear candidates may enter a family in one round."""

ROUNDS = 30
"""Most rounds of one search."""


@dataclass
class WideSearch:
    """Families of all variables, on their way to a graph without cycles."""

    rows: Environments
    screen: ResidualScreen
    """Over fewer rows."""
    effects: Effects
    limit: float
    """-log10 p that a parent must reach."""
    deadline: float
    show_progress: bool
    parents: list[Family]
    known: dict[tuple[int, int, Family], tuple[float, float]] = field(default_factory=dict)
    blocked: set[tuple[int, int]] = field(default_factory=set)
    """Parents with their children that only a cycle kept out."""
    tried: set[tuple[object, ...]] = field(default_factory=set)
    """Neighbourhoods whose order was looked at again."""
    hint: float = HINT
    """-log10 p in the screen from which a variable is tested."""

    def tested(self, child: int, parent: int) -> tuple[float, float]:
        """Statistic and -log10 p of a parent beside the others."""
        others = without(self.parents[child], parent)
        key = (child, parent, others)
        if key not in self.known:
            family = joined(others, parent)
            found = associations(self.rows, child, family)
            if found is None:
                self.known[key] = association(self.rows, child, parent, others)
            else:
                for member, one in zip(family, found, strict=True):
                    self.known[child, member, without(family, member)] = one
        return self.known[key]

    def over(self, rows: Environments) -> None:
        """Go on with tests over other rows."""
        self.rows, self.known = rows, {}
        for child in range(len(self.parents)):
            self.prune(child)

    def settle(self, allowed: NDArray[np.bool_]) -> None:  # [V, V] parent, child
        """Turn edges and ask for more parents until nothing changes, or comes back; keep the graph
        with the fewest edges in which nobody asks for more, nor would without a cycle gone by."""
        asked: list[Family | None] = [None] * len(self.parents)
        met: list[list[Family]] = []
        settled: list[list[Family]] = []
        for step in range(ROUNDS):
            before = list(self.parents)
            self.turn()
            if self.parents == before and step:
                self.simplify(allowed)
            new = {j for j, held in enumerate(self.parents) if held != asked[j]}
            free = self._unblocked()
            self.blocked -= free
            waiting = new | {child for _, child in free}
            if not waiting or time.monotonic() > self.deadline:
                break
            self.grow(sorted(waiting), allowed)
            asked = list(self.parents)
            if asked in met:
                break
            met.append(list(self.parents))
            if not self._unblocked():
                settled.append(met[-1])
        self.parents[:] = min(reversed(settled or met), key=edges_of, default=self.parents)

    def _unblocked(self) -> set[tuple[int, int]]:
        """Parents with the children that no cycle keeps from them any more."""
        below = descendants(self.parents)
        return {(p, c) for p, c in self.blocked if not closes_cycle(("add", p, c), below, [])}

    def reorder(self, allowed: NDArray[np.bool_]) -> bool:  # [V, V] parent, child
        """Put single variables behind all whom no intervention proved to follow them, where that
        leaves fewer edges; whether any was moved.

        A true order leaves fewest edges (Raskutti & Uhler 2018), and a variable that stands before
        several of its parents has too many edges for turning them one by one.
        """
        moved = False
        waiting = followers(self.parents, self.effects.surprise < PROVEN)
        while waiting and time.monotonic() < self.deadline:
            node, named = waiting.pop()
            loose = [c for c in named if node in self.parents[c]]
            around = (node, *((j, self.parents[j]) for j in (node, *loose)))
            if len(loose) > 1 and around not in self.tried:
                self.tried.add(around)
                moved |= self._put_behind(node, loose, allowed)
        return moved

    def _put_behind(self, node: int, others: list[int], allowed: NDArray[np.bool_]) -> bool:
        """Search a variable's parents anew with some of its children among them, then the parents
        of these without it; keep that if it leaves fewer edges."""
        before, edges = list(self.parents), edges_of(self.parents)
        free = allowed.copy()
        free[node, others] = False
        for child in others:
            self.parents[child] = without(self.parents[child], node)
        proven = self.effects.surprise[:, node] > PROVEN  # [V]
        self.parents[node] = tuple(p for p in self.parents[node] if proven[p])
        self.grow([node], free)
        if edges_of(self.parents) <= edges:
            for child in others:
                self.prune(child)
            self.grow(others, free)
        if edges_of(self.parents) < edges:
            return True
        self.parents[:] = before
        return False

    def grow(self, children: Sequence[int], allowed: NDArray[np.bool_]) -> None:
        """Let parents in among those allowed [parent, child] until nobody asks for more."""
        active = list(children)
        met = {child: {self.parents[child]} for child in active}
        for _ in watched(range(ROUNDS), "rounds", self.show_progress):
            if not active or time.monotonic() > self.deadline:
                break
            wanted = allowed[:, active].T.copy()  # [active, V]
            for i, child in enumerate(active):
                wanted[i, list(self.parents[child])] = False
            families = [(j, self.parents[j]) for j in active]
            values, statistics = self.screen.unexplained(families, wanted)
            waiting = [
                [int(c) for c in np.argsort(-statistics[i]) if values[i, c] > self.hint]
                for i in range(len(active))
            ]
            grown = []
            for i, child in enumerate(active):
                if self._let_in(child, waiting[i], statistics[i]):
                    self.prune(child)
                    if self.parents[child] not in met[child]:
                        met[child].add(self.parents[child])
                        grown.append(child)
            active = grown

    def _let_in(
        self, child: int, waiting: list[int], statistics: NDArray[np.float64]
    ) -> bool:  # [V]
        """Take in the first candidates that a test confirms, and others that are as clear."""
        came: list[int] = []
        for c in waiting:
            if came and (len(came) == TOGETHER or statistics[c] < 0.5 * statistics[came[0]]):
                break
            if self.tested(child, c)[1] > self.limit:
                if self._closes_cycle(c, child):
                    self.blocked.add((c, child))
                else:
                    came.append(c)
        for c in came:
            self.parents[child] = joined(self.parents[child], c)
        return bool(came)

    def probabilities(self) -> NDArray[np.float64]:  # [V, V] parent to child
        """Of every edge against its absence, what its test says beyond what chance may."""
        found = np.zeros((len(self.parents), len(self.parents)))
        for child, held in enumerate(self.parents):
            for parent in held:
                beyond = (self.tested(child, parent)[1] - self.limit) * np.log(10.0)
                found[parent, child] = 1 / (1 + np.exp(-np.clip(beyond, -50, 50)))
        return found

    def _closes_cycle(self, parent: int, child: int) -> bool:
        return closes_cycle(("add", parent, child), descendants(self.parents), self.parents)

    def prune(self, child: int) -> None:
        """Drop whoever is not needed beside the others, the weakest first."""
        while self.parents[child] and time.monotonic() < self.deadline:
            evidence = {p: self.tested(child, p)[1] for p in self.parents[child]}
            weakest = min(evidence, key=lambda p: evidence[p])
            if evidence[weakest] > self.limit:
                return
            self.parents[child] = without(self.parents[child], weakest)

    def turn(self) -> None:
        """Turn edges that no intervention proved and that say more the other way round."""
        gains = {
            (parent, child): self.tested(parent, child)[0] - self.tested(child, parent)[0]
            for parent, child in self._unproven()
        }
        touched: set[int] = set()
        for edge in sorted(gains, key=lambda e: -gains[e]):
            if gains[edge] > 0 and not touched & set(edge) and self._turned(*edge):
                touched |= set(edge)
        for child in touched:
            self.prune(child)

    def simplify(self, allowed: NDArray[np.bool_]) -> None:  # [V, V] parent, child
        """Turn unproven edges where that leaves fewer: an edge the wrong way round makes its ends
        ask for ancestors of each other, and these may hide that it is wrong."""
        for parent, child in self._unproven():
            if parent not in self.parents[child] or time.monotonic() > self.deadline:
                continue
            before, edges = list(self.parents), edges_of(self.parents)
            if self._turned(parent, child):
                self.prune(parent)
                self.prune(child)
                if edges_of(self.parents) < edges:  # others may be asked for in their place
                    self.grow([parent, child], allowed)
                if edges_of(self.parents) >= edges:
                    self.parents[:] = before

    def _unproven(self) -> list[tuple[int, int]]:
        """Edges whose direction no intervention proved."""
        return [
            (parent, child)
            for child, held in enumerate(self.parents)
            for parent in held
            if self.effects.surprise[parent, child] < PROVEN
        ]

    def _turned(self, parent: int, child: int) -> bool:
        """Turn an edge unless that closes a cycle; whether it was turned."""
        below = descendants(self.parents)
        if closes_cycle(("reverse", parent, child), below, self.parents):
            return False
        self.parents[child] = without(self.parents[child], parent)
        self.parents[parent] = joined(self.parents[parent], child)
        return True


def edges_of(parents: Iterable[Family]) -> int:
    """How many edges a graph has."""
    return sum(map(len, parents))
