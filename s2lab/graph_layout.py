"""Where to put the nodes of a small directed graph: layers by depth. Knows no colours and no text.

The way of Sugiyama, Tagawa & Toda (1981): depth gives the layer, an edge over several layers
passes through a bend in each, orders within layers follow the mean of the neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

Edge = tuple[str, str]
Point = tuple[float, float]
Slot = str | tuple[str, str, int]
"""A node, or the bend of an edge in some layer."""

LAYER_HEIGHT = 84.0
GAP = 26.0
BEND_WIDTH = 4.0
ROW_WIDTH = 620.0
SWEEPS = 24


@dataclass(frozen=True)
class Layout:
    """Centres of all nodes and the bends of every edge, upper end first, in pixels."""

    nodes: Mapping[str, Point]
    bends: Mapping[frozenset[str], tuple[Point, ...]]
    width: float
    height: float

    def route(self, parent: str, child: str) -> list[Point]:
        """Points from the centre of the parent to the centre of the child."""
        bends = list(self.bends.get(frozenset((parent, child)), ()))
        if bends and self.nodes[parent][1] > self.nodes[child][1]:
            bends.reverse()
        return [self.nodes[parent], *bends, self.nodes[child]]


def depths(variables: Sequence[str], edges: Sequence[Edge]) -> dict[str, int]:
    """Length of the longest way from a root to every node of an acyclic graph."""
    depth = dict.fromkeys(variables, 0)
    for _ in variables:
        for parent, child in edges:
            depth[child] = max(depth[child], depth[parent] + 1)
    return depth


def lay_out(
    widths: Mapping[str, float], backbone: Sequence[Edge], others: Sequence[Edge] = ()
) -> Layout:
    """Place nodes of the given widths; acyclic `backbone` decides the layers, `others` only bend.

    Parts that are not connected stand side by side, in rows of at most `ROW_WIDTH`.
    """
    depth = depths(list(widths), backbone)
    edges = {frozenset(edge): edge for edge in [*others, *backbone]}
    nodes: dict[str, Point] = {}
    bends: dict[frozenset[str], tuple[Point, ...]] = {}
    left, top, height, width = 0.0, 0.0, 0.0, 0.0
    for part in connected_parts(list(widths), list(edges)):
        inside = [edge for pair, edge in edges.items() if pair <= part.keys()]
        block = lay_out_part({name: widths[name] for name in part}, depth, inside)
        if left and left + block.width > ROW_WIDTH:
            left, top = 0.0, height + LAYER_HEIGHT
        for name, (x, y) in block.nodes.items():
            nodes[name] = (left + x, top + y)
        for pair, points in block.bends.items():
            bends[pair] = tuple((left + x, top + y) for x, y in points)
        width, height = max(width, left + block.width), max(height, top + block.height)
        left += block.width + 2 * GAP
    return Layout(nodes, bends, width, height)


def connected_parts(
    variables: Sequence[str], pairs: Sequence[frozenset[str]]
) -> list[dict[str, None]]:
    """Split nodes into connected parts, the largest first, nodes in their own order."""
    part_of = {name: {name} for name in variables}
    for a, b in map(tuple, pairs):
        if part_of[a] is not part_of[b]:
            merged = part_of[a] | part_of[b]
            part_of.update(dict.fromkeys(merged, merged))
    parts = {id(part): part for part in part_of.values()}.values()
    ordered = [{name: None for name in variables if name in part} for part in parts]
    return sorted(ordered, key=len, reverse=True)


def lay_out_part(
    widths: Mapping[str, float], depth: Mapping[str, int], edges: Sequence[Edge]
) -> Layout:
    """Place one connected part; its topmost layer lies at 0."""
    first = min(depth[name] for name in widths)
    rows: list[list[Slot]] = [[] for _ in range(max(depth[n] for n in widths) - first + 1)]
    for name in widths:
        rows[depth[name] - first].append(name)
    links: list[tuple[Slot, Slot]] = []  # between neighbouring layers
    bends: dict[frozenset[str], list[Slot]] = {}
    for edge in edges:
        upper, lower = sorted(edge, key=lambda name: depth[name])
        if depth[upper] == depth[lower]:
            continue
        way: list[Slot] = [(upper, lower, k) for k in range(depth[upper] + 1, depth[lower])]
        for level, bend in enumerate(way, depth[upper] + 1 - first):
            rows[level].append(bend)
        bends[frozenset(edge)] = way
        links += pairwise([upper, *way, lower])
    size: dict[Slot, float] = {slot: BEND_WIDTH for row in rows for slot in row}
    size.update(dict(widths))
    x = settle(rows, links, size)
    left = min(x[slot] - size[slot] / 2 for slot in x)
    right = max(x[slot] + size[slot] / 2 for slot in x)
    y = {slot: LAYER_HEIGHT * level for level, row in enumerate(rows) for slot in row}
    place = {slot: (x[slot] - left, y[slot]) for slot in x}
    return Layout(
        nodes={name: place[name] for name in widths},
        bends={pair: tuple(place[bend] for bend in way) for pair, way in bends.items()},
        width=right - left,
        height=LAYER_HEIGHT * (len(rows) - 1),
    )


def settle(
    rows: list[list[Slot]], links: list[tuple[Slot, Slot]], size: Mapping[Slot, float]
) -> dict[Slot, float]:
    """Order the slots of every layer and give each an x; the rows are sorted in place."""
    near: dict[Slot, list[Slot]] = {slot: [] for row in rows for slot in row}
    for upper, lower in links:
        near[upper].append(lower)
        near[lower].append(upper)
    x = {slot: 60.0 * at for row in rows for at, slot in enumerate(row)}
    for sweep in range(SWEEPS):
        order = rows if sweep % 2 == 0 else rows[::-1]
        for row in order:
            wish = {s: sum(x[n] for n in near[s]) / len(near[s]) if near[s] else x[s] for s in row}
            if sweep < SWEEPS // 2:
                row.sort(key=lambda slot: wish[slot])
            x.update(spread(row, wish, size))
    return x


def spread(
    row: Sequence[Slot], wish: Mapping[Slot, float], size: Mapping[Slot, float]
) -> dict[Slot, float]:
    """Give every slot an x near its wish, in order and without overlap.

    Pushing right and pushing left both keep the distances, so does the mean of the two.
    """
    apart = [(size[a] + size[b]) / 2 + GAP for a, b in pairwise(row)]
    pushed_right = [wish[slot] for slot in row]
    pushed_left = list(pushed_right)
    for at, distance in enumerate(apart):
        pushed_right[at + 1] = max(pushed_right[at + 1], pushed_right[at] + distance)
    for at in range(len(apart) - 1, -1, -1):
        pushed_left[at] = min(pushed_left[at], pushed_left[at + 1] - apart[at])
    return {s: (a + b) / 2 for s, a, b in zip(row, pushed_right, pushed_left, strict=True)}
