"""Families, networks, soft interventions and counterfactuals against closed forms."""

from itertools import product

import networkx
import numpy as np
import pytest

from s2lab.causal.data import ContinuousData, InterventionalData
from s2lab.causal.errors import InputError
from s2lab.causal.families import FAMILIES, make_family, random_graph, scale_free
from s2lab.causal.functional import LinearGaussian
from s2lab.causal.graph import CausalGraph
from s2lab.causal.mechanisms import enco_recipe, orthogonal, random_network, sdi_recipe
from s2lab.causal.real_scm import REAL_MECHANISMS, RealCausalModel, simulate_real
from s2lab.causal.scm import StructuralCausalModel, simulate, simulate_worlds


@pytest.mark.parametrize(
    ("name", "edges"),
    # Counted by hand from the definitions: n - 1, 2n - 3, n (n - 1) / 2, and for 7 nodes of a
    # binary tree 6 edges to children and 4 to grandchildren.
    [("chain", 6), ("collider", 6), ("tree", 6), ("bidiag", 11), ("full", 21), ("jungle", 10)],
)
def test_a_family_has_the_edges_of_its_definition(name: str, edges: int) -> None:
    graph = make_family(name, 7)
    assert len(graph.edges) == edges
    if name in ("chain", "collider", "tree", "bidiag", "full", "jungle"):
        assert networkx.is_weakly_connected(graph.to_networkx())


def test_the_jungle_of_seven_is_the_published_picture() -> None:
    assert set(make_family("jungle", 7).edges) == {
        *(("X0", f"X{i}") for i in (1, 2, 3, 4, 5, 6)),
        *(("X1", f"X{i}") for i in (3, 4)),
        *(("X2", f"X{i}") for i in (5, 6)),
    }


def test_random_graphs_have_the_degree_that_was_asked_for() -> None:
    rng = np.random.default_rng(0)
    degrees = [2 * len(random_graph(100, rng, expected_degree=8).edges) / 100 for _ in range(20)]
    assert np.mean(degrees) == pytest.approx(8, abs=0.3)
    free = scale_free(200, rng)
    assert (free.parent_to_child.sum(axis=0)[2:] == 2).all()
    assert free.parent_to_child.sum(axis=1).max() > 15


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "either edge_probability or expected_degree"),
        ({"edge_probability": 0.1, "expected_degree": 1}, "and not both"),
        ({"expected_degree": 9}, "at most 4"),
    ],
)
def test_an_impossible_random_graph_is_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        random_graph(5, np.random.default_rng(0), **options)
    with pytest.raises(InputError, match="did you mean 'chain'"):
        make_family("chian", 5)


@pytest.mark.parametrize("shape", [(8, 3), (3, 8), (4, 4)])
def test_orthogonal_weights_are_orthogonal(shape: tuple[int, int]) -> None:
    weights = orthogonal(*shape, 2.5, np.random.default_rng(0))
    small = weights @ weights.T if shape[0] <= shape[1] else weights.T @ weights
    assert np.allclose(small, 6.25 * np.eye(min(shape)))


@pytest.mark.parametrize("recipe", [sdi_recipe(5, 3), enco_recipe()], ids=["sdi", "enco"])
def test_a_tabulated_network_is_the_network(recipe: object) -> None:
    network = random_network((3, 2, 3), 3, recipe, np.random.default_rng(1))  # type: ignore[arg-type]  # either recipe
    assert network.table is not None
    for at in product(range(3), range(2), range(3)):
        row = network.probabilities(np.array([at]))[0]  # [K]
        assert network.table.probabilities[at] == pytest.approx(row)
    other = network.redrawn(np.random.default_rng(2))
    assert other.parent_sizes == network.parent_sizes
    assert not np.allclose(other.readout, network.readout)


def test_a_soft_intervention_keeps_the_other_mechanisms_and_the_arrows() -> None:
    graph = CausalGraph.from_edges("abc", [("a", "b"), ("b", "c")])
    scm = StructuralCausalModel.random_tables(graph, np.random.default_rng(0))
    soft = scm.redrawn(np.random.default_rng(1), ["b"])
    assert soft.graph == graph
    assert [x is y for x, y in zip(soft.mechanisms, scm.mechanisms, strict=True)] == [
        True,
        False,
        True,
    ]


