"""GIES against the gies package, least squares, and what it promises about odd data."""

from itertools import pairwise
from typing import Any

import gies
import numpy as np
import pandas
import pytest

from s2lab.causal.discovery.gies import GiesDiscovery
from s2lab.causal.equivalence import interventional_cpdag
from s2lab.causal.errors import InputError
from s2lab.causal.graph import CausalGraph

from .test_distances import random_dag
from .test_graph import all_dags

Environments = list[tuple[tuple[int, ...], np.ndarray]]


def gaussian_world(seed: int, size: int | None = None) -> tuple[CausalGraph, Environments]:
    """A random linear-Gaussian model and environments with distinct target sets, means moved."""
    rng = np.random.default_rng(seed)
    size = size or int(rng.integers(3, 9))
    graph = random_dag(size, rng, rng.uniform(0.2, 0.8))
    weights = graph.parent_to_child * rng.uniform(0.5, 1.5, (size, size))
    weights *= rng.choice([-1, 1], (size, size))
    sets: set[tuple[int, ...]] = {()}
    for _ in range(int(rng.integers(0, 4))):
        chosen = rng.choice(size, int(rng.integers(1, 3)), replace=False)
        sets.add(tuple(sorted(chosen.tolist())))
    environments = []
    for targets in sorted(sets):
        cut = weights.copy()  # [V, V]
        cut[:, list(targets)] = 0
        noise = rng.normal(size=(int(rng.integers(50, 300)), size))
        noise[:, list(targets)] += 2
        environments.append((targets, noise @ np.linalg.inv(np.eye(size) - cut)))
    return graph, environments


def fit(environments: Environments, **options: Any) -> GiesDiscovery:
    names = [f"X{i}" for i in range(environments[0][1].shape[1])]
    frame = pandas.DataFrame(np.concatenate([rows for _, rows in environments]), columns=names)
    targets = [tuple(names[i] for i in inside) for inside, rows in environments for _ in rows]
    return GiesDiscovery(**options).fit(frame, targets=targets)


@pytest.mark.parametrize("seed", range(50))
def test_score_and_class_are_those_of_the_gies_package(seed: int) -> None:
    _, environments = gaussian_world(seed)
    sets = [list(targets) for targets, _ in environments]
    tables = [rows for _, rows in environments]
    theirs, score = gies.fit_bic(tables, sets)
    ours = fit(environments)
    assert ours.score_ == pytest.approx(score, abs=1e-6)
    assert np.array_equal(ours.interventional_cpdag_, theirs != 0)


def plain_score(graph: CausalGraph, environments: Environments) -> float:
    """BIC by least squares on rows centred per environment, targets' own rows left out."""
    total = 0.0
    price = 0.5 * np.log(sum(len(rows) for _, rows in environments))
    for child in range(len(graph.variables)):
        used = [rows - rows.mean(axis=0) for targets, rows in environments if child not in targets]
        rows = np.concatenate(used)
        parents = np.flatnonzero(graph.parent_to_child[:, child])
        slopes = np.linalg.lstsq(rows[:, parents], rows[:, child], rcond=None)[0]
        variance = np.mean((rows[:, child] - rows[:, parents] @ slopes) ** 2)
        total -= 0.5 * len(rows) * (1 + np.log(variance)) + price * (len(parents) + 1)
    return total


@pytest.mark.parametrize("seed", range(4))
def test_the_score_is_that_of_least_squares_and_equal_within_the_class(seed: int) -> None:
    _, environments = gaussian_world(seed, size=4)
    learner = fit(environments)
    sets = [[f"X{i}" for i in targets] for targets, _ in environments]
    members = [
        graph
        for graph in all_dags(4)
        if np.array_equal(interventional_cpdag(graph, sets), learner.interventional_cpdag_)
    ]
    assert learner.graph_ in members
    for graph in members:
        assert plain_score(graph, environments) == pytest.approx(learner.score_, abs=1e-7)


