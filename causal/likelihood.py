"""How well a graph predicts rows it was not fitted on, interventions included. Knows no learner."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from s2lab.causal.data import InterventionalData
from s2lab.causal.errors import InputError
from s2lab.causal.graph import CausalGraph
from s2lab.causal.network import DiscreteNetwork

MOST_CELLS = 1_000_000
"""Of one conditional table."""


def interventional_log_likelihood(
    graph: CausalGraph,
    train: InterventionalData,
    test: InterventionalData,
    equivalent_sample_size: float = 1.0,
) -> NDArray[np.float64]:  # [V] nats per row, in `test`'s variable order
    """Mean log p(x_v | parents of v) over the test rows that do not target v.

    The tables are posterior means under BDeu's prior of `train`'s rows that do not target v: a
    perfect intervention replaces its target's mechanism and no other (truncated factorisation).
    A variable that every test row targets gets 0. Raises `InputError` on a prior of 0 or less, on
    other variables or categories than `train`'s, and on no rows.
    """
    if not equivalent_sample_size > 0:
        raise InputError(f"equivalent_sample_size is {equivalent_sample_size}; it must be above 0")
    if train.variables != test.variables or train.states != test.states:
        raise InputError("train and test name different variables or categories; encode them alike")
    if not len(train.codes) or not len(test.codes):
        raise InputError(f"{len(train.codes)} training and {len(test.codes)} test rows; give both")
    arrows = graph.reordered(test.variables).parent_to_child  # [V, V]
    means = np.zeros(len(arrows))  # [V]
    for node in range(len(arrows)):
        family = [*np.flatnonzero(arrows[:, node]).tolist(), node]
        sizes = [int(k) for k in test.cardinalities[family]]
        seen, judged = (
            np.ravel_multi_index(
                data.codes[~data.targeted[data.regime_of_row, node]][:, family].T, sizes
            )
            for data in (train, test)
        )  # [rows] cell of every row in the table [K_parents..., K]
        cells, rows_of = np.unique(seen, return_counts=True)
        prior = equivalent_sample_size / float(np.prod(sizes, dtype=float))
        parents_seen, configuration = np.unique(cells // sizes[-1], return_inverse=True)
        totals = np.bincount(configuration, weights=rows_of, minlength=len(parents_seen))
        hits = lookup(cells, rows_of, judged)  # [rows]
        seen_with = lookup(parents_seen, totals, judged // sizes[-1])  # [rows]
        logs = np.log(hits + prior) - np.log(seen_with + prior * sizes[-1])
        means[node] = logs.mean() if len(logs) else 0.0
    return means


def lookup(
    keys: NDArray[np.int64],
    values: NDArray[np.float64] | NDArray[np.int64],
    wanted: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return the value of every wanted key, 0 where it is none of the sorted keys."""
    if not len(keys):
        return np.zeros(len(wanted))
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[at] == wanted, values[at], 0.0).astype(np.float64)


def fit_network(
    graph: CausalGraph, data: InterventionalData, equivalent_sample_size: float = 1.0
) -> DiscreteNetwork:
    """Return the graph with tables: posterior means under BDeu's prior.

    Rows that target a variable teach its table nothing. State names are the data's, as text. Raises
    `InputError` on a prior of 0 or less and on a table of more than a million cells.
    """
    if not equivalent_sample_size > 0:
        raise InputError(f"equivalent_sample_size is {equivalent_sample_size}; it must be above 0")
    ordered = graph.reordered(data.variables)
    tables = []
    for node, name in enumerate(data.variables):
        family = [*np.flatnonzero(ordered.parent_to_child[:, node]).tolist(), node]
        sizes = [int(k) for k in data.cardinalities[family]]
        cells = int(np.prod(sizes, dtype=object))
        if cells > MOST_CELLS:
            raise InputError(
                f"the table of {name!r} with {len(family) - 1} parents has {cells} cells, at most "
                f"{MOST_CELLS} are written; limit the parents or write the graph alone"
            )
        rows = data.codes[~data.targeted[data.regime_of_row, node]][:, family].astype(np.int64)
        counts = np.bincount(np.ravel_multi_index(tuple(rows.T), sizes), minlength=cells)
        table = (counts + equivalent_sample_size / cells).reshape(sizes)  # [K_parents..., K]
        tables.append(table / table.sum(axis=-1, keepdims=True))
    states = tuple(tuple(str(value) for value in values) for values in data.states)
    return DiscreteNetwork(ordered, states, tuple(tables))
