"""An episode above what the core recorded, as one picture. Knows no runs and no worlds.

Time runs to the right: frames on top, then a panel for each record, then what happened.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

FRAMES = 12  # most frames on top
MOST_ROWS = 48  # of a panel; more are thinned

Panel = tuple[str, list[str], NDArray[Any]]  # title, a name per row, values [rows, T]


def panels(traced: Mapping[str, NDArray[Any]]) -> list[Panel]:
    """The records as rows over time.

    Args:
        traced: `core.trace` of one episode, [T, ...] by name
    """
    makers: dict[str, Callable[[NDArray[Any]], Panel]] = {
        "active": lambda a: rows_of("active modules", "module", a),
        "schema": lambda a: rows_of("schema chosen by each object file", "file", a),
        "rule": lambda a: rows_of("rule that fired", "rule", one_hot(a)),
        "primary": lambda a: rows_of("slot that the rule changed", "slot", one_hot(a)),
        "input_attention": lambda a: rows_of("attention to the input", "module", last(a, 2)),
        "workspace_write": lambda a: pairs("who writes into the workspace", "slot", "module", a),
        "workspace_read": lambda a: pairs("who reads which slot", "module", "slot", a),
        "communication": lambda a: pairs("who listens to whom", "module", "module", a),
    }
    found = [make(traced[name]) for name, make in makers.items() if name in traced]
    if not found:
        found = [rows_of("state", "unit", np.abs(traced["outputs"]))]
    return found


def rows_of(title: str, name: str, values: NDArray[Any]) -> Panel:  # [T, K]
    """One row per thing."""
    values = values.reshape(len(values), -1).astype(float)
    shown = np.unique(np.linspace(0, values.shape[1] - 1, MOST_ROWS).round().astype(int))
    return title, [f"{name} {k}" for k in shown], values[:, shown].T


def pairs(title: str, left: str, right: str, values: NDArray[Any]) -> Panel:  # [T, heads, A, B]
    """One row per pair, the mean over heads."""
    means = last(values, 3)  # [T, A, B]
    _, first, second = means.shape
    names = [f"{left} {a}, {right} {b}" for a in range(first) for b in range(second)]
    flat = means.reshape(len(means), -1).T
    kept = np.argsort(-flat.max(1))[:MOST_ROWS]
    kept.sort()
    return title, [names[k] for k in kept], flat[kept]


def last(values: NDArray[Any], dims: int) -> NDArray[Any]:
    """The mean over all dimensions between the first and the last `dims - 1`."""
    middle = tuple(range(1, values.ndim - dims + 1))
    return np.asarray(values.mean(axis=middle)) if middle else values


def one_hot(numbers: NDArray[Any]) -> NDArray[Any]:  # int [T] -> [T, K]
    """A column per number."""
    table: NDArray[Any] = np.eye(int(numbers.max()) + 1)
    return np.asarray(table[numbers.reshape(-1)])


def draw(
    frames: Sequence[NDArray[np.uint8]],
    traced: Mapping[str, NDArray[Any]],
    events: Mapping[str, NDArray[np.bool_]],
    title: str,
) -> bytes:
    """The picture as the bytes of a PNG.

    Args:
        frames: before every step and after the last
        traced: `core.trace` of the episode, [T, ...] by name
        events: [T] by name
        title: above everything
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = panels(traced)
    steps = len(frames) - 1
    if events:
        happened = np.stack(list(events.values())).astype(float)
        shown.append(("what happened", list(events), happened))
    heights = [2.2, *(0.35 + 0.16 * len(names) for _, names, _ in shown)]
    figure = Figure(figsize=(14, sum(heights) + 0.5), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    axes = figure.subplots(len(heights), 1, height_ratios=heights, sharex=True, squeeze=False)[:, 0]
    draw_frames(axes[0], frames, steps)
    for axis, (name, rows, values) in zip(axes[1:], shown, strict=True):
        edges = (-0.5, steps - 0.5, len(rows) - 0.5, -0.5)
        axis.imshow(values, aspect="auto", interpolation="nearest", cmap="viridis", extent=edges)
        axis.set_yticks(range(len(rows)), rows, fontsize=7)
        axis.set_title(name, fontsize=9, loc="left")
    axes[-1].set_xlabel("step")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def draw_frames(axis: Any, frames: Sequence[NDArray[np.uint8]], steps: int) -> None:
    """Some frames at their steps."""
    count = min(FRAMES, steps)
    axis.set_axis_off()
    for place, step in enumerate(np.linspace(0, steps - 1, count).round().astype(int)):
        inset = axis.inset_axes((place / count, 0, 0.96 / count, 1))
        inset.imshow(frames[step])
        inset.set_title(f"step {step}", fontsize=8)
        inset.set_axis_off()
