"""Graphs against networkx and against enumeration."""

import json
from itertools import product

import networkx
import numpy as np
import pytest

from s2lab.causal.equivalence import cpdag, interventional_cpdag, v_structures
from s2lab.causal.errors import InputError
from s2lab.causal.graph import CausalGraph, find_cycle


def all_dags(size: int) -> list[CausalGraph]:
    pairs = [(i, j) for i in range(size) for j in range(i)]
    graphs = []
    for kinds in product(range(3), repeat=len(pairs)):
        matrix = np.zeros((size, size), bool)
        for (i, j), kind in zip(pairs, kinds, strict=True):
            matrix[i, j], matrix[j, i] = kind == 1, kind == 2
        if not find_cycle(matrix):
            graphs.append(CausalGraph.from_matrix(matrix))
    return graphs


def test_acyclic_matrices_are_counted_as_robinson_1973_counts_them() -> None:
    assert [len(all_dags(size)) for size in (1, 2, 3, 4)] == [1, 3, 25, 543]


@pytest.mark.parametrize("seed", range(20))
def test_order_and_cycles_agree_with_networkx(seed: int) -> None:
    matrix = np.random.default_rng(seed).random((6, 6)) < 0.2  # [V, V]
    np.fill_diagonal(matrix, seed % 5 == 0)
    other = networkx.from_numpy_array(matrix, create_using=networkx.DiGraph)
    cycle = find_cycle(matrix)
    assert bool(cycle) != networkx.is_directed_acyclic_graph(other)
    for parent, child in zip(cycle, [*cycle[1:], *cycle[:1]], strict=True):
        assert matrix[parent, child]
    if not cycle:
        graph = CausalGraph.from_matrix(matrix)
        place = {node: at for at, node in enumerate(graph.topological_order)}
        assert sorted(place) == list(range(6))
        assert all(place[a] < place[b] for a, b in other.edges)


def test_a_cycle_is_named() -> None:
    with pytest.raises(InputError, match=r"cycle: (b -> c -> b|c -> b -> c)"):
        CausalGraph.from_edges("abc", [("a", "b"), ("b", "c"), ("c", "b")])


def test_a_graph_cannot_be_changed_and_survives_every_round_trip() -> None:
    graph = CausalGraph.from_edges(["z", "a b", "c"], [("z", "c"), ("a b", "c")])
    with pytest.raises(ValueError, match="read-only"):
        graph.parent_to_child[0, 1] = True
    assert CausalGraph.from_networkx(graph.to_networkx()) == graph
    assert CausalGraph.from_json(graph.to_json()) == graph
    assert hash(CausalGraph.from_json(graph.to_json())) == hash(graph)
    assert graph.reordered(["c", "z", "a b"]).reordered(graph.variables) == graph
    assert (graph.parents("c"), graph.children("z")) == (("z", "a b"), ("c",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "line 1: not JSON"),
        ("[]", "expected a JSON object"),
        (json.dumps({"format": 2, "variables": [], "edges": []}), "newer"),
        (json.dumps({"variables": ["a"], "edges": [["a"]]}), "'edges'"),
        (json.dumps({"variables": "ab", "edges": []}), "'variables'"),
        (json.dumps({"variables": ["smoke", "b"], "edges": [["smok", "b"]]}), "mean 'smoke'"),
        (json.dumps({"variables": ["a", "a"], "edges": []}), "'a' is named twice"),
        (json.dumps({"variables": ["a", "b"], "edges": [["a", "b"], ["b", "a"]]}), "cycle"),
    ],
)
def test_bad_graph_json_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        CausalGraph.from_json(text)


@pytest.mark.parametrize("targets", [[], ["X0"], ["X1", "X2"], ["X0", "X1"]], ids=str)
def test_essential_graphs_are_the_union_of_their_class(targets: list[str]) -> None:
    sets = [targets[:1], targets[1:], targets]

    def mark(graph: CausalGraph) -> tuple[bytes, ...]:
        arrows = graph.parent_to_child
        cut = np.zeros_like(arrows)
        for one in sets:
            inside = np.isin(graph.variables, one)
            cut |= arrows & (inside[:, None] != inside[None, :])
        return (arrows | arrows.T).tobytes(), v_structures(arrows).tobytes(), cut.tobytes()

    classes: dict[tuple[bytes, ...], list[CausalGraph]] = {}
    for graph in all_dags(4):
        classes.setdefault(mark(graph), []).append(graph)
    for members in classes.values():
        union = np.any([graph.parent_to_child for graph in members], axis=0)  # [V, V]
        for graph in members:
            assert np.array_equal(interventional_cpdag(graph, sets), union)


def test_v_structures_agree_with_networkx() -> None:
    for graph in all_dags(4):
        expected = np.zeros((4, 4), bool)
        for a, child, b in networkx.dag.v_structures(graph.to_networkx()):
            expected[graph.index(a), graph.index(child)] = True
            expected[graph.index(b), graph.index(child)] = True
        assert np.array_equal(v_structures(graph.parent_to_child), expected)


def test_the_cpdag_of_asia_is_pgmpys() -> None:
    from s2lab.causal.networks import load_network
    from s2lab.causal.pgmpy_bridge import to_pgmpy_dag

    graph = load_network("asia").graph
    theirs = to_pgmpy_dag(graph).to_pdag()
    ours = cpdag(graph)  # [V, V]
    both = ours & ours.T
    names = graph.variables
    assert {(names[i], names[j]) for i, j in np.argwhere(ours & ~both)} == set(
        theirs.directed_edges
    )
    assert {frozenset((names[i], names[j])) for i, j in np.argwhere(both)} == set(
        map(frozenset, theirs.undirected_edges)
    )
