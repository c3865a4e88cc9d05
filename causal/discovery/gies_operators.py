"""One step of GIES on an essential graph: insert, delete or turn an edge. Knows only scores.

Hauser & Buehlmann (2012), section 4: propositions 26 to 34 say which steps are valid and which
families they change. A graph is a [V, V] bool matrix, [i, j] with [j, i] undirected. ne(y) are
neighbours over undirected edges, N those of them that are adjacent to x.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2lab.causal.discovery.compiled import kernel
from s2lab.causal.discovery.gies_score import gain_of_parent

Matrix = NDArray[np.bool_]
Members = NDArray[np.bool_]
Floats = NDArray[np.float64]
Node = Any  # a whole number, of Python or numpy


@kernel
def cliques(
    adjacent: Matrix,  # [V, V]
    options: Members,  # [V]
    base: Members,  # [V] in every one of them
) -> Iterator[Members]:  # [V], one array that changes in place
    """Yield base joined with every subset of the options, as long as that is a clique."""
    inside = base.copy()
    for a in np.flatnonzero(base):
        for b in np.flatnonzero(base):
            if a < b and not adjacent[a, b]:
                return
    nodes = np.flatnonzero(options)
    chosen = np.empty(len(nodes) + 1, np.int64)
    depth = at = 0
    yield inside
    while True:
        while at < len(nodes):
            fits = True
            for other in range(len(inside)):
                fits &= not inside[other] or adjacent[other, nodes[at]]
            if fits:
                chosen[depth] = at
                depth += 1
                inside[nodes[at]] = True
                yield inside
            at += 1
        if depth == 0:
            return
        depth -= 1
        at = chosen[depth]
        inside[nodes[at]] = False
        at += 1


@kernel
def reaches(links: Matrix, start: int, goal: int, blocked: Members) -> bool:
    """Whether a path along `links` [V, V] leads from start to goal around the blocked nodes.

    The single link from start to goal is overlooked, as the turn operator asks for.
    """
    seen = blocked.copy()
    seen[start] = True
    waiting = [start]
    while waiting:
        node = waiting.pop()
        for child in range(len(links)):
            if links[node, child] and not seen[child] and not (node == start and child == goal):
                if child == goal:
                    return True
                seen[child] = True
                waiting.append(child)
    return False


@kernel
def separated(lines: Matrix, some: Members, others: Members, x: Node, y: Node) -> bool:
    """Whether without x and y no path of undirected `lines` [V, V] joins some and others."""
    seen = some.copy()
    seen[x] = seen[y] = True
    waiting = [int(node) for node in np.flatnonzero(some)]
    while waiting:
        node = waiting.pop()
        for other in range(len(lines)):
            if lines[node, other] and not seen[other]:
                if others[other]:
                    return False
                seen[other] = True
                waiting.append(other)
    return True


@kernel
def best_insert(
    graph: Matrix, covariances: Floats, rows: Floats, penalty: float, x: Node, y: Node, look: bool
) -> tuple[float, Members]:
    """Return the best x -> y between nodes that are not adjacent, and its clique C.

    C is N with a part of ne(y) not adjacent to x. Without `look`, paths from y to x around C do
    not disqualify, which bounds the gain from above.
    """
    adjacent, parents = graph | graph.T, graph[:, y] & ~graph[y]
    neighbours = graph[:, y] & graph[y]
    best, best_clique = -np.inf, np.zeros(len(graph), np.bool_)
    for clique in cliques(adjacent, neighbours & ~adjacent[x], neighbours & adjacent[x]):
        gain = gain_of_parent(covariances, rows, penalty, y, parents | clique, x)
        if gain > best and not (look and reaches(graph, y, x, clique)):
            best = gain
            best_clique[:] = clique
    return best, best_clique


@kernel
def best_delete(
    graph: Matrix, covariances: Floats, rows: Floats, penalty: float, x: Node, y: Node
) -> tuple[float, Members]:
    """Return the best removal of x -> y or x - y, and its clique C inside N."""
    adjacent, parents = graph | graph.T, graph[:, y] & ~graph[y]
    common = graph[:, y] & graph[y] & adjacent[x]
    best, best_clique = -np.inf, np.zeros(len(graph), np.bool_)
    for clique in cliques(adjacent, common, np.zeros(len(graph), np.bool_)):
        gain = -gain_of_parent(covariances, rows, penalty, y, parents | clique, x)
        if gain > best:
            best = gain
            best_clique[:] = clique
    return best, best_clique


@kernel
def best_turn(
    graph: Matrix, covariances: Floats, rows: Floats, penalty: float, x: Node, y: Node
) -> tuple[float, Members]:
    """Return the best x -> y made of y -> x or of y - x, and its clique C inside ne(y)."""
    adjacent, lines = graph | graph.T, graph & graph.T
    parents_x, parents_y = graph[:, x] & ~graph[x], graph[:, y] & ~graph[y]
    neighbours = lines[y].copy()
    neighbours[x] = False
    common, apart = neighbours & adjacent[x], neighbours & ~adjacent[x]
    directed = not graph[x, y]
    best, best_clique = -np.inf, np.zeros(len(graph), np.bool_)
    base = common if directed else np.zeros(len(graph), np.bool_)
    for clique in cliques(adjacent, apart if directed else neighbours, base):
        if directed:
            others_x = parents_x
        else:
            others_x = parents_x | (clique & common)
            if not (clique & apart).any():
                continue
        gain = gain_of_parent(covariances, rows, penalty, y, parents_y | clique, x)
        gain -= gain_of_parent(covariances, rows, penalty, x, others_x, y)
        if gain <= best:
            continue
        if directed:
            valid = not reaches(graph, y, x, clique | lines[x])
        else:
            valid = separated(lines, clique, common & ~clique, x, y)
        if valid:
            best = gain
            best_clique[:] = clique
    return best, best_clique


@kernel
def bound_inserts(
    graph: Matrix, covariances: Floats, rows: Floats, penalty: float, stale: Members, bounds: Floats
) -> None:
    """Write into `bounds` [V, V] the best gain of x -> y for every stale y, paths overlooked."""
    for y in np.flatnonzero(stale):
        for x in range(len(graph)):
            bounds[x, y] = -np.inf
            if x != y and not graph[x, y] and not graph[y, x]:
                bounds[x, y], _ = best_insert(graph, covariances, rows, penalty, x, y, False)


@kernel
def pick_insert(
    graph: Matrix, covariances: Floats, rows: Floats, penalty: float, bounds: Floats
) -> tuple[float, Node, Node, Members]:
    """Return the best valid insertion as (gain, x, y, C), looking at the highest bounds first."""
    size = len(graph)
    left = bounds.copy().ravel()
    looked = np.zeros(size * size, np.bool_)
    while True:
        at = np.argmax(left)
        x, y = at // size, at % size
        if left[at] == -np.inf:
            return left[at], x, y, np.zeros(size, np.bool_)
        best, clique = best_insert(graph, covariances, rows, penalty, x, y, True)
        if looked[at]:
            return best, x, y, clique
        left[at] = best
        looked[at] = True


@kernel
def pick_other(
    graph: Matrix, covariances: Floats, rows: Floats, penalty: float, turning: bool
) -> tuple[float, Node, Node, Members]:
    """Return the best valid turn or deletion as (gain, x, y, C)."""
    best, best_x, best_y = -np.inf, 0, 0
    best_clique = np.zeros(len(graph), np.bool_)
    for x in range(len(graph)):
        for y in range(len(graph)):
            gain, clique = -np.inf, best_clique
            if turning and graph[y, x]:
                gain, clique = best_turn(graph, covariances, rows, penalty, x, y)
            elif not turning and graph[x, y] and (x > y or not graph[y, x]):
                gain, clique = best_delete(graph, covariances, rows, penalty, x, y)
            if gain > best:
                best, best_x, best_y, best_clique = gain, x, y, clique
    return best, best_x, best_y, best_clique


@kernel
def member_of_class(graph: Matrix, first: NDArray[np.int64]) -> Matrix:  # [V, V]
    """Orient all undirected edges without new v-structure or cycle, the `first` nodes first.

    Maximum cardinality search (Tarjan & Yannakakis 1984) numbers every chain component; ties go to
    the `first` nodes in their order, which must start with a clique.
    """
    size = len(graph)
    lines = graph & graph.T
    rank = np.full(size, size)
    for place, node in enumerate(first):
        rank[node] = place
    number = np.full(size, -1)
    weight = np.zeros(size, np.int64)
    for step in range(size):
        best = -1
        for node in range(size):
            if number[node] < 0 and (
                best < 0
                or weight[node] > weight[best]
                or (weight[node] == weight[best] and rank[node] < rank[best])
            ):
                best = node
        number[best] = step
        for node in range(size):
            weight[node] += lines[best, node]
    arrows = graph.copy()
    for a in range(size):
        for b in range(size):
            if lines[a, b] and number[a] > number[b]:
                arrows[a, b] = False
    return arrows
