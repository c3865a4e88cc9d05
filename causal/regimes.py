"""Sets of intervened variables, per row and per environment. Knows no values and no graph.

A target that starts with "?" is unknown: "?3" means that something was intervened on, the same
thing in all rows that say "?3"; ("a", "?3") means a and perhaps others.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2lab.causal.errors import InputError, nearest

TARGETS_COLUMN = "intervention_targets"
"""The column that carries the targets inside a frame; pgmpy's proposed name."""

WORLDS_COLUMN = "intervention_world"
"""The column that tells worlds apart which share one graph and nothing else."""

TARGETS_AND_WORLDS = (TARGETS_COLUMN, WORLDS_COLUMN)

UNKNOWN = "?"
"""First letter of a target that is not known; the rest names the environment."""

Target = str | Sequence[str] | None
"""What was intervened on in one row: nothing, a column, or several columns."""

Regimes = tuple[tuple[str, ...], ...]


def targeted_matrix(regimes: Regimes, variables: tuple[str, ...]) -> NDArray[np.bool_]:  # [R, V]
    """Which variables every regime is known to intervene on."""
    return np.array([[v in regime for v in variables] for regime in regimes], bool)


def unknown_regimes(regimes: Regimes) -> NDArray[np.bool_]:  # [R]
    """Which regimes have targets that are not known."""
    return np.array([any(t.startswith(UNKNOWN) for t in regime) for regime in regimes], bool)


def row_targets(
    regimes: Regimes, regime_of_row: NDArray[np.int64]
) -> list[str | tuple[str, ...] | None]:
    """One entry per row: None, a column, or a tuple of columns."""
    short = [r if len(r) > 1 else (r[0] if r else None) for r in regimes]
    return [short[i] for i in regime_of_row]


def hidden_regimes(
    regimes: Regimes, regime_of_row: NDArray[np.int64], world_of_row: NDArray[np.int64]
) -> tuple[Regimes, NDArray[np.int64]]:
    """Replace the targets of every world's every regime by a label of its own."""
    hidden: list[tuple[str, ...]] = [()]
    position = np.zeros_like(regime_of_row)  # [N]
    for world in np.unique(world_of_row):
        for i, regime in enumerate(regimes):
            rows = (regime_of_row == i) & (world_of_row == world)
            if regime and rows.any():
                position[rows] = len(hidden)
                hidden.append((f"{UNKNOWN}{len(hidden)}",))
    return tuple(hidden), position


def read_targets(
    targets: Iterable[Target] | None, names: tuple[str, ...], rows: int
) -> tuple[tuple[tuple[str, ...], ...], NDArray[np.int64]]:
    """Turn one entry per row into distinct regimes and each row's position among them [N]."""
    if targets is None:
        return ((),), np.zeros(rows, np.int64)
    entries = list(targets)
    if len(entries) != rows:
        raise InputError(f"{len(entries)} targets for {rows} rows; one entry per row is needed")
    regimes: dict[tuple[str, ...], int] = {}
    seen: dict[Any, int] = {}
    regime_of_row = np.zeros(rows, np.int64)  # [N]
    for row, entry in enumerate(entries):
        key = entry if entry is None or isinstance(entry, str) else as_key(entry)
        if key not in seen:
            regime = target_set(key, names, f"row {row}")
            seen[key] = regimes.setdefault(regime, len(regimes))
        regime_of_row[row] = seen[key]
    return tuple(regimes), regime_of_row


def as_key(entry: Any) -> tuple[Any, ...] | None:
    """Return a tuple of columns, or None for a missing value (NaN, NA) that pandas put there."""
    if isinstance(entry, Iterable):
        return tuple(entry)
    return None if entry != entry or type(entry).__name__ == "NAType" else (entry,)


def target_set(entry: Target, names: tuple[str, ...], where: str) -> tuple[str, ...]:
    """Return the named variables in variable order; an unknown one is refused, told as `where`."""
    wanted = () if entry is None else (entry,) if isinstance(entry, str) else tuple(entry)
    for name in wanted:
        if str(name) not in names and not str(name).startswith(UNKNOWN):
            hint = nearest(str(name), names)
            raise InputError(f"{where}: intervention target {name!r} names no column{hint}")
    chosen = {str(name) for name in wanted}
    unknown = sorted(chosen - set(names))
    return (*(name for name in names if name in chosen), *unknown)
