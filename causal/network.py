"""Discrete Bayesian networks: graph, state names, conditional tables. Knows no sampling."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from s2lab.causal.errors import InputError
from s2lab.causal.graph import CausalGraph

SUM_TOLERANCE = 1e-2
"""How far a printed row of probabilities may sum from 1; published tables are rounded."""


@dataclass(frozen=True, eq=False)
class DiscreteNetwork:
    """Conditional tables on a graph; every row is renormalised to sum to exactly 1.

    Raises `InputError` on tables whose shape does not fit or whose rows are not probabilities.
    """

    graph: CausalGraph
    states: tuple[tuple[str, ...], ...]
    """State names of every variable, in graph order."""
    tables: tuple[NDArray[np.float64], ...]
    """Per variable [K_parent_1, ..., K_parent_n, K]: parents in graph order, own state last."""

    def __post_init__(self) -> None:
        tables = []
        for i, name in enumerate(self.graph.variables):
            parents = np.flatnonzero(self.graph.parent_to_child[:, i])
            shape = (*(len(self.states[p]) for p in parents), len(self.states[i]))
            table = np.array(self.tables[i], dtype=np.float64)  # [K_parents..., K]
            if table.shape != shape:
                raise InputError(f"table of {name!r} has shape {table.shape}, expected {shape}")
            total = table.sum(axis=-1, keepdims=True)  # [K_parents..., 1]
            if not (table >= 0).all() or not (np.abs(total - 1) <= SUM_TOLERANCE).all():
                raise InputError(f"table of {name!r}: a row is not a set of probabilities")
            table /= total
            table.setflags(write=False)
            tables.append(table)
        object.__setattr__(self, "tables", tuple(tables))

    @property
    def variables(self) -> tuple[str, ...]:
        """Names in graph order."""
        return self.graph.variables
