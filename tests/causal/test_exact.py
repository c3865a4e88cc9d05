"""The exact learner against brute force, pgmpy's score and the truth."""

from itertools import combinations
from math import lgamma
from typing import Any

import networkx
import numpy as np
import pandas
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from s2lab.causal.data import InterventionalData
from s2lab.causal.discovery.bdeu import local_scores
from s2lab.causal.discovery.exact import ExactDiscovery
from s2lab.causal.errors import InputError
from s2lab.causal.graph import CausalGraph
from s2lab.causal.metrics import structural_hamming_distance
from s2lab.causal.networks import load_network
from s2lab.causal.scm import StructuralCausalModel, simulate

from .test_graph import all_dags


def plain_score(
    data: InterventionalData, child: int, parents: tuple[int, ...], ess: float
) -> float:
    """Cooper & Yoo (1999): one Dirichlet-multinomial family, rows that target it left out."""
    sizes = data.cardinalities
    cells = int(np.prod(sizes[list(parents)]))
    kept = ~data.targeted[data.regime_of_row, child]  # [N]
    counts: dict[tuple[int, ...], dict[int, int]] = {}
    for row in data.codes[kept].tolist():
        cell = counts.setdefault(tuple(row[p] for p in parents), {})
        cell[row[child]] = cell.get(row[child], 0) + 1
    score = 0.0
    for cell in counts.values():
        score += lgamma(ess / cells) - lgamma(ess / cells + sum(cell.values()))
        for count in cell.values():
            prior = ess / cells / int(sizes[child])
            score += lgamma(prior + count) - lgamma(prior)
    return score


def small_world(seed: int, variables: int = 4) -> InterventionalData:
    rng = np.random.default_rng(seed)
    matrix = np.triu(rng.random((variables, variables)) < 0.5, 1)  # [V, V]
    order = rng.permutation(variables)
    graph = CausalGraph.from_matrix(matrix[np.ix_(order, order)])
    scm = StructuralCausalModel.random_tables(graph, rng, categories=2 + seed % 2)
    data = simulate(scm, 1000, 30, rng)
    frame = data.to_frame()
    pair = [("X0", "X1") if i % 50 == 0 else t for i, t in enumerate(data.targets)]
    return InterventionalData.from_frame(frame, pair)


def test_every_local_score_is_the_plain_one() -> None:
    data = small_world(1)
    scores = local_scores(data, 1.5)  # [V, 2^V]
    for child in range(4):
        others = [v for v in range(4) if v != child]
        for size in range(4):
            for parents in combinations(others, size):
                mask = sum(1 << p for p in parents)
                assert scores[child, mask] == pytest.approx(
                    plain_score(data, child, parents, 1.5), abs=1e-8
                )
                assert scores[child, mask | 1 << child] == -np.inf


@pytest.mark.parametrize("ess", [1.0, 10.0])
def test_on_observations_a_local_score_is_pgmpys_bdeu(ess: float) -> None:
    from pgmpy.structure_score import BDeu

    scm = StructuralCausalModel.from_network(load_network("asia"))
    data = simulate(scm, 3000, 0, np.random.default_rng(0))
    names = data.variables
    states = {name: list(values) for name, values in zip(names, data.states, strict=True)}
    theirs = BDeu(data.to_frame().astype(str), equivalent_sample_size=ess, state_names=states)
    ours = local_scores(data, ess)  # [V, 2^V]
    for child, parents in (
        ("dysp", ("bronc", "either")),
        ("asia", ()),
        ("lung", ("smoke", "xray")),
    ):
        mask = sum(1 << names.index(parent) for parent in parents)
        assert ours[names.index(child), mask] == pytest.approx(
            theirs.local_score(child, parents), abs=1e-6
        )


