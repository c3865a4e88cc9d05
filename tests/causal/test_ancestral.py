"""The default learner: its scores against plain restatements, its answers against the truth."""

import functools
from typing import Any

import numpy as np
import pandas
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from s2lab.causal.data import InterventionalData
from s2lab.causal.discovery.ancestral import AncestralDiscovery
from s2lab.causal.discovery.effects import (
    evidence,
    order_by_effects,
    pearson,
)
from s2lab.causal.discovery.environments import Environments
from s2lab.causal.discovery.family_scores import FamilyScores, ScoreOptions
from s2lab.causal.discovery.gaussian_score import GaussianScores
from s2lab.causal.errors import InputError
from s2lab.causal.families import make_family, random_graph
from s2lab.causal.graph import CausalGraph
from s2lab.causal.mechanisms import sdi_recipe
from s2lab.causal.metrics import structural_hamming_distance
from s2lab.causal.networks import load_network
from s2lab.causal.real_scm import RealCausalModel, simulate_real
from s2lab.causal.scm import StructuralCausalModel, simulate, simulate_worlds
from s2lab.causal.testing import assert_recovers

from .test_exact import plain_score


def soft_worlds(seed: int = 0, worlds: int = 2) -> InterventionalData:
    rng = np.random.default_rng(seed)
    scm = StructuralCausalModel.random_tables(make_family("bidiag", 4), rng, categories=3)
    return simulate_worlds(scm, worlds, 300, 60, rng, kind="soft")


def block(data: InterventionalData, world: int, regimes: list[int]) -> InterventionalData:
    """Some environments, as plain observations."""
    part = data.take((data.worlds == world) & np.isin(data.regime_of_row, regimes))
    return InterventionalData.from_frame(part.to_frame())


@pytest.mark.parametrize("parents", [(), (1,), (0, 1, 3)])
def test_a_soft_family_is_its_pooled_table_and_one_of_its_own_per_world(
    parents: tuple[int, ...],
) -> None:
    data = soft_worlds()
    rows = Environments.from_data(data, soft=True)
    ours = FamilyScores(rows, ScoreOptions(1.5)).score(2, parents)
    expected = 0.0
    for world in (0, 1):
        own = data.regimes.index(("X2",))
        others = [r for r in range(len(data.regimes)) if r != own]
        for part in (block(data, world, [own]), block(data, world, others)):
            expected += plain_score(part, 2, parents, 1.5)
    assert ours == pytest.approx(expected, abs=1e-6)


def test_an_unknown_environment_is_pooled_or_apart_whichever_scores_higher() -> None:
    data = soft_worlds(1, worlds=1)
    hidden = data.hide_targets()
    rows = Environments.from_data(hidden)
    scores = FamilyScores(rows, ScoreOptions(1.0))
    value, roles = scores.of_kind(False, 2, (0, 1))
    apart = [e for e in range(len(roles)) if roles[e] == 1]
    pooled = [e for e in range(len(roles)) if roles[e] == 0]
    expected = plain_score(block(data, 0, pooled), 2, (0, 1), 1.0)
    for e in apart:
        expected += plain_score(block(data, 0, [e]), 2, (0, 1), 1.0) - np.log(4)
    assert value == pytest.approx(expected, abs=1e-6)
    assert [data.regimes[e] for e in apart] == [("X2",)]


def test_pearson_has_the_mean_and_variance_of_all_permutations() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.choice(4, 60, p=[0.7, 0.2, 0.06, 0.04]), rng.choice(3, 60, p=[0.8, 0.15, 0.05])

    def table(values: np.ndarray) -> np.ndarray:
        counts = np.zeros((4, 3), np.int64)
        np.add.at(counts, (x, values), 1)
        return counts

    draws = np.array([pearson(table(rng.permutation(y)))[0] for _ in range(20_000)])
    _, mean, variance = pearson(table(y))
    assert mean == pytest.approx(draws.mean(), rel=0.02)
    assert variance == pytest.approx(draws.var(), rel=0.08)
    assert evidence(np.array([[20.0], [6.0], [12.0]]))[0] == pytest.approx(2.5, abs=0.1)  # chi2_6


def test_the_order_puts_causes_first() -> None:
    graph = random_graph(12, np.random.default_rng(0), edge_probability=0.4)
    reach = np.linalg.inv(np.eye(12) - graph.parent_to_child) > 0.5  # [V, V] ancestors
    shuffled = np.random.default_rng(1).permutation(12)
    weight = (10.0 * reach * ~np.eye(12, dtype=bool))[np.ix_(shuffled, shuffled)]
    place = np.argsort(order_by_effects(weight))  # [V]
    arrows = graph.parent_to_child[np.ix_(shuffled, shuffled)]
    assert all(place[a] < place[b] for a, b in np.argwhere(arrows))


@pytest.mark.parametrize("name", ["asia", "sachs"])
def test_published_networks_are_recovered_without_an_error(name: str) -> None:
    assert_recovers(AncestralDiscovery(), load_network(name), shd=0)


@pytest.mark.parametrize("family", ["collider", "full", "jungle"])
def test_networks_over_ten_categories_are_recovered(family: str) -> None:
    scm = StructuralCausalModel.random_networks(make_family(family, 8), np.random.default_rng(0))
    assert_recovers(AncestralDiscovery(), scm, observations=5000, per_intervention=200, seeds=[0])


