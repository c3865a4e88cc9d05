"""Rows sorted by environment, in the layout that scores count. Knows no scores and no search.

An environment is one regime of one world. For every variable an environment plays a role: its
rows share the variable's mechanism, have one of their own, say nothing, or nobody knows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from s2lab.causal.data import InterventionalData
from s2lab.causal.errors import InputError

MAX_CATEGORIES = 64

POOLED, SEPARATE, DROPPED, UNDECIDED = 0, 1, 2, 3
"""Roles of an environment for one variable."""


@dataclass(frozen=True, eq=False)
class Environments:
    """Categorical rows of every environment, one after the other."""

    variables: tuple[str, ...]
    columns: NDArray[np.int8]  # [V, N] category of every variable and row
    starts: NDArray[np.int64]  # [E + 1] first row of every environment
    world: NDArray[np.int64]  # [E] world of every environment, ascending
    regime: NDArray[np.int64]  # [E] position in the data's `regimes`
    targeted: NDArray[np.bool_]  # [E, V] known targets
    unknown: NDArray[np.bool_]  # [E] whether there may be other targets
    cardinalities: NDArray[np.int64]  # [V]
    soft: bool
    """Whether a target keeps a mechanism (its own table) or is set from outside (no table)."""

    @classmethod
    def from_data(cls, data: InterventionalData, soft: bool = False) -> Environments:
        """Sort rows by world, then regime. Raises `InputError` on a regime without rows and on
        more than 64 categories."""
        counts = np.bincount(data.regime_of_row, minlength=len(data.regimes))  # [R]
        if not counts.all():
            empty = data.regimes[int(np.flatnonzero(counts == 0)[0])]
            raise InputError(
                f"the environment with targets {list(empty)} has no rows; leave it out"
            )
        for name, size in zip(data.variables, data.cardinalities, strict=True):
            if size > MAX_CATEGORIES:
                raise InputError(
                    f"column {name!r} has {size} categories, at most {MAX_CATEGORIES} are taken; "
                    "bin real numbers first"
                )
        key = data.worlds * len(data.regimes) + data.regime_of_row  # [N]
        values, sizes = np.unique(key, return_counts=True)  # [E]
        columns = np.ascontiguousarray(data.codes.T)  # [V, N]
        if (np.diff(key) < 0).any():
            columns = columns[:, np.argsort(key, kind="stable")]
        regime = values % len(data.regimes)  # [E]
        return cls(
            data.variables,
            columns.astype(np.int8, copy=False),
            np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
            values // len(data.regimes),
            regime,
            data.targeted[regime],
            data.unknown[regime],
            data.cardinalities,
            soft,
        )

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return int(self.starts[-1])

    @property
    def worlds(self) -> int:
        """How many worlds there are."""
        return int(self.world[-1]) + 1

    def roles(self, variable: int) -> NDArray[np.int8]:  # [E]
        """Role of every environment for one variable."""
        roles = np.where(self.unknown, UNDECIDED, POOLED)  # [E]
        roles[self.targeted[:, variable]] = SEPARATE if self.soft else DROPPED
        return roles.astype(np.int8)


def thinned(rows: Environments, about: int) -> Environments:
    """Every n-th row of every environment, about so many in all."""
    step = max(1, rows.rows // about)
    return replace(
        rows,
        columns=np.ascontiguousarray(rows.columns[:, ::step]),
        starts=-(-rows.starts // step),
    )
