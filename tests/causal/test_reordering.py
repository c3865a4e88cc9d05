"""A variable that stands before several of its parents, put behind them at once."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from s2lab.causal.discovery.effects import Effects
from s2lab.causal.discovery.environments import Environments, thinned
from s2lab.causal.discovery.exact import best_graph
from s2lab.causal.discovery.family_scores import Family
from s2lab.causal.discovery.gaussian_score import GaussianScores
from s2lab.causal.discovery.gaussian_search import real_graph
from s2lab.causal.discovery.graph_search import Climber, followers
from s2lab.causal.discovery.parent_search import joined
from s2lab.causal.discovery.residuals import ResidualScreen
from s2lab.causal.discovery.wide_graph import FIRST_ROWS, wide_graph
from s2lab.causal.discovery.wide_search import HINT, WideSearch
from s2lab.causal.families import make_family, random_graph
from s2lab.causal.real_scm import RealCausalModel, simulate_real
from s2lab.causal.scm import StructuralCausalModel, simulate

FIRST: list[Family] = [(), (0,), (0, 1), (0, 1, 2), (0, 1, 2, 3)]
"""Parents of five variables in which the first one stands before all others."""


def test_followers_are_children_by_open_edges_those_with_most_last() -> None:
    open_ = np.ones((4, 4), bool)
    open_[0, 3] = False
    assert followers([(), (0,), (0, 1), (0, 1, 2)], open_) == [(2, [3]), (0, [1, 2]), (1, [2, 3])]


@pytest.mark.parametrize("seed", range(6))
def test_reordering_reaches_the_best_graph_of_all(seed: int) -> None:
    """Against dynamic programming over all sets of the five variables."""
    rng = np.random.default_rng(seed)
    graph = make_family("collider", 5)
    data = simulate_real(RealCausalModel.random(graph, rng), 2000, 0, rng)
    scores = GaussianScores(replace(data, values=data.values[:, ::-1]))  # the effect is first
    table = np.full((5, 32), -np.inf)  # [V, masks]
    for child in range(5):
        for mask in range(32):
            if not mask >> child & 1:
                held = tuple(p for p in range(5) if mask >> p & 1)
                table[child, mask] = scores.score(child, held)
    everybody = [[p for p in range(5) if p != child] for child in range(5)]
    climber = Climber(
        scores.score,
        list(FIRST),
        lambda child, held: [p for p in everybody[child] if p not in held],
        np.ones((5, 5), bool),
    )
    climber.climb()
    parents, total = climber.reordered()
    assert total == pytest.approx(best_graph(table)[1])
    assert parents[0] == (1, 2, 3, 4)


def test_a_graph_of_fifty_real_variables_scores_no_less_than_the_true_one() -> None:
    """Climbing alone ended 648 nats below it, one variable before nine of its relatives."""
    rng = np.random.default_rng([50, 2])
    graph = random_graph(50, rng, expected_degree=4)
    data = simulate_real(RealCausalModel.random(graph, rng), 1000, 100, rng)
    order = rng.permutation(50)
    names = tuple(data.variables[i] for i in order)
    data = replace(data, variables=names, values=data.values[:, order])
    true = graph.reordered(names).parent_to_child  # [V, V]
    scores = GaussianScores(data, np.log(50))
    best = sum(scores.score(j, tuple(np.flatnonzero(true[:, j]).tolist())) for j in range(50))
    _, total, _ = real_graph(data, float(np.log(50)), float("inf"))
    assert total > best - 1e-6


def collider(size: int) -> tuple[WideSearch, int]:
    """A search over observations of a variable with all others for parents; and its place."""
    rng = np.random.default_rng(0)
    graph = make_family("collider", size)
    child = int(graph.parent_to_child.sum(axis=0).argmax())
    scm = StructuralCausalModel.random_networks(graph, rng, 3)
    rows = Environments.from_data(simulate(scm, 50_000, 0, rng))
    none = np.zeros((size, size))
    effects = Effects(none, none, np.zeros(size, bool), False)
    parents: list[Family] = [()] * size
    screen = ResidualScreen(rows)
    return WideSearch(rows, screen, effects, 4.0, float("inf"), False, parents), child


def test_a_variable_of_many_rows_is_put_behind_its_parents() -> None:
    search, child = collider(6)
    others = [j for j in range(6) if j != child]
    for at, j in enumerate(others):  # an order in which it comes first, all edges that this needs
        search.parents[j] = tuple(sorted((child, *others[:at])))
    assert search.reorder(~np.eye(6, dtype=bool))
    assert search.parents[child] == tuple(others)
    assert not any(search.parents[j] for j in others)
    assert not search.reorder(~np.eye(6, dtype=bool))


def test_a_parent_that_a_cycle_kept_out_is_asked_for_again() -> None:
    search, child = collider(4)
    first, *rest = [j for j in range(4) if j != child]
    search.parents[first] = (child,)
    allowed = ~np.eye(4, dtype=bool)
    search.grow([child], allowed)
    assert search.parents[child] == tuple(rest)
    assert search.blocked == {(first, child)}
    assert not search._unblocked()
    search.parents[first] = ()
    assert search._unblocked() == {(first, child)}
    search.grow([child], allowed)
    assert search.parents[child] == tuple(sorted((first, *rest)))


def test_a_parent_too_weak_for_the_first_screen_is_found_by_the_last() -> None:
    rng = np.random.default_rng(2)
    strong, weak = rng.integers(0, 2, (2, 4_000_000), np.int8)
    child = rng.random(len(weak)) < 0.5 + 0.4 * (strong - 0.5) + 0.004 * (weak - 0.5)
    columns = np.stack([strong, weak, child.astype(np.int8)])
    one, no_targets = np.zeros(1, np.int64), np.zeros((1, 3), bool)
    rows = Environments(
        ("strong", "weak", "child"), columns, np.array([0, len(weak)]), one, one, no_targets,
        np.zeros(1, bool), np.array([2, 2, 2]), False,
    )  # fmt: skip
    few = ResidualScreen(thinned(rows, FIRST_ROWS))
    assert few.unexplained([(2, (0,))], np.ones((1, 3), bool))[0][0, 1] < HINT
    effects = Effects(np.zeros((3, 3)), np.zeros((3, 3)), np.zeros(3, bool), False)
    assert wide_graph(rows, effects, 0.01, float("inf"), False).parents == [(), (), (0, 1)]


class Told(WideSearch):
    """Knows the parents it will let in; the rest of the search is the real one."""

    truth: tuple[Family, ...] = ((1, 2), (), ())

    def turn(self) -> None:
        pass

    def simplify(self, allowed: object) -> None:
        pass

    def grow(self, children: Sequence[int], allowed: object) -> None:
        for child in children:
            self.parents[child] = ()
            for parent in self.truth[child]:
                if self._closes_cycle(parent, child):
                    self.blocked.add((parent, child))
                else:
                    self.parents[child] = joined(self.parents[child], parent)


def test_nothing_is_settled_while_somebody_waits_for_a_cycle_that_is_gone() -> None:
    """The first variable is asked while it still has two others for children, which then go."""
    known = collider(4)[0]
    search = Told(
        known.rows, known.screen, known.effects, 4.0, float("inf"), False, [(), (0,), (0,)]
    )
    search.settle(~np.eye(3, dtype=bool))
    assert search.parents == [(1, 2), (), ()]
