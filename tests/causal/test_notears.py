"""NOTEARS: its gradients against finite differences, its constraint against networkx."""

from typing import Any

import networkx
import numpy as np
import pandas
import pytest
from scipy.optimize import approx_fprime

from s2lab.causal.discovery.notears import (
    NotearsDiscovery,
    acyclicity,
    penalised_loss,
    squared_loss,
)
from s2lab.causal.errors import InputError
from s2lab.causal.families import make_family
from s2lab.causal.metrics import structural_hamming_distance


def test_gradients_are_finite_differences() -> None:
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(4, 4)) * 0.5
    rows = rng.normal(size=(4, 30, 4))
    covariances = np.einsum("jni,jnk->jik", rows, rows) / 30

    def numeric(function: Any) -> np.ndarray:
        return approx_fprime(weights.ravel(), lambda w: function(w.reshape(4, 4)), 1e-7)

    assert acyclicity(weights)[1].ravel() == pytest.approx(
        numeric(lambda w: acyclicity(w)[0]), abs=1e-4
    )
    assert squared_loss(weights, covariances)[1].ravel() == pytest.approx(
        numeric(lambda w: squared_loss(w, covariances)[0]), abs=1e-4
    )
    split = rng.random(32)
    constants = (covariances, 0.1, 0.7, 3.0)
    slope = approx_fprime(split, lambda s: penalised_loss(s, *constants)[0], 1e-7)
    assert penalised_loss(split, *constants)[1] == pytest.approx(slope, rel=1e-3, abs=1e-2)


def test_the_loss_is_that_of_residuals() -> None:
    rng = np.random.default_rng(1)
    rows, weights = rng.normal(size=(50, 3)), rng.normal(size=(3, 3))
    covariances = np.stack([rows.T @ rows / 50] * 3)
    expected = 0.5 * np.sum((rows - rows @ weights) ** 2) / 50
    assert squared_loss(weights, covariances)[0] == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(10))
def test_the_constraint_is_zero_exactly_for_acyclic_weights(seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights = (rng.random((5, 5)) < 0.25) * rng.uniform(0.5, 2, (5, 5))
    graph = networkx.from_numpy_array(weights, create_using=networkx.DiGraph)
    acyclic = networkx.is_directed_acyclic_graph(graph)
    assert (abs(acyclicity(weights)[0]) < 1e-9) == acyclic


def linear_frame(seed: int, targets: bool) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(seed)
    graph = make_family("jungle", 8)
    weights = graph.parent_to_child * rng.uniform(0.8, 1.6, (8, 8)) * rng.choice([-1, 1], (8, 8))
    blocks, told = [], []
    for target in [None, *range(8)] if targets else [None]:
        cut = weights.copy()
        if target is not None:
            cut[:, target] = 0
        noise = rng.normal(size=(1000 if target is None else 200, 8))
        blocks.append(noise @ np.linalg.inv(np.eye(8) - cut))
        told += [None if target is None else graph.variables[target]] * len(noise)
    order = list(rng.permutation(graph.variables))
    return graph, pandas.DataFrame(np.concatenate(blocks), columns=graph.variables)[order], told


@pytest.mark.parametrize("targets", [False, True])
def test_equal_variances_give_the_graph_away(targets: bool) -> None:
    """With noise of one variance the truth has the least squared loss (Loh & Buehlmann 2014)."""
    graph, frame, told = linear_frame(0, targets)
    learner = NotearsDiscovery().fit(frame, targets=told)
    assert structural_hamming_distance(graph, learner.graph_) == 0
    assert learner.acyclicity_ <= 1e-8


def test_sparsity_and_time_limit_the_search() -> None:
    _, frame, _ = linear_frame(0, False)
    assert NotearsDiscovery(sparsity=1e6).fit(frame).graph_.edges == ()
    assert NotearsDiscovery(max_seconds=1e-9).fit(frame).rounds_ == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sparsity": -1}, "sparsity is -1"),
        ({"tolerance": 0}, "tolerance is 0"),
        ({"max_rounds": 0}, "max_rounds is 0"),
        ({"max_seconds": 0}, "max_seconds is 0"),
    ],
)
def test_a_bad_option_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        NotearsDiscovery(**options).fit(pandas.DataFrame({"a": [0.0, 1], "b": [1.0, 0]}))