@pytest.mark.parametrize("seed", range(6))
def test_no_graph_scores_higher_than_the_one_that_is_found(seed: int) -> None:
    data = small_world(seed, variables=3 + seed % 2)
    learner = ExactDiscovery().fit(data.to_frame(), targets=data.targets)
    families: dict[tuple[int, tuple[int, ...]], float] = {}
    totals = []
    for graph in all_dags(len(data.variables)):
        total = 0.0
        for child in range(len(data.variables)):
            parents = tuple(np.flatnonzero(graph.parent_to_child[:, child]).tolist())
            key = (child, parents)
            if key not in families:
                families[key] = plain_score(data, child, parents, 1.0)
            total += families[key]
        totals.append((total, graph))
    best = max(total for total, _ in totals)
    assert learner.score_ == pytest.approx(best, abs=1e-7)
    winners = [graph for total, graph in totals if total > best - 1e-7]
    assert learner.graph_ in winners


@pytest.mark.parametrize("seed", range(5))
def test_asia_is_recovered_without_an_error(seed: int) -> None:
    scm = StructuralCausalModel.from_network(load_network("asia"))
    rng = np.random.default_rng(seed)
    data = simulate(scm, 5000, 512, rng)
    frame = data.to_frame()[list(rng.permutation(data.variables))]
    learner = ExactDiscovery().fit(frame, targets=data.targets)
    assert structural_hamming_distance(scm.graph, learner.graph_) == 0
    assert tuple(learner.feature_names_in_) == tuple(frame.columns)
    assert set(learner.causal_graph_.edges()) == set(scm.graph.edges)
    assert np.array_equal(learner.interventional_cpdag_, learner.graph_.parent_to_child)


def test_the_targets_column_does_what_the_argument_does_and_strings_do_too() -> None:
    scm = StructuralCausalModel.from_network(load_network("cancer"))
    data = simulate(scm, 2000, 300, np.random.default_rng(0))
    one = ExactDiscovery().fit(data.to_frame(), targets=data.targets)
    two = ExactDiscovery().fit(data.to_frame(targets=True))
    three = ExactDiscovery().fit(data.to_frame().astype(str), targets=data.targets)
    assert one.score_ == two.score_ == pytest.approx(three.score_, abs=1e-9)
    pandas.testing.assert_frame_equal(one.adjacency_matrix_, two.adjacency_matrix_)
    pandas.testing.assert_frame_equal(one.adjacency_matrix_, three.adjacency_matrix_)


def test_without_targets_the_rows_of_interventions_mislead() -> None:
    scm = StructuralCausalModel.from_network(load_network("asia"))
    data = simulate(scm, 5000, 512, np.random.default_rng(0))
    blind = ExactDiscovery().fit(data.to_frame())
    assert structural_hamming_distance(scm.graph, blind.graph_) > 0


def test_max_parents_and_the_edge_penalty_hold() -> None:
    data = small_world(3)
    few = ExactDiscovery(max_parents=1).fit(data.to_frame(), targets=data.targets)
    assert few.adjacency_matrix_.to_numpy().sum(axis=0).max() <= 1
    none = ExactDiscovery(edge_penalty=1e9).fit(data.to_frame(), targets=data.targets)
    assert none.adjacency_matrix_.to_numpy().sum() == 0


def test_constant_columns_and_unseen_categories_are_no_obstacle() -> None:
    frame = pandas.DataFrame(
        {
            "a": pandas.Categorical([0, 1] * 20, categories=[0, 1, 2]),
            "b": [0, 1] * 20,
            "c": ["same"] * 40,
        }
    )
    learner = ExactDiscovery().fit(frame)
    adjacency = learner.adjacency_matrix_
    assert adjacency.loc["a", "b"] + adjacency.loc["b", "a"] == 1
    assert adjacency.loc["c"].sum() + adjacency["c"].sum() == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"equivalent_sample_size": 0}, "equivalent_sample_size is 0"),
        ({"edge_penalty": -1.0}, "edge_penalty is -1"),
        ({"max_parents": -1}, "max_parents is -1"),
        ({"interventions": "hard"}, "interventions is 'hard'"),
        ({"max_seconds": -1}, "max_seconds is -1"),
    ],
)
def test_a_bad_option_is_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ExactDiscovery(**options).fit(pandas.DataFrame({"a": [0, 1], "b": [1, 0]}))  # type: ignore[arg-type]  # bad on purpose


