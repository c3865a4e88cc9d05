"""Curves with bands over a common x: learning curves and performance profiles.

Drawn twice, for a page and for a phone. Knows arrays and names; no run folders, no statistics.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from s2lab.reporting import axes
from s2lab.reporting.axes import INK, Scale, colour, dashes, rule, words
from s2lab.reporting.blocks import Kind, Picture
from s2lab.reporting.cells import as_text
from s2lab.reporting.markup import Markup, element, join
from s2lab.stats import FloatArray, Interval


@dataclass(frozen=True)
class Line:
    """One series: its middle, the band around it and, faintly, the runs behind it."""

    label: str
    x: FloatArray
    """# [P], rising."""
    y: FloatArray
    """# [P]"""
    low: FloatArray | None = None
    """# [P]; nan where there is no interval."""
    high: FloatArray | None = None
    """# [P]"""
    runs: tuple[tuple[FloatArray, FloatArray], ...] = ()
    """x and y of single runs, each `# [Q]` with its own Q."""
    series: int | None = None
    """Which colour; its place among the lines when None."""


def line_chart(
    lines: Sequence[Line],
    *,
    title: str,
    x_title: str,
    y_title: str,
    description: str = "",
    caption: str = "",
    percent: bool = False,
    percent_x: bool = False,
    steps: bool = False,
    reference: tuple[str, float] | None = None,
) -> Picture:
    """Curves with bands over a common x. `percent` fixes y to 0..100 %; `steps` draws stairs;
    `reference` is a named level across the chart, such as that of a random policy."""
    lines = [
        replace(line, series=place if line.series is None else line.series)
        for place, line in enumerate(lines)
        if line.x.size
    ]
    x_range = axes.range_of([line.x for line in lines])
    levels = [a for line in lines for a in (line.y, line.low, line.high) if a is not None]
    levels += [np.array([reference[1]])] if reference else []
    y_range = (0.0, 1.0) if percent else axes.nice_range(*axes.range_of(levels))

    def drawn(width: float) -> str:
        wide = width == axes.WIDE
        named_at_end = wide and not steps and len(lines) <= 8
        head, head_height = (
            (Markup(), 0.0)
            if named_at_end
            else axes.legend([(line.label, line.series or 0) for line in lines], width, 14)
        )
        top = head_height + 34
        height = top + (300 if wide else 220) + 48
        right = width - (_room_for_names(lines, reference) if named_at_end else 22)
        x = Scale(*x_range, 52, right)
        y = Scale(*y_range, height - 48, top)
        body = [
            head,
            axes.vertical_axis(y, 52, right, y_title, percent=percent),
            axes.horizontal_axis(x, height - 48, x_title, percent=percent_x),
            *(_band(line, x, y, steps) for line in lines),
        ]
        if reference:
            body.append(_reference(*reference, x, y, named=not named_at_end))
        body += [_curve(line, x, y, steps) for line in lines]
        if named_at_end:
            body.append(_names_at_end(lines, reference, x, y, width))
        return axes.drawing(width, height, title, description or _told(lines, percent), *body)

    return Picture(drawn(axes.WIDE), caption, narrow=drawn(axes.NARROW))


def _told(lines: Sequence[Line], percent: bool) -> str:
    """What the chart shows, for those who hear it."""
    kind: Kind = "percent" if percent else "number"
    ends = [
        f"{line.label} ends at "
        + as_text(
            Interval(
                float(line.y[-1]),
                float("nan") if line.low is None else float(line.low[-1]),
                float("nan") if line.high is None else float(line.high[-1]),
            ),
            kind,
        )
        for line in lines
    ]
    return "; ".join(ends) + "."


def _path(xs: FloatArray, ys: FloatArray, x: Scale, y: Scale, steps: bool) -> str:
    """SVG path data through the points; points that are not numbers break the line."""
    data, pen_down, before = [], False, 0.0
    for px, py in zip(xs.tolist(), ys.tolist(), strict=True):
        if py != py:  # nan
            pen_down = False
            continue
        if steps and pen_down:
            data.append(f"L{x(px):.1f} {y(before):.1f}")
        data.append(f"{'L' if pen_down else 'M'}{x(px):.1f} {y(py):.1f}")
        pen_down, before = True, py
    return "".join(data)


