"""SID, class distances, rates, rankings and held-out likelihood against what we did not write."""

from itertools import combinations

import networkx
import numpy as np
import pytest

from s2lab.causal.data import InterventionalData
from s2lab.causal.errors import InputError
from s2lab.causal.graph import CausalGraph
from s2lab.causal.likelihood import interventional_log_likelihood
from s2lab.causal.metrics import (
    adjustment_mistakes,
    cpdag_distance,
    edge_rates,
    interventional_cpdag_distance,
    is_adjustment_set,
    pdag_distance,
    rank_edges,
    reachability,
    structural_hamming_distance,
    structural_intervention_distance,
    target_accuracy,
)
from s2lab.causal.networks import load_network
from s2lab.causal.pgmpy_bridge import to_pgmpy_dag
from s2lab.causal.scm import StructuralCausalModel, simulate

from .test_graph import all_dags


def random_dag(size: int, rng: np.random.Generator, density: float = 0.5) -> CausalGraph:
    order = rng.permutation(size)
    return CausalGraph.from_matrix(
        np.triu(rng.random((size, size)) < density, 1)[np.ix_(order, order)]
    )


def test_sid_of_the_example_of_peters_and_buehlmann_2015() -> None:
    """Their figure 1: two graphs at SHD 1 from the truth, one at SID 0, one at SID 8."""
    names = ["X1", "X2", "Y1", "Y2", "Y3"]
    edges = [("X1", "X2")] + [(x, y) for x in ("X1", "X2") for y in ("Y1", "Y2", "Y3")]
    true = CausalGraph.from_edges(names, edges)
    more = CausalGraph.from_edges(names, [*edges, ("Y1", "Y2")])
    turned = CausalGraph.from_edges(names, [("X2", "X1"), *edges[1:]])
    assert [structural_hamming_distance(true, g) for g in (more, turned)] == [1, 1]
    assert [structural_intervention_distance(true, g) for g in (more, turned)] == [0, 8]


def effects_by_regression(graph: CausalGraph, rng: np.random.Generator) -> dict[object, bool]:
    """Whether linear adjustment gives the total effect, for every i, j and set: exact covariances.

    With generic coefficients an invalid set is wrong by accident only with probability 0.
    """
    size = len(graph.variables)
    weights = graph.parent_to_child * rng.uniform(0.5, 2.0, (size, size))
    total = np.linalg.inv(np.eye(size) - weights)  # [V, V] effect of row on column
    covariance = total.T @ np.diag(rng.uniform(0.5, 2.0, size)) @ total
    valid: dict[object, bool] = {}
    for i in range(size):
        for j in set(range(size)) - {i}:
            for many in range(size - 1):
                for adjust in combinations(sorted(set(range(size)) - {i, j}), many):
                    inputs = [i, *adjust]
                    block = covariance[np.ix_(inputs, inputs)]
                    slope = np.linalg.solve(block, covariance[inputs, j])[0]
                    valid[i, j, adjust] = abs(slope - total[i, j]) < 1e-9
    return valid


def sampled_dags() -> list[CausalGraph]:
    rng = np.random.default_rng(5)
    return [
        *all_dags(3),
        *all_dags(4)[::3],
        *(random_dag(5, rng, 0.2 + 0.2 * (i % 4)) for i in range(60)),
    ]


def test_adjustment_sets_are_those_that_give_the_right_effect_up_to_five_variables() -> None:
    rng = np.random.default_rng(0)
    for graph in sampled_dags():
        arrows = graph.parent_to_child
        reaches = reachability(arrows)
        for (i, j, adjust), valid in effects_by_regression(graph, rng).items():  # type: ignore[misc]  # keys are triples
            inside = np.isin(np.arange(len(arrows)), adjust)
            assert is_adjustment_set(arrows, reaches, i, j, inside) == valid, (graph, i, j, adjust)