def test_worlds_share_the_graph_and_hidden_targets_name_each_environment_once() -> None:
    scm = StructuralCausalModel.random_networks(make_family("chain", 3), np.random.default_rng(0))
    data = simulate_worlds(scm, 2, 6, 4, np.random.default_rng(1), ["X0", ("X2", "X1")], "soft")
    assert len(data.codes) == 2 * (6 + 4 + 4)
    assert data.regimes == ((), ("X0",), ("X1", "X2"))
    hidden = data.hide_targets()
    assert hidden.regimes == ((), ("?1",), ("?2",), ("?3",), ("?4",))
    assert np.bincount(hidden.regime_of_row).tolist() == [12, 4, 4, 4, 4]
    assert hidden.unknown.tolist() == [False, True, True, True, True]
    assert not hidden.targeted.any()
    frame = hidden.to_frame(targets=True)
    back = InterventionalData.from_frame(frame)
    assert np.array_equal(back.worlds, data.worlds)
    assert back.targets == hidden.targets


def test_a_linear_model_has_the_covariance_of_its_closed_form() -> None:
    graph = random_graph(5, np.random.default_rng(3), edge_probability=0.6)
    scm = RealCausalModel.random(graph, np.random.default_rng(4))
    weights = np.zeros((5, 5))  # [V, V] parent -> child
    deviations = np.zeros(5)  # [V]
    for node, mechanism in enumerate(scm.mechanisms):
        assert isinstance(mechanism, LinearGaussian)
        weights[graph.parent_to_child[:, node], node] = mechanism.weights
        deviations[node] = mechanism.deviation
    weights[:, 2], deviations[2] = 0.0, 1.0  # do(X2 ~ N(0, 1))
    mixing = np.linalg.inv(np.eye(5) - weights)  # [V, V]
    expected = mixing.T @ np.diag(deviations**2) @ mixing
    rows = scm.sample(200_000, np.random.default_rng(5), do={"X2": None})  # [N, V]
    assert np.cov(rows.T) == pytest.approx(expected, abs=0.06 * np.abs(expected).max())


@pytest.mark.parametrize("kind", REAL_MECHANISMS)
def test_a_counterfactual_of_what_happened_is_what_happened(kind: str) -> None:
    graph = make_family("full", 4)
    scm = RealCausalModel.random(graph, np.random.default_rng(0), kind)
    rows = scm.sample(50, np.random.default_rng(1))  # [N, V]
    assert np.allclose(scm.counterfactual(rows, {}), rows)
    other = scm.counterfactual(rows, {"X1": 1.5})  # [N, V]
    assert np.allclose(other[:, 0], rows[:, 0])
    assert np.allclose(other[:, 1], 1.5)
    assert not np.allclose(other[:, 3], rows[:, 3])
    repaired = scm.do({"X1": 1.5}).predict(scm.abduct(rows) * [1, 0, 1, 1])
    assert np.allclose(repaired, other)


def test_real_data_survives_a_frame_and_refuses_text_and_nan() -> None:
    scm = RealCausalModel.random(make_family("chain", 3), np.random.default_rng(0))
    data = simulate_real(scm, 5, 2, np.random.default_rng(1), [("X0", "X2"), "X1"])
    back = ContinuousData.from_frame(data.to_frame(targets=True))
    assert np.array_equal(back.values, data.values)
    assert back.targets == data.targets
    frame = data.to_frame()
    frame.loc[3, "X1"] = np.nan
    with pytest.raises(InputError, match="'X1', row 3: nan"):
        ContinuousData.from_frame(frame)
    with pytest.raises(InputError, match="'X1' is not a column of real numbers"):
        ContinuousData.from_frame(frame.assign(X1=list("abcdefghi")))


def test_families_are_all_named_and_acyclic() -> None:
    for name in FAMILIES:
        graph = make_family(name, 9, np.random.default_rng(0))
        assert networkx.is_directed_acyclic_graph(graph.to_networkx())


def test_a_kind_that_is_none_is_refused() -> None:
    scm = StructuralCausalModel.random_tables(make_family("chain", 3), np.random.default_rng(0))
    with pytest.raises(InputError, match="kind of intervention 'hard'"):
        simulate(scm, 5, 5, np.random.default_rng(0), kind="hard")  # type: ignore[arg-type]  # bad on purpose