@pytest.mark.parametrize("seed", range(3))
def test_a_chain_with_a_do_on_every_second_node_is_recovered(seed: int) -> None:
    rng = np.random.default_rng(seed)
    order = rng.permutation(12)
    weights = np.zeros((12, 12))
    for parent, child in pairwise(order):
        weights[parent, child] = 1.0
    environments: Environments = []
    for targets in [(), *((int(node),) for node in order[::2])]:
        cut = weights.copy()
        cut[:, list(targets)] = 0
        noise = rng.normal(size=(500, 12))
        environments.append((targets, noise @ np.linalg.inv(np.eye(12) - cut)))
    learner = fit(environments)
    assert np.array_equal(learner.graph_.parent_to_child, weights != 0)


def test_the_order_of_rows_and_columns_does_not_matter() -> None:
    _, environments = gaussian_world(11, size=7)
    one = fit(environments)
    rng = np.random.default_rng(0)
    columns = rng.permutation(7)
    frame = pandas.DataFrame(
        np.concatenate([rows for _, rows in environments]), columns=[f"X{i}" for i in range(7)]
    )
    targets = np.array(
        [";".join(f"X{i}" for i in t) for t, rows in environments for _ in rows], dtype=object
    )
    rows = rng.permutation(len(frame))
    shuffled = [tuple(filter(None, t.split(";"))) for t in targets[rows]]
    two = GiesDiscovery().fit(frame.iloc[rows, columns], targets=shuffled)
    assert two.score_ == pytest.approx(one.score_, abs=1e-6)
    same = one.interventional_cpdag_[np.ix_(columns, columns)]
    assert np.array_equal(two.interventional_cpdag_, same)


def test_constant_and_copied_columns_and_repeated_rows_are_no_obstacle() -> None:
    rng = np.random.default_rng(1)
    a = rng.normal(size=400)
    frame = pandas.DataFrame({"a": a, "copy": a, "b": a + rng.normal(size=400), "same": 1.0})
    frame = pandas.concat([frame, frame])
    adjacency = GiesDiscovery().fit(frame).adjacency_matrix_
    assert adjacency.loc["same"].sum() + adjacency["same"].sum() == 0
    assert adjacency.loc["a", "copy"] + adjacency.loc["copy", "a"] == 1
    assert adjacency.loc[["a", "copy"], "b"].sum() + adjacency.loc["b", ["a", "copy"]].sum() == 1


def test_time_and_price_limit_the_search() -> None:
    _, environments = gaussian_world(3, size=8)
    assert fit(environments, max_seconds=1e-9).steps_ == 1
    assert fit(environments, penalty=1e9).graph_.edges == ()
    assert len(fit(environments, penalty=0.0).graph_.edges) == 28


@pytest.mark.parametrize(
    ("frame", "targets", "options", "message"),
    [
        ({"a": [0.0, 1], "b": [1, 0.5]}, None, {"penalty": -1}, "penalty is -1"),
        ({"a": [0.0, 1], "b": [1, 0.5]}, None, {"max_seconds": 0}, "max_seconds is 0"),
        ({"a": [0.0, 1], "b": [1, 0.5]}, ["a", "a"], {}, "every row targets 'a'"),
        ({"a": [0.0, 1], "b": [1, 0.5]}, ["?1", None], {}, "are not known"),
        ({"a": [0.0, 1], "b": [1, 0.5]}, ["c", None], {}, "'c' names no column"),
        ({"a": [0.0, np.nan], "b": [1, 0.5]}, None, {}, "'a', row 1: nan"),
        ({"a": ["x", "y"], "b": [1, 0.5]}, None, {}, "not a column of real numbers"),
        ({"a": [0.0, 1]}, None, {}, "at least 2"),
    ],
)
def test_what_cannot_be_used_is_refused(
    frame: dict[str, Any], targets: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        GiesDiscovery(**options).fit(pandas.DataFrame(frame), targets=targets)