@pytest.mark.parametrize("size", [3, 4, 5])
def test_sid_counts_the_effects_that_the_estimate_gets_wrong(size: int) -> None:
    rng = np.random.default_rng(size)
    for _ in range(40):
        true, guess = random_dag(size, rng), random_dag(size, rng)
        valid = effects_by_regression(true, rng)
        descends = networkx.transitive_closure(true.to_networkx())
        names = true.variables
        wrong = np.zeros((size, size), bool)
        for i in range(size):
            parents = tuple(np.flatnonzero(guess.parent_to_child[:, i]).tolist())
            for j in set(range(size)) - {i}:
                if j in parents:
                    wrong[i, j] = descends.has_edge(names[i], names[j])
                else:
                    wrong[i, j] = not valid[i, j, parents]
        assert np.array_equal(adjustment_mistakes(true, guess), wrong)
        assert structural_intervention_distance(true, true) == 0


def test_sid_is_by_name_and_an_estimate_with_more_edges_costs_nothing() -> None:
    true = load_network("asia").graph
    turned = true.reordered(true.variables[::-1])
    assert structural_intervention_distance(true, turned) == 0
    order = list(true.topological_order)
    full = np.zeros_like(true.parent_to_child)
    for at, node in enumerate(order):
        full[node, order[at + 1 :]] = True
    assert structural_intervention_distance(true, CausalGraph(true.variables, full)) == 0


def test_every_kind_of_disagreement_between_partial_graphs_counts_once() -> None:
    true = np.zeros((6, 6), int)
    true[0, 1] = true[1, 2] = true[2, 1] = true[2, 3] = true[3, 4] = 1
    found = np.zeros((6, 6), int)
    found[0, 1] = 1  # the same
    found[1, 2] = 1  # directed for undirected
    found[3, 2] = 1  # reversed
    found[4, 5] = found[5, 4] = 1  # extra; 3 -> 4 is missing
    assert pdag_distance(true, found) == pdag_distance(found, true) == 4
    with pytest.raises(InputError, match=r"\(6, 6\) and \(2, 2\)"):
        pdag_distance(true, np.zeros((2, 2)))


@pytest.mark.parametrize("seed", range(4))
def test_the_class_distance_counts_the_pairs_that_pgmpys_classes_mark_differently(
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    graphs = random_dag(6, rng), random_dag(6, rng)
    marks: list[dict[frozenset[str], object]] = []
    for graph in graphs:
        partial = to_pgmpy_dag(graph).to_pdag()
        marks.append({frozenset(edge): edge for edge in partial.directed_edges})
        marks[-1].update({frozenset(edge): None for edge in partial.undirected_edges})
    expected = sum(
        marks[0].get(pair, "apart") != marks[1].get(pair, "apart")
        for pair in marks[0].keys() | marks[1].keys()
    )
    assert cpdag_distance(*graphs) == expected


def test_interventions_split_a_class_and_its_distance_shows_it() -> None:
    chain = CausalGraph.from_edges("abc", [("a", "b"), ("b", "c")])
    fork = CausalGraph.from_edges("cba", [("b", "a"), ("b", "c")])
    assert cpdag_distance(chain, fork) == 0
    assert interventional_cpdag_distance(chain, fork, [("a",)]) == 2  # a-b turned, b-c now open
    assert interventional_cpdag_distance(chain, fork, [("a",), ("b",)]) == 1


@pytest.mark.parametrize("ties", [False, True])
def test_rankings_are_scikit_learns(ties: bool) -> None:
    from sklearn.metrics import average_precision_score, roc_auc_score

    rng = np.random.default_rng(1)
    graph = random_dag(8, rng)
    scores = graph.parent_to_child * 0.4 + rng.random((8, 8))
    scores = np.round(scores, 1) if ties else scores
    pairs = ~np.eye(8, dtype=bool)
    labels, flat = graph.parent_to_child[pairs], scores[pairs]
    quality = rank_edges(graph, scores)
    assert quality.auroc == pytest.approx(roc_auc_score(labels, flat), abs=1e-12)
    assert quality.auprc == pytest.approx(average_precision_score(labels, flat), abs=1e-12)


def test_rates_are_scikit_learns_and_of_nothing_one() -> None:
    from sklearn.metrics import precision_recall_fscore_support

    rng = np.random.default_rng(2)
    one, two = random_dag(7, rng), random_dag(7, rng)
    rates = edge_rates(one, two)
    theirs = precision_recall_fscore_support(
        one.parent_to_child.ravel(), two.parent_to_child.ravel(), average="binary"
    )
    assert (rates.precision, rates.recall, rates.f1) == pytest.approx(theirs[:3])
    empty = CausalGraph.from_edges(one.variables, [])
    assert edge_rates(empty, empty).f1 == 1.0
    assert edge_rates(one, empty).f1 == 0.0


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (np.zeros((2, 2)), r"shape \(2, 2\), expected \(3, 3\)"),
        (np.full((3, 3), np.nan), "has NaN"),
    ],
)
def test_a_ranking_of_nonsense_is_refused(scores: np.ndarray, message: str) -> None:
    graph = CausalGraph.from_edges("abc", [("a", "b")])
    with pytest.raises(InputError, match=message):
        rank_edges(graph, scores)
    with pytest.raises(InputError, match="nothing can be ranked"):
        rank_edges(CausalGraph.from_edges("abc", []), np.zeros((3, 3)))


