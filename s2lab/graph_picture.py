"""A true graph beside a recovered one as SVG text, errors coloured. Knows no causality, no files.

Colours are mid-tones and labels lie on filled pills, so it reads on light and on dark paper.
It has no ids and no links: any number of pictures can stand in one HTML page.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Protocol

from s2lab.graph_layout import Edge, Layout, Point, lay_out

NODE_HEIGHT = 28.0
MARGIN = 24.0
TOP = 74.0
PANEL_GAP = 56.0
LEGEND_HEIGHT = 58.0
LONGEST_LABEL = 18
THIN, THICK = 0.6, 3.6
"""Widths of edges of probability 0 and 1."""
GREY = "#7d8590"
PILL = "#3b5b7a"
FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"


class NamedGraph(Protocol):
    """Anything with variables and (parent, child) edges."""

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of the nodes."""
        ...

    @property
    def edges(self) -> tuple[Edge, ...]:
        """(parent, child) pairs."""
        ...


@dataclass(frozen=True)
class Stroke:
    """How one kind of edge is drawn."""

    colour: str
    dashes: str = ""
    width: float = 2.0


STROKES = {
    "correct": Stroke(GREY),
    "missing": Stroke("#d9860b", "6 5"),
    "extra": Stroke("#e5484d", "", 2.6),
    "reversed": Stroke("#8e5cf0", "11 3", 2.6),
}


def graph_svg(
    true: NamedGraph | None,
    recovered: NamedGraph,
    probabilities: Mapping[Edge, float] | None = None,
) -> str:
    """Return SVG text: the true graph beside the recovered one with the same positions.

    In the recovered panel correct edges are grey, missing ones dashed amber, extra ones red and
    reversed ones violet, drawn as recovered; a legend counts them. Without a truth, one panel.
    Recovered edges are as wide as they are probable, where probabilities are given.
    """
    chances = probabilities or {}
    names = recovered.variables if true is None else true.variables
    widths = {name: max(46.0, 7.6 * len(short(name)) + 22) for name in names}
    backbone = recovered.edges if true is None else true.edges
    layout = lay_out(widths, backbone, recovered.edges)
    panel_width = max(layout.width, 230.0)
    inset = MARGIN + (panel_width - layout.width) / 2
    kinds = edge_kinds(backbone, recovered.edges)
    parts: list[str] = []
    if true is None:
        title = f"Recovered graph: {count_edges(backbone)}"
        parts += panel(title, layout, widths, [(e, "correct") for e in backbone], inset, chances)
    else:
        drawn = [(e, "correct") for e in true.edges]
        parts += panel(f"True graph: {count_edges(true.edges)}", layout, widths, drawn, inset, {})
        wrong = sum(kind != "correct" for _, kind in kinds)
        title = f"Recovered graph: SHD {wrong}"
        parts += panel(title, layout, widths, kinds, inset + panel_width + PANEL_GAP, chances)
    panels = 1 if true is None else 2
    width = 2 * MARGIN + panels * panel_width + (panels - 1) * PANEL_GAP
    height = TOP + layout.height + NODE_HEIGHT + MARGIN
    if true is not None:
        parts += legend(kinds, width, height)
        height += LEGEND_HEIGHT
    label = "Recovered graph" if true is None else "True graph beside the recovered graph"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" role="img" aria-label="{label}" '
        f'font-family="{FONT}" style="max-width:100%;height:auto">'
        f"<title>{label}</title>{''.join(parts)}</svg>"
    )


def edge_kinds(true: Sequence[Edge], recovered: Iterable[Edge]) -> list[tuple[Edge, str]]:
    """Name every edge of the union correct, missing, extra or reversed (as recovered)."""
    truth, found = set(true), set(recovered)
    kinds = [(edge, "correct") for edge in true if edge in found]
    for parent, child in true:
        if (parent, child) not in found and (child, parent) not in found:
            kinds.append(((parent, child), "missing"))
    for parent, child in sorted(found - truth):
        kinds.append(((parent, child), "reversed" if (child, parent) in truth else "extra"))
    return kinds


def count_edges(edges: Sequence[Edge]) -> str:
    """Say how many edges there are."""
    return f"{len(edges)} edge" if len(edges) == 1 else f"{len(edges)} edges"


def short(name: str) -> str:
    """Cut a long name; the full one is shown when the pointer rests on it."""
    return name if len(name) <= LONGEST_LABEL else name[: LONGEST_LABEL - 1] + "…"


