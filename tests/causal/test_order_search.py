"""Search over orders, single moves that keep a graph acyclic, and where half is acted on."""

import networkx
import numpy as np
import pytest

from s2lab.causal.discovery.ancestral import AncestralDiscovery
from s2lab.causal.discovery.environments import Environments
from s2lab.causal.discovery.exact import best_graph
from s2lab.causal.discovery.family_scores import FamilyScores, ScoreOptions
from s2lab.causal.discovery.graph_search import closes_cycle, descendants, freed
from s2lab.causal.discovery.order_search import best_in_orders
from s2lab.causal.families import make_family
from s2lab.causal.metrics import interventional_cpdag_distance
from s2lab.causal.networks import load_network
from s2lab.causal.scm import StructuralCausalModel, simulate


@pytest.mark.parametrize("seed", range(5))
def test_orders_lead_to_the_best_graph_of_all(seed: int) -> None:
    """Against dynamic programming over all sets of five variables."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(5, 32))  # [V, masks]
    for child in range(5):
        scores[child, [mask for mask in range(32) if mask >> child & 1]] = -np.inf
    parents, total = best_in_orders(
        lambda child, held: float(scores[child, sum(1 << p for p in held)]),
        [[i for i in range(5) if i != child] for child in range(5)],
        40,
        rng,
    )
    assert total == pytest.approx(best_graph(scores)[1])
    arrows = [(p, child) for child, held in enumerate(parents) for p in held]
    assert networkx.is_directed_acyclic_graph(networkx.DiGraph(arrows))


def test_a_move_is_refused_exactly_where_networkx_sees_a_cycle() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        arrows = np.triu(rng.random((7, 7)) < 0.35, 1)
        label = rng.permutation(7)
        arrows = arrows[np.ix_(label, label)]
        parents = [tuple(np.flatnonzero(arrows[:, j]).tolist()) for j in range(7)]
        below = descendants(parents)
        for a, b in np.ndindex(7, 7):
            if a == b or arrows[b, a]:
                continue
            changed = networkx.DiGraph(list(zip(*np.nonzero(arrows), strict=True)))
            if arrows[a, b]:
                changed.remove_edge(a, b)
                changed.add_edge(b, a)
            else:
                changed.add_edge(a, b)
            kind = "reverse" if arrows[a, b] else "add"
            cyclic = not networkx.is_directed_acyclic_graph(changed)
            assert closes_cycle((kind, a, b), below, parents) == cyclic


def test_the_parent_that_costs_least_is_among_the_doubtful_ones() -> None:
    """The quick statistic against a fit without each parent in turn."""
    rng = np.random.default_rng(1)
    scm = StructuralCausalModel.random_networks(make_family("collider", 9), rng, 4)
    rows = Environments.from_data(simulate(scm, 2000, 50, rng))
    scores = FamilyScores(rows, ScoreOptions(alpha=1e-12))  # at this level all eight are doubtful
    everybody = tuple(range(8))
    losses = {
        p: scores.of_kind(True, 8, tuple(q for q in everybody if q != p))[0] for p in everybody
    }
    assert max(losses, key=lambda p: losses[p]) in scores.doubtful(8, everybody)


@pytest.mark.parametrize("seed", [3, 4])
def test_with_a_do_on_half_of_sachs_its_interventional_class_is_found(seed: int) -> None:
    network = load_network("sachs")
    rng = np.random.default_rng(seed)
    names = network.graph.variables
    targets = [names[i] for i in rng.permutation(len(names))[: len(names) // 2]]
    data = simulate(StructuralCausalModel.from_network(network), 5000, 512, rng, targets)
    found = AncestralDiscovery().fit_data(data).graph_
    assert interventional_cpdag_distance(network.graph, found, data.regimes) == 0


def test_freeing_takes_the_named_edges_at_the_loose_variables_only() -> None:
    parents = [(), (0,), (0, 1), (0, 1, 2)]  # full; of its edges 1 -> 3 and 2 -> 3 may not go
    edges = [(0, 1), (0, 2), (1, 2), (0, 3)]
    assert freed(parents, {1}, edges) == [(), (), (0,), (0, 1, 2)]
    assert freed(parents, {0, 3}, edges) == [(), (), (1,), (1, 2)]
