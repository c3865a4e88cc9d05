"""The frame of a chart: scales, ticks, grid, titles and the legend of its series.

Colours are CSS variables with a fallback, so a drawing follows the page into the dark and still
stands alone in a file. Knows nothing of what is plotted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from math import ceil, floor, log10

import numpy as np

from s2lab.reporting.cells import MINUS, short
from s2lab.reporting.markup import Attributes, Markup, element, join
from s2lab.stats import FloatArray

WIDE, NARROW = 880.0, 360.0
"""Widths that every chart is drawn in, in its own pixels."""
FONT_SIZE = 12.0
INK, SOFT, GRID = "var(--ink,#1f2328)", "var(--soft,#59636e)", "var(--line,#dfe3e6)"
SERIES = (
    *("#2563a8", "#c2530a", "#0f7f68", "#8a4ba8", "#9a7400", "#b8336a", "#4b6d8c", "#6b5d4f"),
)
"""Blue, vermilion, teal, violet, ochre, rose, slate, umber: apart for the colour-blind, too."""


def colour(index: int) -> str:
    place = index % len(SERIES)
    return f"var(--series-{place + 1},{SERIES[place]})"


def dashes(index: int) -> str | None:
    """Solid for as many series as there are colours, then dashed."""
    return (None, "7 3", "2 3")[index // len(SERIES) % 3]


_BROAD = frozenset("mwMWGOQ@%<>=+~&…")


@dataclass(frozen=True)
class Scale:
    """Maps [low, high] of the data to [start, stop] in pixels; the ends may be reversed."""

    low: float
    high: float
    start: float
    stop: float

    def __call__(self, value: float) -> float:
        inside = min(max(value, self.low), self.high)
        share = (inside - self.low) / ((self.high - self.low) or 1.0)
        return self.start + share * (self.stop - self.start)


def range_of(arrays: Sequence[FloatArray]) -> tuple[float, float]:
    """The least and the greatest finite number; 0 and 1 when there is none."""
    finite = [a[np.isfinite(a)] for a in arrays]
    kept = np.concatenate(finite) if finite else np.empty(0)
    return (float(kept.min()), float(kept.max())) if kept.size else (0.0, 1.0)


def nice_ticks(low: float, high: float, most: int) -> list[float]:
    """At most `most` + 1 round numbers in [low, high]; steps are 1, 2 or 5 times a power of ten."""
    if not high > low:
        return [low]
    rough = (high - low) / max(1, most)
    magnitude = 10.0 ** floor(log10(rough))
    step = next(m * magnitude for m in (1, 2, 5, 10) if m * magnitude >= rough * (1 - 1e-9))
    first, last = ceil(low / step - 1e-9), floor(high / step + 1e-9)
    return [k * step for k in range(first, last + 1)]


def nice_range(low: float, high: float) -> tuple[float, float]:
    """The smallest range between round numbers that holds [low, high]."""
    if not high > low:
        half = abs(low) / 10 or 1.0
        return low - half, high + half
    ticks = nice_ticks(low, high, 5)
    step = ticks[1] - ticks[0] if len(ticks) > 1 else high - low
    return floor(low / step + 1e-9) * step, ceil(high / step - 1e-9) * step


def tick_label(value: float, percent: bool) -> str:
    if percent:
        return f"{100 * value:.3g} %"
    return short(value + 0.0).replace("-", MINUS)


def text_width(text: str, size: float = FONT_SIZE) -> float:
    """About how many pixels a line of text takes; generous, for no font is at hand to measure."""
    return size * sum(
        0.38 if c in "iljtf.,:;|!' []()" else 0.9 if c in _BROAD or c > "\u2e80" else 0.63
        for c in text
    )


def shortened(text: str, width: float, size: float = FONT_SIZE) -> str:
    """The text, or as much of it as fits and an ellipsis."""
    if text_width(text, size) <= width:
        return text
    while text and text_width(text + "…", size) > width:
        text = text[:-1]
    return text + "…"


def words(
    text: str,
    x: float,
    y: float,
    *,
    anchor: str = "start",
    fill: str = SOFT,
    size: float = FONT_SIZE,
    weight: str | None = None,
    title: str = "",
) -> Markup:
    attributes: Attributes = {
        "x": x,
        "y": y,
        "text-anchor": None if anchor == "start" else anchor,
        "font-size": None if size == FONT_SIZE else size,
        "font-weight": weight,
        "style": f"fill:{fill}",
    }
    return element("text", attributes, text, *([element("title", None, title)] if title else []))


def rule(x1: float, y1: float, x2: float, y2: float, stroke: str = GRID, **more: str) -> Markup:
    ends: Attributes = {"x1": x1, "y1": y1, "x2": x2, "y2": y2}
    return element("line", {**ends, "style": f"stroke:{stroke}", **more})


def horizontal_axis(scale: Scale, y: float, title: str, *, percent: bool) -> Markup:
    """Ticks and labels below y, the title centred under them."""
    ticks = nice_ticks(scale.low, scale.high, max(2, int(abs(scale.stop - scale.start) / 75)))
    parts = [rule(scale.start, y, scale.stop, y, SOFT)]
    for tick in ticks:
        x = scale(tick)
        parts.append(rule(x, y, x, y + 4, SOFT))
        parts.append(words(tick_label(tick, percent), x, y + 18, anchor="middle"))
    parts.append(words(title, (scale.start + scale.stop) / 2, y + 37, anchor="middle", fill=INK))
    return join(*parts)


def vertical_axis(scale: Scale, left: float, right: float, title: str, *, percent: bool) -> Markup:
    """Hairlines across the plot, labels left of it, the title above, where it reads level."""
    parts = []
    for tick in nice_ticks(scale.low, scale.high, max(2, int(abs(scale.stop - scale.start) / 45))):
        y = scale(tick)
        parts.append(rule(left, y, right, y))
        parts.append(words(tick_label(tick, percent), left - 8, y + 4, anchor="end"))
    parts.append(words(title, 0, min(scale.start, scale.stop) - 14, fill=INK))
    return join(*parts)


def legend(labels: Sequence[tuple[str, int]], width: float, y: float) -> tuple[Markup, float]:
    """Labels, each with a stroke of its series' colour, wrapped to `width`; and their height."""
    parts, x, line = [], 0.0, 0
    for label, index in labels:
        shown = shortened(label, width - 40)
        taken = 26 + text_width(shown) + 18
        if x and x + taken > width + 18:
            x, line = 0.0, line + 1
        row = y + 20 * line
        stroke = {"stroke-width": "2.5", "stroke-dasharray": dashes(index) or "none"}
        parts.append(rule(x, row - 4, x + 18, row - 4, colour(index), **stroke))
        parts.append(words(shown, x + 24, row, fill=INK, title=label if shown != label else ""))
        x += taken
    return join(*parts), 20.0 * (line + 1) if labels else 0.0


def drawing(width: float, height: float, title: str, description: str, *children: Markup) -> str:
    """The whole SVG, named and described for screen readers."""
    body = join(*children)
    key = sha256(f"{width}{title}{description}{body}".encode(errors="replace")).hexdigest()[:10]
    attributes: Attributes = {
        "xmlns": "http://www.w3.org/2000/svg",
        "viewBox": f"0 0 {width:g} {height:g}",
        "role": "img",
        "aria-labelledby": f"t{key} d{key}",
        "font-family": "system-ui,-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif",
        "font-size": FONT_SIZE,
        "fill": "none",
    }
    return element(
        "svg",
        attributes,
        element("title", {"id": f"t{key}"}, title),
        element("desc", {"id": f"d{key}"}, description),
        body,
    )
