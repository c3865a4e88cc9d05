"""Assertions about graph recovery for anybody's test suite. Knows no learner in particular."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from s2lab.causal.discovery.protocol import fitted_graph, takes_targets
from s2lab.causal.errors import InputError
from s2lab.causal.graph import CausalGraph
from s2lab.causal.metrics import EdgeDifferences, edge_differences
from s2lab.causal.network import DiscreteNetwork
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


def as_model(
    truth: StructuralCausalModel | DiscreteNetwork | CausalGraph, seed: int
) -> StructuralCausalModel:
    """Return a model to sample from; a bare graph gets random tables of its own seed."""
    if isinstance(truth, StructuralCausalModel):
        return truth
    if isinstance(truth, DiscreteNetwork):
        return StructuralCausalModel.from_network(truth)
    return StructuralCausalModel.random_tables(truth, np.random.default_rng([seed, 1]))