@pytest.mark.parametrize("hidden", [False, True], ids=["known", "unknown"])
def test_many_parents_are_recovered_from_soft_interventions_in_many_worlds(hidden: bool) -> None:
    rng = np.random.default_rng(0)
    graph = make_family("collider", 8)
    scm = StructuralCausalModel.random_networks(graph, rng, 2, sdi_recipe(8, 2))
    data = simulate_worlds(scm, 10, 2000, 400, rng, kind="soft")
    data = data.hide_targets() if hidden else data
    frame = data.to_frame(targets=True)
    frame = frame[list(rng.permutation(frame.columns))]
    learner = AncestralDiscovery(interventions="soft").fit(frame)
    assert structural_hamming_distance(graph, learner.graph_) == 0
    assert len(learner.intervention_targets_) == (80 if hidden else 0)


def test_the_answer_does_not_hang_on_columns_rows_or_names_of_categories() -> None:
    scm = StructuralCausalModel.from_network(load_network("sachs"))
    rng = np.random.default_rng(3)
    data = simulate(scm, 1500, 100, rng)
    frame = data.to_frame(targets=True)
    one = AncestralDiscovery().fit(frame)
    rows, columns = rng.permutation(len(frame)), rng.permutation(frame.columns)
    renamed = frame.copy()
    for name in scm.variables:
        labels = dict(zip(("LOW", "AVG", "HIGH"), ("z", "a", "m"), strict=True))
        renamed[name] = frame[name].astype(str).map(labels)
    for other in (frame.iloc[rows], frame[list(columns)], renamed):
        again = AncestralDiscovery().fit(other)
        assert structural_hamming_distance(one.graph_, again.graph_) == 0
        assert again.score_ == pytest.approx(one.score_, abs=0.5)


def test_a_real_score_is_that_of_a_least_squares_fit() -> None:
    scm = RealCausalModel.random(make_family("full", 4), np.random.default_rng(0))
    data = simulate_real(scm, 200, 30, np.random.default_rng(1))
    ours = GaussianScores(data).score(2, (0, 3))
    kept = ~data.targeted[data.regime_of_row, 2]  # [N]
    design = np.column_stack([np.ones(kept.sum()), data.values[kept][:, [0, 3]]])
    left = np.linalg.lstsq(design, data.values[kept, 2], rcond=None)[1][0]
    expected = -0.5 * kept.sum() * (1 + np.log(2 * np.pi * left / kept.sum()))
    assert ours == pytest.approx(expected - np.log(len(kept)), abs=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_linear_models_are_recovered(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_graph(12, rng, expected_degree=3)
    data = simulate_real(RealCausalModel.random(graph, rng), 1000, 100, rng)
    frame = data.to_frame(targets=True)
    learner = AncestralDiscovery().fit(frame[list(rng.permutation(frame.columns))])
    assert structural_hamming_distance(graph, learner.graph_) == 0
    assert (learner.edge_probabilities_[learner.graph_.parent_to_child] > 0.5).all()


def test_out_of_time_it_returns_what_it_has() -> None:
    scm = StructuralCausalModel.from_network(load_network("asia"))
    data = simulate(scm, 500, 50, np.random.default_rng(0))
    learner = AncestralDiscovery(max_seconds=0).fit(data.to_frame(targets=True))
    assert not learner.finished_
    assert learner.graph_.variables == data.variables


def test_odd_columns_are_no_obstacle() -> None:
    rng = np.random.default_rng(0)
    a = rng.integers(0, 64, 3000)
    frame = pandas.DataFrame({"a": a, "b": (a + rng.integers(0, 3, 3000)) % 64, "c": "same"})
    frame["intervention_targets"] = [None] * 2000 + ["a"] * 1000
    frame = pandas.concat([frame, frame])
    learner = AncestralDiscovery().fit(frame)
    assert learner.graph_.edges == (("a", "b"),)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"interventions": "hard"}, "interventions is 'hard'"),
        ({"alpha": 0}, "alpha is 0"),
        ({"equivalent_sample_size": 0}, "equivalent_sample_size is 0"),
        ({"edge_penalty": -1}, "edge_penalty is -1"),
        ({"max_seconds": -1}, "max_seconds is -1"),
        ({"kind": "text"}, "kind is 'text'"),
    ],
)
def test_a_bad_option_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        AncestralDiscovery(**options).fit(pandas.DataFrame({"a": [0, 1], "b": [1, 0]}))


@pytest.mark.parametrize(
    ("columns", "targets", "message"),
    [
        ({"a": [0, 1], "b": [1, np.nan]}, None, "'b', row 1: empty"),
        ({"a": [0.5, 1], "b": [1, np.nan]}, None, "'b', row 1: nan"),
        ({"a": [0, 1]}, None, "at least 2"),
        ({"a": [0, 1], "b": [1, 0]}, [None, "z"], "'z' names no column"),
        ({"a": range(65), "b": [0] * 65}, None, "'a' has 65 categories"),
        ({"a": [0.5, 1.0], "b": [1, 0]}, [None, "?1"], "needs known targets"),
    ],
)
def test_bad_data_is_refused(columns: dict[str, Any], targets: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        AncestralDiscovery().fit(pandas.DataFrame(columns), targets=targets)


def test_an_environment_without_rows_is_refused() -> None:
    data = soft_worlds(0, worlds=1)
    emptied = data.take(data.regime_of_row != 2)
    with pytest.raises(InputError, match=r"targets \['X1'\] has no rows"):
        AncestralDiscovery().fit_data(emptied)


@parametrize_with_checks([AncestralDiscovery()])
def test_sklearns_own_checks_pass(estimator: Any, check: functools.partial[None]) -> None:
    check(estimator)


def test_without_interventions_a_v_structure_is_found() -> None:
    graph = CausalGraph.from_edges("abc", [("a", "c"), ("b", "c")])
    scm = StructuralCausalModel.random_tables(graph, np.random.default_rng(1))
    data = simulate(scm, 5000, 0, np.random.default_rng(0))
    assert AncestralDiscovery().fit(data.to_frame()).graph_ == graph