def test_too_many_variables_or_categories_are_refused() -> None:
    with pytest.raises(InputError, match="17 variables; 'exact' takes at most 16"):
        ExactDiscovery().fit(np.zeros((2, 17), int))
    with pytest.raises(InputError, match="'a' has 65 categories"):
        ExactDiscovery().fit(pandas.DataFrame({"a": range(65), "b": [0] * 65}))


@pytest.mark.parametrize("seed", range(3))
def test_edge_probabilities_are_those_of_all_graphs_and_their_orders(seed: int) -> None:
    data = small_world(seed)
    data = data.take(np.arange(0, len(data.codes), 20))  # few rows: probabilities off 0 and 1
    learner = ExactDiscovery().fit(data.to_frame(), targets=data.targets)
    scores = local_scores(data, 1.0)  # [V, 2^V]
    weights, matrices = [], []
    for graph in all_dags(4):
        masks = [sum(1 << p for p in np.flatnonzero(graph.parent_to_child[:, c])) for c in range(4)]
        orders = sum(1 for _ in networkx.all_topological_sorts(graph.to_networkx()))
        weights.append(np.log(orders) + sum(scores[c, m] for c, m in enumerate(masks)))
        matrices.append(graph.parent_to_child)
    share = np.exp(np.array(weights) - max(weights))
    expected = np.tensordot(share / share.sum(), np.array(matrices), 1)  # [V, V]
    assert learner.edge_probabilities_ == pytest.approx(expected, abs=1e-9)
    assert expected.max(where=expected < 0.99, initial=0) > 0.01


@pytest.mark.parametrize("network", ["asia", "sachs"])
def test_unknown_soft_targets_and_the_graph_are_found_together(network: str) -> None:
    scm = StructuralCausalModel.from_network(load_network(network))
    told = simulate(scm, 5000, 512, np.random.default_rng(0), kind="soft")
    hidden = told.hide_targets()
    learner = ExactDiscovery(interventions="soft", max_parents=4).fit(hidden.to_frame(targets=True))
    assert structural_hamming_distance(scm.graph, learner.graph_) == 0
    right = [
        learner.intervention_targets_[f"?{i + 1}"] == (name,)
        for i, name in enumerate(told.variables)
    ]
    assert np.mean(right) >= 0.8


def test_a_family_with_soft_targets_is_scored_alike_by_both_routes() -> None:
    data = small_world(2)
    frame = data.to_frame()
    one = ExactDiscovery().fit(frame, targets=data.targets)
    rows = len(frame)
    worlds = pandas.concat([frame, frame])
    two = ExactDiscovery().fit(worlds, targets=[*data.targets] * 2, worlds=[0] * rows + [1] * rows)
    assert two.score_ == pytest.approx(2 * one.score_, abs=1e-6)
    assert two.graph_ == one.graph_


def test_out_of_time_it_says_what_to_do() -> None:
    with pytest.raises(InputError, match="use 'ancestral'"):
        ExactDiscovery(max_seconds=0).fit(np.zeros((4, 3), int))


FRACTIONS = {"check_estimators_nan_inf": "its fractions are refused before its NaN is met"}


@parametrize_with_checks([ExactDiscovery()], expected_failed_checks=lambda _: FRACTIONS)
def test_sklearns_own_checks_pass(estimator: Any, check: Any) -> None:
    check(estimator)


def test_an_unfitted_learner_has_no_graph() -> None:
    assert not hasattr(ExactDiscovery(), "causal_graph_")