def _band(line: Line, x: Scale, y: Scale, steps: bool) -> Markup:
    if line.low is None or line.high is None:
        return Markup()
    known = np.isfinite(line.low) & np.isfinite(line.high)
    if known.sum() < 2:
        return Markup()
    xs, low, high = line.x[known], line.low[known], line.high[known]
    if steps:
        xs, low, high = np.repeat(xs, 2)[1:], np.repeat(low, 2)[:-1], np.repeat(high, 2)[:-1]
    there = _path(xs, high, x, y, False)
    back = _path(xs[::-1], low[::-1], x, y, False).replace("M", "L", 1)
    style = f"fill:{colour(line.series or 0)};fill-opacity:.16"
    return element("path", {"class": "band", "d": f"{there}{back}Z", "style": style})


def _curve(line: Line, x: Scale, y: Scale, steps: bool) -> Markup:
    faint = [
        element(
            "path",
            {
                "class": "run",
                "d": _path(xs, ys, x, y, steps),
                "style": f"stroke:{colour(line.series or 0)};stroke-opacity:.28",
                "stroke-width": "1",
            },
        )
        for xs, ys in line.runs
        if xs.size > 1
    ]
    strong = element(
        "path",
        {
            "class": "series",
            "d": _path(line.x, line.y, x, y, steps),
            "style": f"stroke:{colour(line.series or 0)}",
            "stroke-width": "2.25",
            "stroke-linejoin": "round",
            "stroke-linecap": "round",
            "stroke-dasharray": dashes(line.series or 0),
        },
        element("title", None, line.label),
    )
    lone = Markup()
    if line.x.size == 1:
        spot = {"cx": x(float(line.x[0])), "cy": y(float(line.y[0])), "r": 3.5}
        lone = element("circle", {**spot, "style": f"fill:{colour(line.series or 0)}"})
    return join(*faint, strong, lone)


def _reference(label: str, level: float, x: Scale, y: Scale, *, named: bool) -> Markup:
    look = {"stroke-dasharray": "3 4", "class": "reference"}
    line = rule(x.start, y(level), x.stop, y(level), axes.SOFT, **look)
    name = words(label, x.stop, y(level) - 6, anchor="end") if named else Markup()
    return join(line, name)


def _names_at_end(
    lines: Sequence[Line], reference: tuple[str, float] | None, x: Scale, y: Scale, width: float
) -> Markup:
    """Each curve's name beside its last point, pushed apart where they would overlap."""
    ends = [
        (y(float(line.y[-1])), x(float(line.x[-1])), line.label, colour(line.series or 0))
        for line in lines
    ]
    if reference:
        ends.append((y(reference[1]), x.stop, reference[0], axes.SOFT))
    ends.sort()
    places = _apart([end[0] for end in ends], y.start)
    parts = []
    for place, (level, edge, label, hue) in zip(places, ends, strict=True):
        shown = axes.shortened(label, width - x.stop - 22)
        title = label if shown != label else ""
        parts.append(rule(edge + 2, level, x.stop + 12, place, hue, **{"stroke-opacity": ".6"}))
        ink = axes.SOFT if hue == axes.SOFT else INK
        parts.append(words(shown, x.stop + 16, place + 4, fill=ink, title=title))
    return join(*parts)


def _room_for_names(lines: Sequence[Line], reference: tuple[str, float] | None) -> float:
    names = [line.label for line in lines] + ([reference[0]] if reference else [])
    return 24 + min(170.0, max(map(axes.text_width, names), default=0.0))


def _apart(places: Sequence[float], lowest: float, gap: float = 17.0) -> list[float]:
    """Rising places moved as little as keeps them `gap` apart and none below `lowest`."""
    moved = list(places)
    for k in range(1, len(moved)):
        moved[k] = max(moved[k], moved[k - 1] + gap)
    limit = lowest
    for k in reversed(range(len(moved))):
        moved[k] = min(moved[k], limit)
        limit = moved[k] - gap
    return moved
