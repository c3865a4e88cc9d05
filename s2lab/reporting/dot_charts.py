"""Scores as dots on their intervals, a row per agent.

Drawn twice, for a page and for a phone. Knows names and numbers; no run folders, no statistics.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from s2lab.reporting import axes
from s2lab.reporting.axes import INK, Scale, colour, rule, words
from s2lab.reporting.blocks import Kind, Picture
from s2lab.reporting.cells import as_text
from s2lab.reporting.markup import Attributes, Markup, element, join
from s2lab.stats import Interval


@dataclass(frozen=True)
class Dot:
    """One row of a dot chart."""

    label: str
    value: Interval
    runs: tuple[float, ...] = ()
    """Scores of single runs."""
    group: str = ""
    """Heading that this row stands under, such as its environment."""
    series: int = 0
    """Which colour; the same agent keeps its own in every chart."""


def dot_chart(
    dots: Sequence[Dot],
    *,
    title: str,
    x_title: str,
    description: str = "",
    caption: str = "",
    percent: bool = False,
) -> Picture:
    """A row per label: its interval as a bar, its estimate as a dot, its runs as small rings."""
    kind: Kind = "percent" if percent else "number"
    everything = [v for d in dots for v in (*d.runs, d.value.estimate, d.value.low, d.value.high)]
    x_range = (0.0, 1.0) if percent else axes.nice_range(*axes.range_of([np.array(everything)]))

    def drawn(width: float) -> str:
        wide = width == axes.WIDE
        left = min(240.0, 24 + max(axes.text_width(d.label) for d in dots)) if wide else 18.0
        right = width - (190 if wide else 18)
        x = Scale(*x_range, left, right)
        parts: list[Markup] = []
        y, group = 6.0, ""
        for dot in dots:
            if dot.group != group:
                group = dot.group
                shown = axes.shortened(group, width - 4)
                y += 20 if parts else 0
                parts.append(words(shown, 0, y + 14, fill=INK, weight="600", title=group))
                y += 16
            y += 26 if wide else 40
            parts.append(_dot(dot, x, y, left, width, as_text(dot.value, kind), wide))
        bottom = y + 18
        ticks = axes.nice_ticks(x.low, x.high, max(2, int((right - left) / 75)))
        grid = join(*(rule(x(tick), 6, x(tick), bottom) for tick in ticks))
        axis = axes.horizontal_axis(x, bottom, x_title, percent=percent)
        told = description or ". ".join(
            f"{d.group} {d.label}: {as_text(d.value, kind)}" for d in dots
        )
        return axes.drawing(width, bottom + 44, title, told, grid, axis, *parts)

    return Picture(drawn(axes.WIDE), caption, narrow=drawn(axes.NARROW))


def _dot(dot: Dot, x: Scale, y: float, left: float, width: float, told: str, wide: bool) -> Markup:
    hue = colour(dot.series)
    parts = []
    if wide:
        shown = axes.shortened(dot.label, left - 12)
        title = dot.label if shown != dot.label else ""
        parts.append(words(shown, 0, y + 4, fill=INK, title=title))
        parts.append(words(told, width, y + 4, anchor="end"))
    else:
        shown = axes.shortened(dot.label, width - axes.text_width(told) - 12)
        parts.append(words(shown, 0, y - 13, fill=INK, title=dot.label))
        parts.append(words(told, width, y - 13, anchor="end"))
    for score in dot.runs:
        ring: Attributes = {"class": "run", "cx": x(score), "cy": y, "r": 3}
        parts.append(element("circle", {**ring, "style": f"stroke:{hue};stroke-opacity:.55"}))
    if np.isfinite([dot.value.low, dot.value.high]).all():
        thick = {"stroke-width": "6", "stroke-opacity": ".35", "stroke-linecap": "round"}
        parts.append(rule(x(dot.value.low), y, x(dot.value.high), y, hue, **thick))
    if np.isfinite(dot.value.estimate):
        spot: Attributes = {"class": "series", "cx": x(dot.value.estimate), "cy": y, "r": 5}
        name = element("title", None, f"{dot.label}: {told}")
        parts.append(element("circle", {**spot, "style": f"fill:{hue}"}, name))
    return join(*parts)