def panel(
    title: str,
    layout: Layout,
    widths: dict[str, float],
    edges: Sequence[tuple[Edge, str]],
    left: float,
    chances: Mapping[Edge, float],
) -> list[str]:
    """Draw one graph with its title; edges lie under the nodes."""
    parts = [
        f'<g transform="translate({left:.1f} {TOP:.1f})">',
        f'<text x="{layout.width / 2:.1f}" y="{20 - TOP + 12:.1f}" text-anchor="middle" '
        f'font-size="16" font-weight="600" fill="{GREY}">{escape(title)}</text>',
    ]
    parts += [arrow(layout, widths, edge, kind, chances.get(edge)) for edge, kind in edges]
    for name, (x, y) in layout.nodes.items():
        left_end, top_end = x - widths[name] / 2, y - NODE_HEIGHT / 2
        parts.append(
            f"<g><title>{escape(name)}</title>"
            f'<rect x="{left_end:.1f}" y="{top_end:.1f}" width="{widths[name]:.1f}" '
            f'height="{NODE_HEIGHT:.0f}" rx="{NODE_HEIGHT / 2:.0f}" fill="{PILL}"/>'
            f'<text x="{x:.1f}" y="{y + 4.5:.1f}" text-anchor="middle" '
            f'font-size="13" fill="#ffffff">{escape(short(name))}</text></g>'
        )
    return [*parts, "</g>"]


def arrow(
    layout: Layout, widths: dict[str, float], edge: Edge, kind: str, chance: float | None = None
) -> str:
    """Draw one edge as a smooth curve with its head; edges within a layer bow downwards.

    A probability sets the width between a thin and a thick line and is told to the pointer.
    """
    route = layout.route(*edge)
    if route[0][1] == route[-1][1]:
        middle = (route[0][0] + route[-1][0]) / 2
        low = route[0][1] + 30  # two bends make the bow round
        reach = (route[-1][0] - route[0][0]) / 6
        route[1:1] = [(middle - reach, low), (middle + reach, low)]
    route[0] = border(route[0], route[1], widths[edge[0]])
    route[-1] = border(route[-1], route[-2], widths[edge[1]])
    stroke = STROKES[kind]
    tip, (dx, dy) = route[-1], unit(route[-2], route[-1])
    base = (tip[0] - 9 * dx, tip[1] - 9 * dy)
    corners = [
        tip,
        (base[0] - 4.5 * dy, base[1] + 4.5 * dx),
        (base[0] + 4.5 * dy, base[1] - 4.5 * dx),
    ]
    head = " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
    dashes = f' stroke-dasharray="{stroke.dashes}"' if stroke.dashes else ""
    width, told = stroke.width, kind
    if chance is not None:
        width, told = THIN + (THICK - THIN) * chance, f"{kind}, probability {chance:.2f}"
    return (
        f"<g><title>{escape(edge[0])} → {escape(edge[1])} ({told})</title>"
        f'<path d="{smooth([*route[:-1], base])}" fill="none" stroke="{stroke.colour}" '
        f'stroke-width="{width:.4g}"{dashes}/>'
        f'<polygon points="{head}" fill="{stroke.colour}"/></g>'
    )


def unit(start: Point, end: Point) -> Point:
    """Direction from one point to another."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = math.hypot(dx, dy) or 1.0
    return dx / length, dy / length


def border(centre: Point, towards: Point, width: float) -> Point:
    """Where the line from a pill's centre leaves it, two pixels further."""
    dx, dy = unit(centre, towards)
    half_width, half_height = width / 2 + 2, NODE_HEIGHT / 2 + 2
    flat = max(half_width - half_height, 0.0)  # half of the straight part of a pill
    if abs(dy) * flat >= abs(dx) * half_height:
        reach = half_height / abs(dy)
    else:  # on the round end: |centre + reach d - (+-flat, 0)| = half_height
        ahead = flat * abs(dx)
        reach = ahead + math.sqrt(max(ahead**2 - flat**2 + half_height**2, 0.0))
    return centre[0] + reach * dx, centre[1] + reach * dy


def smooth(points: Sequence[Point]) -> str:
    """Path data of a Catmull-Rom curve through the points."""
    path = f"M{points[0][0]:.1f},{points[0][1]:.1f}"
    if len(points) == 2:
        return f"{path}L{points[1][0]:.1f},{points[1][1]:.1f}"
    padded = [points[0], *points, points[-1]]
    for before, start, end, after in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        one = (start[0] + (end[0] - before[0]) / 6, start[1] + (end[1] - before[1]) / 6)
        two = (end[0] - (after[0] - start[0]) / 6, end[1] - (after[1] - start[1]) / 6)
        path += "C" + " ".join(f"{x:.1f},{y:.1f}" for x, y in (one, two, end))
    return path


def legend(kinds: Sequence[tuple[Edge, str]], width: float, top: float) -> list[str]:
    """Draw one centred line of samples with counts, two rows where the picture is narrow."""
    found = [kind for _, kind in kinds]
    entries = [(kind, f"{kind} {found.count(kind)}") for kind in STROKES]
    per_row = 4 if width >= 4 * 124 else 2
    parts = []
    for at, (kind, text) in enumerate(entries):
        x = width / 2 + 124 * (at % per_row - per_row / 2) + 6
        y = top + 12 + 22 * (at // per_row)
        stroke = STROKES[kind]
        dashes = f' stroke-dasharray="{stroke.dashes}"' if stroke.dashes else ""
        parts.append(
            f'<path d="M{x:.1f},{y:.1f}h30" stroke="{stroke.colour}" '
            f'stroke-width="{stroke.width}"{dashes}/><text x="{x + 36:.1f}" y="{y + 4.5:.1f}" '
            f'font-size="13" fill="{GREY}">{text}</text>'
        )
    return parts
