"""Assertions about graph recovery for anybody's test suite. Knows no learner in particular.

Your algorithm needs `fit(frame)` or `fit(frame, targets=...)` and, afterwards, `causal_graph_`: a
`networkx.DiGraph` (pgmpy's DAG is one) or a `CausalGraph`, on the frame's columns:

    from s2lab.causal import load_network
    from s2lab.causal.testing import assert_recovers

    def test_mine_recovers_asia() -> None:
        assert_recovers(MyAlgorithm(), load_network("asia"), shd=1)

The frame has categorical columns, shuffled by the seed; `targets` has one entry per row: None, a
column, or a tuple of columns. The pytest fixtures `scm` and `interventional_data` come with s2lab.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from s2lab.causal.data import InterventionalData
from s2lab.causal.discovery.protocol import fitted_graph, takes_targets
from s2lab.causal.errors import InputError, nearest
from s2lab.causal.families import FAMILIES, make_family
from s2lab.causal.graph import CausalGraph
from s2lab.causal.metrics import EdgeDifferences, edge_differences
from s2lab.causal.network import DiscreteNetwork
from s2lab.causal.networks import NETWORKS, load_network
from s2lab.causal.scm import StructuralCausalModel, simulate


@dataclass(frozen=True)
class Recovery:
    """What one seed gave."""

    seed: int
    passed: str
    """What `fit` was given, in words."""
    differences: EdgeDifferences

    def __str__(self) -> str:
        shd = self.differences.distance()
        return f"seed {self.seed}: SHD {shd}: {self.differences} ({self.passed})"


def recover(
    discoverer: Any, scm: StructuralCausalModel, observations: int, per_intervention: int, seed: int
) -> Recovery:
    """Fit a copy of the learner on data from one seed and compare its graph with the truth.

    Columns are shuffled by the seed, so that no learner lives off their order. A learner whose
    `fit` does not name `targets` gets the observational rows only.
    """
    rng = np.random.default_rng(seed)
    data = simulate(scm, observations, per_intervention, rng)
    learner = copy.deepcopy(discoverer() if isinstance(discoverer, type) else discoverer)
    if takes_targets(learner):
        frame, rows = data.to_frame(), len(data.codes)
        passed = (
            f"{rows} rows with targets: {observations} observations and {per_intervention} rows "
            f"for a uniform do on each of {len(scm.variables)} variables"
        )
        options = {"targets": data.targets}
    else:
        frame, options = data.observational.to_frame(), {}
        passed = (
            f"{observations} observations, no targets: fit of {type(learner).__name__} names none"
        )
    learner.fit(frame[list(rng.permutation(frame.columns))], **options)
    found = fitted_graph(learner, scm.variables)
    return Recovery(seed, passed, edge_differences(scm.graph, found))


def assert_recovers(
    discoverer: Any,
    scm_or_graph: StructuralCausalModel | DiscreteNetwork | CausalGraph,
    shd: int = 0,
    observations: int = 5000,
    per_intervention: int = 512,
    seeds: Iterable[int] = (0, 1, 2, 3, 4),
) -> list[Recovery]:
    """Assert that a learner is at most `shd` edges off on every seed.

    `discoverer` is anything with `fit` and, afterwards, `causal_graph_`; a fresh copy is fitted per
    seed. For a bare graph, each seed draws three-state conditional tables. The AssertionError lists
    missing, extra and reversed edges of every seed that failed, and what `fit` was given.
    """
    recoveries = [
        recover(discoverer, as_model(scm_or_graph, seed), observations, per_intervention, seed)
        for seed in seeds
    ]
    if not recoveries:
        raise InputError("seeds is empty; give at least one")
    failed = [r for r in recoveries if r.differences.distance() > shd]
    if failed:
        lines = "\n  ".join(str(recovery) for recovery in failed)
        raise AssertionError(
            f"{len(failed)} of {len(recoveries)} seeds are more than SHD {shd} off:\n  {lines}"
        )
    return recoveries


def named_model(
    name: str = "asia", variables: int = 5, categories: int = 3, seed: int = 0
) -> StructuralCausalModel:
    """Return a shipped network, or a family of graphs with random tables drawn by the seed.

    `variables` and `categories` are a family's; its names are in `s2lab.causal.families`. Raises
    `InputError` on a name that is neither.
    """
    if name in NETWORKS:
        return StructuralCausalModel.from_network(load_network(name))
    if name not in FAMILIES:
        raise InputError(f"unknown model {name!r}{nearest(name, [*NETWORKS, *FAMILIES])}")
    rng = np.random.default_rng(seed)
    graph = make_family(name, variables, rng)
    return StructuralCausalModel.random_tables(graph, rng, categories)


def drawn_data(
    scm: StructuralCausalModel,
    observations: int = 5000,
    per_intervention: int = 512,
    targets: Iterable[str] | None = None,
    seed: int = 0,
) -> InterventionalData:
    """Return observations and rows of a uniform do on every target, drawn by the seed."""
    return simulate(scm, observations, per_intervention, np.random.default_rng(seed), targets)


def as_model(
    truth: StructuralCausalModel | DiscreteNetwork | CausalGraph, seed: int
) -> StructuralCausalModel:
    """Return a model to sample from; a bare graph gets random tables of its own seed."""
    if isinstance(truth, StructuralCausalModel):
        return truth
    if isinstance(truth, DiscreteNetwork):
        return StructuralCausalModel.from_network(truth)
    return StructuralCausalModel.random_tables(truth, np.random.default_rng([seed, 1]))
