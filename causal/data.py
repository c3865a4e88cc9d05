"""Rows of categories and what was intervened on in each. Knows no graph, learners or files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2lab.causal.errors import InputError, nearest

TARGETS_COLUMN = "intervention_targets"
"""The column that carries the targets inside a frame; pgmpy's proposed name."""

Target = str | Sequence[str] | None
"""What was intervened on in one row: nothing, a column, or several columns."""


@dataclass(frozen=True, eq=False)
class InterventionalData:
    """Categorical rows, each belonging to a regime (a set of intervened variables)."""

    variables: tuple[str, ...]
    codes: NDArray[np.int64]  # [N, V] positions in `states`
    states: tuple[tuple[Any, ...], ...]
    """Per variable, the value that every code stands for."""
    regimes: tuple[tuple[str, ...], ...]
    """Distinct target sets, each in variable order; () is observation."""
    regime_of_row: NDArray[np.int64]  # [N] positions in `regimes`

    @property
    def cardinalities(self) -> NDArray[np.int64]:  # [V]
        """Number of categories of every variable."""
        return np.array([len(names) for names in self.states], np.int64)

    @property
    def targeted(self) -> NDArray[np.bool_]:  # [R, V]
        """Which variables every regime intervenes on."""
        return np.array([[v in regime for v in self.variables] for regime in self.regimes], bool)

    @property
    def targets(self) -> list[str | tuple[str, ...] | None]:
        """One entry per row: None, a column, or a tuple of columns."""
        short = [r if len(r) > 1 else (r[0] if r else None) for r in self.regimes]
        return [short[i] for i in self.regime_of_row]

    @property
    def observational(self) -> InterventionalData:
        """Only the rows in which nothing was intervened on."""
        return self.take(
            np.isin(self.regime_of_row, [i for i, r in enumerate(self.regimes) if not r])
        )

    def take(self, rows: NDArray[Any]) -> InterventionalData:
        """Only some rows, named by a mask or by positions."""
        return InterventionalData(
            self.variables, self.codes[rows], self.states, self.regimes, self.regime_of_row[rows]
        )

    def to_frame(self, targets: bool = False) -> Any:
        """A DataFrame of categorical columns; `targets` appends `intervention_targets`."""
        import pandas

        frame = pandas.DataFrame(
            {
                name: pandas.Categorical.from_codes(self.codes[:, i], categories=list(names))
                for i, (name, names) in enumerate(zip(self.variables, self.states, strict=True))
            }
        )
        if targets:
            frame[TARGETS_COLUMN] = np.array([*self.targets, None], dtype=object)[:-1]
        return frame

    @classmethod
    def from_frame(cls, X: Any, targets: Iterable[Target] | None = None) -> InterventionalData:
        """Read a DataFrame or an array [N, V] of categories.

        Without `targets`, a column `intervention_targets` is used where there is one, else every
        row is an observation. Raises `InputError` on NaN, real numbers, fewer than two variables,
        no rows, a length that differs from the rows', and targets that name no column.
        """
        frame = as_frame(X)
        if TARGETS_COLUMN in frame.columns:
            if targets is None:
                targets = list(frame[TARGETS_COLUMN])
            frame = frame.drop(columns=TARGETS_COLUMN)
        names = tuple(str(name) for name in frame.columns)
        if len(set(names)) != len(names):
            repeated = next(name for name in names if names.count(name) > 1)
            raise InputError(f"column {repeated!r} appears twice; names must differ")
        if len(names) < 2:
            raise InputError(f"{len(names)} variable(s); at least 2 are needed for a graph")
        if len(frame) == 0:
            raise InputError("no rows; at least 1 is needed")
        columns = [encode(name, frame.iloc[:, i]) for i, name in enumerate(names)]
        regimes, regime_of_row = read_targets(targets, names, len(frame))
        codes = np.stack([codes for codes, _ in columns], axis=1)  # [N, V]
        return cls(names, codes, tuple(states for _, states in columns), regimes, regime_of_row)


def as_frame(X: Any) -> Any:
    """Return a DataFrame; an array [N, V] gets the column names x0, x1, ... as in pgmpy."""
    import pandas

    if isinstance(X, pandas.DataFrame):
        return X
    array = np.asarray(X)
    if array.ndim != 2:
        raise InputError(
            f"X has shape {array.shape}; expected a 2D table [rows, variables]. "
            "Reshape your data, for example with X.reshape(-1, 1)"
        )
    return pandas.DataFrame(array, columns=[f"x{i}" for i in range(array.shape[1])])


def encode(name: str, column: Any) -> tuple[NDArray[np.int64], tuple[Any, ...]]:
    """Turn one Series into codes [N] and the values they stand for, in sorted order.

    Categories declared by a categorical Series are kept, unseen ones too.
    """
    import pandas

    missing = np.flatnonzero(column.isna())
    if len(missing):
        raise InputError(
            f"column {name!r}, row {missing[0]}: empty (NaN); fill or drop such rows first"
        )
    if isinstance(column.dtype, pandas.CategoricalDtype):
        return column.cat.codes.to_numpy().astype(np.int64), tuple(column.cat.categories)
    values = column.to_numpy()
    if values.dtype.kind == "c":
        raise InputError(f"column {name!r}: complex data not supported; expected categories")
    if values.dtype.kind == "f":
        broken = np.flatnonzero(values != np.floor(values))  # infinity equals its own floor
        broken = broken if len(broken) else np.flatnonzero(np.isinf(values))
        if len(broken):
            raise InputError(
                f"column {name!r}, row {broken[0]}: {values[broken[0]]} is not a category; "
                "round or bin real numbers first"
            )
        values = values.astype(np.int64)
    try:
        states, codes = np.unique(values, return_inverse=True)
    except TypeError:
        raise InputError(f"column {name!r} mixes kinds of values; use one kind") from None
    return codes.astype(np.int64), tuple(states.tolist())


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
        if str(name) not in names:
            hint = nearest(str(name), names)
            raise InputError(f"{where}: intervention target {name!r} names no column{hint}")
    chosen = {str(name) for name in wanted}
    return tuple(name for name in names if name in chosen)