def test_target_sets_count_only_when_they_are_exactly_right() -> None:
    true = [None, "a", ("a", "b"), ["b", "a"], "c"]
    found = [(), ("a",), ("b", "a"), ["a"], None]
    assert target_accuracy(true, found) == pytest.approx(3 / 5)
    with pytest.raises(InputError, match="2 true and 1 estimated"):
        target_accuracy(["a", "b"], ["a"])


def test_the_held_out_likelihood_is_that_of_tables_counted_row_by_row() -> None:
    network = load_network("cancer")
    scm = StructuralCausalModel.from_network(network)
    rng = np.random.default_rng(0)
    train, test = simulate(scm, 300, 10, rng), simulate(scm, 100, 5, rng)
    ours = interventional_log_likelihood(scm.graph, train, test, equivalent_sample_size=10)
    for v, name in enumerate(network.variables):
        parents = [network.graph.index(p) for p in network.graph.parents(name)]
        configurations = np.prod([len(network.states[p]) for p in parents])
        prior = 10 / configurations / len(network.states[v])
        pairs = [
            [
                (tuple(row[parents]), row[v])
                for row, t in zip(d.codes, d.targets, strict=True)
                if t != name
            ]
            for d in (train, test)
        ]
        logs = []
        for configuration, value in pairs[1]:
            same = [seen for at, seen in pairs[0] if at == configuration]
            hits = sum(seen == value for seen in same)
            logs.append(np.log((hits + prior) / (len(same) + prior * len(network.states[v]))))
        assert ours[v] == pytest.approx(np.mean(logs), abs=1e-12)


def test_rows_that_target_a_variable_neither_teach_nor_judge_it() -> None:
    graph = CausalGraph.from_edges("ab", [("a", "b")])
    scm = StructuralCausalModel.random_tables(graph, np.random.default_rng(3))
    data = simulate(scm, 400, 300, np.random.default_rng(4))
    spoiled = data.codes.copy()
    of_b = data.targeted[data.regime_of_row, 1]
    spoiled[of_b, 1] = 0
    other = InterventionalData(
        data.variables, spoiled, data.states, data.regimes, data.regime_of_row
    )
    one = interventional_log_likelihood(graph, data, data)
    assert one == pytest.approx(interventional_log_likelihood(graph, other, other))
    only_b = data.take(of_b)
    assert interventional_log_likelihood(graph, data, only_b)[1] == 0.0
    with pytest.raises(InputError, match="0 training"):
        interventional_log_likelihood(graph, data.take(np.zeros(0, int)), data)
