"""A record's figure, without a display: the same numbers make the same file. Knows no table."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from s2lab import durable

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of so many inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def save_figure(figure: Figure, path: Path) -> None:
    """Write `<path>.svg` beside and rename it; ids inside depend on its name alone.

    Raises `UserError` where it cannot be written.
    """
    from matplotlib import rc_context

    target, drawn = path.with_suffix(".svg"), io.BytesIO()
    with rc_context({"svg.hashsalt": target.name}):
        figure.savefig(drawn, format="svg", metadata={"Date": None})
    try:
        durable.replace(target, drawn.getvalue())
    except OSError as error:
        raise durable.cannot_write(target, error, "run it where it can be made") from None
