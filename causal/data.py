"""Rows and what was intervened on in each. Knows no graph, no learners and no files.

A target that starts with "?" is unknown: "?3" means that something was intervened on, the same
thing in all rows that say "?3"; ("a", "?3") means a and perhaps others.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2lab.causal.errors import InputError
from s2lab.causal.regimes import (
    TARGETS_COLUMN,
    WORLDS_COLUMN,
    Target,
    hidden_regimes,
    read_targets,
    row_targets,
    targeted_matrix,
    unknown_regimes,
)

__all__ = ["TARGETS_COLUMN", "WORLDS_COLUMN", "ContinuousData", "InterventionalData", "as_frame"]


@dataclass(frozen=True, eq=False)
class InterventionalData:
    """Categorical rows, each belonging to a regime (a set of intervened variables) of a world."""

    variables: tuple[str, ...]
    codes: NDArray[np.integer]  # [N, V] positions in `states`
    states: tuple[tuple[Any, ...], ...]
    """Per variable, the value that every code stands for."""
    regimes: tuple[tuple[str, ...], ...]
    """Distinct target sets, each in variable order; () is observation."""
    regime_of_row: NDArray[np.int64]  # [N] positions in `regimes`
    world_of_row: NDArray[np.int64] | None = None  # [N] 0, 1, ...; None: one world

    @property
    def cardinalities(self) -> NDArray[np.int64]:  # [V]
        """Number of categories of every variable."""
        return np.array([len(names) for names in self.states], np.int64)

    @property
    def targeted(self) -> NDArray[np.bool_]:  # [R, V]
        """Which variables every regime is known to intervene on."""
        return targeted_matrix(self.regimes, self.variables)

    @property
    def unknown(self) -> NDArray[np.bool_]:  # [R]
        """Which regimes have targets that are not known."""
        return unknown_regimes(self.regimes)

    @property
    def worlds(self) -> NDArray[np.int64]:  # [N]
        """World of every row."""
        return (
            np.zeros(len(self.codes), np.int64)
            if self.world_of_row is None
            else (self.world_of_row)
        )

    @property
    def targets(self) -> list[str | tuple[str, ...] | None]:
        """One entry per row: None, a column, or a tuple of columns."""
        return row_targets(self.regimes, self.regime_of_row)

    @property
    def observational(self) -> InterventionalData:
        """Only the rows in which nothing was intervened on."""
        return self.take(
            np.isin(self.regime_of_row, [i for i, r in enumerate(self.regimes) if not r])
        )

    def take(self, rows: NDArray[Any]) -> InterventionalData:
        """Only some rows, named by a mask or by positions."""
        return replace(
            self,
            codes=self.codes[rows],
            regime_of_row=self.regime_of_row[rows],
            world_of_row=None if self.world_of_row is None else self.world_of_row[rows],
        )

    def hide_targets(self) -> InterventionalData:
        """The same rows with unknown targets: one label per world and regime."""
        regimes, regime_of_row = hidden_regimes(self.regimes, self.regime_of_row, self.worlds)
        return replace(self, regimes=regimes, regime_of_row=regime_of_row)

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
            if self.world_of_row is not None:
                frame[WORLDS_COLUMN] = self.world_of_row
        return frame

    @classmethod
    def from_frame(
        cls, X: Any, targets: Iterable[Target] | None = None, worlds: Any = None
    ) -> InterventionalData:
        """Read a DataFrame or an array [N, V] of categories.

        Without `targets` (or `worlds`, one label per row), a column `intervention_targets` (or
        `intervention_world`) is used where there is one, else every row is an observation (of one
        world). Raises `InputError` on NaN, real numbers, fewer than two variables, no rows, a
        length that differs from the rows', and targets that name no column.
        """
        frame, names, regimes, regime_of_row, world_of_row = split_frame(X, targets, worlds)
        columns = [encode(name, frame.iloc[:, i]) for i, name in enumerate(names)]
        codes = np.stack([codes for codes, _ in columns]).T  # [N, V], columns contiguous
        states = tuple(states for _, states in columns)
        return cls(names, codes, states, regimes, regime_of_row, world_of_row)


@dataclass(frozen=True, eq=False)
class ContinuousData:
    """Real rows, each belonging to a regime (a set of intervened variables) of a world."""

    variables: tuple[str, ...]
    values: NDArray[np.float64]  # [N, V]
    regimes: tuple[tuple[str, ...], ...]
    """Distinct target sets, each in variable order; () is observation."""
    regime_of_row: NDArray[np.int64]  # [N] positions in `regimes`
    world_of_row: NDArray[np.int64] | None = None  # [N] 0, 1, ...; None: one world

    @property
    def targeted(self) -> NDArray[np.bool_]:  # [R, V]
        """Which variables every regime is known to intervene on."""
        return targeted_matrix(self.regimes, self.variables)

    @property
    def unknown(self) -> NDArray[np.bool_]:  # [R]
        """Which regimes have targets that are not known."""
        return unknown_regimes(self.regimes)

    @property
    def targets(self) -> list[str | tuple[str, ...] | None]:
        """One entry per row: None, a column, or a tuple of columns."""
        return row_targets(self.regimes, self.regime_of_row)

    @property
    def observational(self) -> ContinuousData:
        """Only the rows in which nothing was intervened on."""
        rows = np.isin(self.regime_of_row, [i for i, r in enumerate(self.regimes) if not r])
        return replace(
            self,
            values=self.values[rows],
            regime_of_row=self.regime_of_row[rows],
            world_of_row=None if self.world_of_row is None else self.world_of_row[rows],
        )

    def to_frame(self, targets: bool = False) -> Any:
        """A DataFrame of real columns; `targets` appends `intervention_targets`."""
        import pandas

        frame = pandas.DataFrame(self.values, columns=list(self.variables))
        if targets:
            frame[TARGETS_COLUMN] = np.array([*self.targets, None], dtype=object)[:-1]
        return frame

    @classmethod
    def from_frame(
        cls, X: Any, targets: Iterable[Target] | None = None, worlds: Any = None
    ) -> ContinuousData:
        """Read a DataFrame or an array [N, V] of numbers, as `InterventionalData.from_frame` does.

        Raises `InputError` on NaN, infinity and text, and on what that one refuses of targets.
        """
        frame, names, regimes, regime_of_row, world_of_row = split_frame(X, targets, worlds)
        columns = [real_column(name, frame.iloc[:, i]) for i, name in enumerate(names)]
        values = np.stack(columns, axis=1)  # [N, V]
        return cls(names, values, regimes, regime_of_row, world_of_row)


def split_frame(
    X: Any, targets: Iterable[Target] | None, worlds: Any
) -> tuple[Any, tuple[str, ...], Any, NDArray[np.int64], NDArray[np.int64] | None]:
    """Return the frame of variables, their names, regimes, and regime and world of every row."""
    frame = as_frame(X)
    if TARGETS_COLUMN in frame.columns:
        targets = list(frame[TARGETS_COLUMN]) if targets is None else targets
        frame = frame.drop(columns=TARGETS_COLUMN)
    if WORLDS_COLUMN in frame.columns:
        worlds = frame[WORLDS_COLUMN] if worlds is None else worlds
        frame = frame.drop(columns=WORLDS_COLUMN)
    names = tuple(str(name) for name in frame.columns)
    if len(set(names)) != len(names):
        repeated = next(name for name in names if names.count(name) > 1)
        raise InputError(f"column {repeated!r} appears twice; names must differ")
    if len(names) < 2:
        raise InputError(
            f"{len(names)} feature(s) (shape=({len(frame)}, {len(names)})) while a minimum of 2 is "
            "required.  A graph needs at least 2 variables"
        )
    if len(frame) == 0:
        raise InputError("no rows; at least 1 is needed")
    regimes, regime_of_row = read_targets(targets, names, len(frame))
    if worlds is None:
        return frame, names, regimes, regime_of_row, None
    labels = np.asarray(worlds)
    if labels.shape != (len(frame),):
        raise InputError(
            f"worlds has shape {labels.shape} for {len(frame)} rows; one label per row is needed"
        )
    world_of_row = np.unique(labels, return_inverse=True)[1].astype(np.int64)
    return frame, names, regimes, regime_of_row, world_of_row


def as_frame(X: Any) -> Any:
    """Return a DataFrame; an array [N, V] gets the column names x0, x1, ... as in pgmpy."""
    import pandas

    if isinstance(X, pandas.DataFrame):
        return X
    if hasattr(X, "tocsr"):
        raise InputError("X is sparse; pass a dense table, for example X.toarray()")
    array = np.asarray(X)
    if array.dtype.kind == "c":
        raise InputError("X is complex: Complex data not supported; expected categories or reals")
    if array.ndim != 2:
        raise InputError(
            f"X has shape {array.shape}; expected a 2D table [rows, variables]. "
            "Reshape your data, for example with X.reshape(-1, 1)"
        )
    return pandas.DataFrame(array, columns=[f"x{i}" for i in range(array.shape[1])])


def encode(name: str, column: Any) -> tuple[NDArray[np.integer], tuple[Any, ...]]:
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
        return column.cat.codes.to_numpy(), tuple(column.cat.categories)
    values = column.to_numpy()
    if values.dtype.kind == "c":
        raise InputError(f"column {name!r}: Complex data not supported; expected categories")
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
    smallest = np.int8 if len(states) <= 128 else np.int64
    return codes.astype(smallest), tuple(states.tolist())


def real_column(name: str, column: Any) -> NDArray[np.float64]:  # [N]
    """Return one Series as finite numbers."""
    if column.dtype.kind == "c":
        raise InputError(f"column {name!r}: Complex data not supported; expected real numbers")
    try:
        values = column.to_numpy().astype(np.float64)
    except (TypeError, ValueError):
        raise InputError(
            f"column {name!r} is not a column of real numbers; use a learner of categories"
        ) from None
    broken = np.flatnonzero(~np.isfinite(values))
    if len(broken):
        raise InputError(
            f"column {name!r}, row {broken[0]}: {values[broken[0]]} (NaN and infinity are not "
            "allowed); fill or drop such rows first"
        )
    return np.asarray(values)
