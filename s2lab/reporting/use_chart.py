"""Who was used when: a strip per module or schema over the steps of one episode, events above.

Drawn twice, for a page and for a phone. Knows names and flags; no cores and no worlds.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from s2lab.reporting import axes
from s2lab.reporting.axes import INK, Scale, colour, words
from s2lab.reporting.blocks import Picture
from s2lab.reporting.markup import Markup, element

Flags = NDArray[np.bool_]
HEIGHT, GAP = 16.0, 6.0
MODULES, EVENTS = 0, 1  # which colour


def use_chart(
    used: Flags,
    names: Sequence[str],
    *,
    title: str,
    events: Mapping[str, Flags] | None = None,
    caption: str = "",
) -> Picture:
    """One strip per name, filled where it is used.

    Args:
        used: [T, K], such as one column of a trace's "active".
        names: K names.
        title: of the drawing
        events: name -> [T], what happened when; strips above the others
        caption: text below

    Raises:
        ValueError: as many names as columns are needed, and events of T steps.
    """
    events = events or {}
    if used.ndim != 2 or used.shape[1] != len(names):
        raise ValueError(f"used is {list(used.shape)}; it must be [T, {len(names)}], one per name")
    for name, flags in events.items():
        if flags.shape != used.shape[:1]:
            raise ValueError(f"event {name!r} is {list(flags.shape)}; it must be [{len(used)}]")
    strips = [(name, flags, EVENTS) for name, flags in events.items()]
    strips += [(name, used[:, k], MODULES) for k, name in enumerate(names)]

    def drawn(width: float) -> str:
        left = min(width / 3, 16 + max(axes.text_width(name) for name, _, _ in strips))
        x = Scale(0.0, float(len(used)), left, width - 8)
        parts: list[Markup] = []
        y = 8.0
        for name, flags, series in strips:
            shown = axes.shortened(name, left - 10)
            parts.append(words(shown, 0, y + HEIGHT - 4, fill=INK, title=name))
            parts += [_bar(x(a), x(b), y, series) for a, b in runs_of(flags)]
            y += HEIGHT + GAP
        axis = axes.horizontal_axis(x, y, "step", percent=False)
        told = ". ".join(f"{name}: {flags.mean():.0%} of steps" for name, flags, _ in strips)
        return axes.drawing(width, y + 44, title, told, axis, *parts)

    return Picture(drawn(axes.WIDE), caption, narrow=drawn(axes.NARROW))


def runs_of(flags: Flags) -> Iterator[tuple[int, int]]:
    """Maximal runs of true flags as (first, one past the last)."""
    edges = np.diff(flags.astype(np.int8), prepend=0, append=0)
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    yield from zip(starts.tolist(), ends.tolist(), strict=True)


def _bar(start: float, end: float, y: float, series: int) -> Markup:
    box = {"x": start, "y": y, "width": end - start, "height": HEIGHT}
    return element("rect", {**box, "class": "use", "style": f"fill:{colour(series)}"})
