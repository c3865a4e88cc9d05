"""Parents by tests, the product that screens them, and fits of rare events."""

from itertools import permutations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import chi2_contingency
from statsmodels.stats.contingency_tables import StratifiedTable

from s2lab.causal.discovery import residuals, wide_graph
from s2lab.causal.discovery.ancestral import AncestralDiscovery
from s2lab.causal.discovery.effects import PROVEN, measure_effects
from s2lab.causal.discovery.environments import Environments, thinned
from s2lab.causal.discovery.logit_fit import LEVEL, fit
from s2lab.causal.discovery.residuals import ResidualScreen
from s2lab.causal.discovery.stratified import (
    association,
    associations,
    gaps_within,
    minus_log10,
)
from s2lab.causal.families import make_family, random_graph
from s2lab.causal.metrics import structural_hamming_distance
from s2lab.causal.scm import StructuralCausalModel, simulate
from s2lab.reproduce.recovery import soft_worlds


def test_a_category_that_is_rare_but_likely_somewhere_is_fitted_to_the_optimum() -> None:
    """Against scipy's optimiser; a first step without bound ended 11,000 nats above it."""
    rng, ridge = np.random.default_rng(1), 0.5
    grid = [[1 + a, 4 + b, 7 + c] for a in range(3) for b in range(3) for c in range(3)]
    features = np.array(grid, np.int32)  # [C, P]
    truth = rng.normal(0, 2, (10, 3))
    truth[:, 1] -= 2.5
    logits = truth[0] + truth[features].sum(axis=1)
    shares = np.exp(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))
    rows = rng.integers(50, 40_000, 27)
    counts = np.array([rng.multinomial(n, p) for n, p in zip(rows, shares, strict=True)], float)
    totals = counts.sum(axis=1)
    assert totals.sum() > 500_000
    assert counts[:, 1].sum() < 200
    one_hot = np.zeros((27, 10))
    one_hot[:, 0] = 1
    np.put_along_axis(one_hot, features.astype(np.int64), 1.0, axis=1)
    precision = np.full((10, 1), ridge)
    precision[0] = LEVEL

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights = flat.reshape(10, 3)
        logits = one_hot @ weights
        logits -= np.logaddexp.reduce(logits, axis=1, keepdims=True)
        gap = totals[:, None] * np.exp(logits) - counts
        value = 0.5 * (precision * weights**2).sum() - (counts * logits).sum()
        return float(value), (one_hot.T @ gap + precision * weights).ravel()

    options = {"maxiter": 10_000, "ftol": 1e-15, "gtol": 1e-9}
    best = minimize(loss, np.zeros(30), jac=True, method="L-BFGS-B", options=options).fun
    found = fit(np.zeros((10, 3)), features, counts, totals, ridge, 0.01, 200)
    assert best - 0.1 < found < best + 10


def soaked(seed: int, sizes: tuple[int, ...], rows: int) -> Environments:
    """Independent columns in one environment."""
    rng = np.random.default_rng(seed)
    columns = np.stack([rng.integers(0, size, rows) for size in sizes]).astype(np.int8)
    none = np.zeros(1, np.int64)
    return Environments(
        tuple(f"x{j}" for j in range(len(sizes))), columns, np.array([0, rows]), none, none,
        np.zeros((1, len(sizes)), bool), np.zeros(1, bool), np.array(sizes), False,
    )  # fmt: skip


def test_two_categories_within_strata_are_tested_as_statsmodels_does() -> None:
    rows = soaked(0, (2, 2, 3, 2), 400)
    rows.columns[1, ::3] = rows.columns[0, ::3]
    strata = rows.columns[2] * 2 + rows.columns[3]
    tables = np.zeros((2, 2, 6))
    np.add.at(tables, (rows.columns[0], rows.columns[1], strata), 1)
    theirs = StratifiedTable(tables).test_null_odds(correction=False)
    statistic, evidence = association(rows, 1, 0, (2, 3))
    assert statistic == pytest.approx(theirs.statistic)
    assert 10**-evidence == pytest.approx(theirs.pvalue)


@pytest.mark.parametrize("worlds", [1, 3])
def test_one_table_tests_every_member_of_a_family_as_single_tests_do(worlds: int) -> None:
    rng = np.random.default_rng(worlds)
    scm = StructuralCausalModel.random_networks(make_family("full", 6), rng, 3)
    rows = Environments.from_data(soft_worlds(scm, worlds, 4000, 300, rng).data, soft=True)
    for child, family in ((5, (0, 1, 2, 3, 4)), (0, (3, 5)), (2, (4,))):
        found = associations(rows, child, family)
        assert found is not None
        for member, one in zip(family, found, strict=True):
            single = association(rows, child, member, [p for p in family if p != member])
            assert one == pytest.approx(single, rel=1e-9)


def test_a_table_of_few_rows_for_each_cell_is_not_made() -> None:
    rows = soaked(0, (2, 3, 3, 3), 72)
    assert associations(rows, 0, (1, 2)) is not None
    assert associations(rows, 0, (1, 2, 3)) is None


def test_moments_of_gaps_are_those_of_all_permutations_within_cells() -> None:
    first = np.array([0, 1, 2, 2, 1, 0, 0, 2], np.int8)
    second = np.array([0, 0, 1, 2, 1, 0, 2, 1], np.int8)
    cells = np.array([0, 0, 0, 0, 0, 1, 1, 1], np.int32)
    one, none = np.array([0, 8]), np.zeros(1, np.int64)
    gaps, covariance = gaps_within(
        cells, 2, first, second, 3, 3, one, none, np.zeros(1, np.int8)
    )  # fmt: skip
    counts = []
    for large in permutations(range(5)):
        for small in permutations(range(5, 8)):
            table = np.zeros((3, 3))
            np.add.at(table, (first, second[[*large, *small]]), 1)
            counts.append(table[:2, :2].ravel())
    observed = np.zeros((3, 3))
    np.add.at(observed, (first, second), 1)
    assert gaps[0] == pytest.approx(observed[:2, :2].ravel() - np.mean(counts, axis=0))
    assert covariance[0] == pytest.approx(np.cov(np.array(counts).T, bias=True))


def test_a_screen_without_parents_is_the_chi_square_test_of_scipy() -> None:
    rows = soaked(1, (3, 2, 4, 3), 3000)
    rows.columns[3, ::5] = rows.columns[2, ::5] % 3
    everybody = np.ones((4, 4), bool)
    values, statistics = ResidualScreen(rows).unexplained([(j, ()) for j in range(4)], everybody)
    for i, j in permutations(range(4), 2):
        table = np.zeros((rows.cardinalities[i], rows.cardinalities[j]))
        np.add.at(table, (rows.columns[i], rows.columns[j]), 1)
        theirs = chi2_contingency(table, correction=False)
        assert statistics[j, i] == pytest.approx(theirs.statistic, rel=1e-3)
        assert 10 ** -values[j, i] == pytest.approx(theirs.pvalue, rel=0.02)


def test_a_screen_beside_parents_says_about_what_the_test_does() -> None:
    rng = np.random.default_rng(0)
    scm = StructuralCausalModel.random_networks(make_family("jungle", 7), rng, 3)
    rows = Environments.from_data(simulate(scm, 4000, 100, rng))
    families = [(2, (0,)), (4, (1, 3)), (6, (5,)), (6, ())]
    _, statistics = ResidualScreen(rows).unexplained(families, np.ones((4, 7), bool))
    for i, (child, held) in enumerate(families):
        others = [c for c in range(7) if c != child and c not in held]
        tests = np.array([association(rows, child, c, held)[0] for c in others])
        assert (statistics[i, others] < 1.2 * tests + 1).all()
        assert (statistics[i, others] > 0.5 * tests - 1).all()


def test_a_screen_of_some_variables_says_of_them_what_one_of_all_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(residuals, "TOGETHER", 3)
    rng = np.random.default_rng(3)
    scm = StructuralCausalModel.random_networks(make_family("jungle", 7), rng, 3)
    rows = Environments.from_data(simulate(scm, 20_000, 100, rng))
    families = [(j, (j - 1,) if j else ()) for j in range(7)]
    wanted = rng.random((7, 7)) < 0.4
    screen = ResidualScreen(rows)
    everything = screen.unexplained(families, np.ones((7, 7), bool))
    for found, whole in zip(screen.unexplained(families, wanted), everything, strict=True):
        assert found[wanted] == pytest.approx(whole[wanted], rel=1e-4, abs=1e-4)
        assert not found[~wanted].any()
        assert whole[wanted].any()


def test_p_beyond_what_a_float_holds_goes_on_falling() -> None:
    """Against the closed form of six degrees of freedom."""
    for half in (10.0, 600.0, 660.0, 670.0, 675.0, 700.0, 1e6):
        closed = (half - np.log(1 + half + half**2 / 2)) / np.log(10)
        assert minus_log10(2 * half, 6) == pytest.approx(closed, rel=1e-4)


def test_every_environment_keeps_its_share_of_thinned_rows() -> None:
    scm = StructuralCausalModel.random_networks(
        make_family("chain", 3), np.random.default_rng(0), 3
    )
    rows = Environments.from_data(simulate(scm, 500, 101, np.random.default_rng(1)))
    few = thinned(rows, 160)
    assert few.rows == few.columns.shape[1] == 161
    kept = [np.arange(a, b)[np.arange(a, b) % 5 == 0].size
            for a, b in zip(rows.starts[:-1], rows.starts[1:], strict=True)]  # fmt: skip
    assert np.diff(few.starts).tolist() == kept


@pytest.mark.parametrize("family", ["chain", "collider", "jungle", "full"])
def test_tests_recover_what_scores_do(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wide_graph, "CELLS", 0)
    rng = np.random.default_rng(3)
    graph = make_family(family, 6, rng)
    scm = StructuralCausalModel.random_networks(graph, rng, 3)
    learner = AncestralDiscovery().fit_data(simulate(scm, 100_000, 20_000, rng))
    assert structural_hamming_distance(graph, learner.graph_) == 0
    assert learner.finished_
    assert (learner.edge_probabilities_ > 0.99).sum() == len(graph.edges)


def test_directions_that_no_intervention_proves_are_found_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wide_graph, "CELLS", 0)
    rng = np.random.default_rng(0)
    graph = random_graph(25, rng, expected_degree=5)
    scm = StructuralCausalModel.random_networks(graph, rng, 3)
    data = simulate(scm, 60_000, 300, rng)
    surprise = measure_effects(Environments.from_data(data)).surprise
    open_ = [edge for edge in np.argwhere(graph.parent_to_child) if surprise[*edge] < PROVEN]
    assert len(open_) > 10
    found = AncestralDiscovery().fit_data(data).graph_
    assert structural_hamming_distance(graph, found) == 0


def test_a_constant_column_and_a_deadline_end_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wide_graph, "CELLS", 0)
    rng = np.random.default_rng(3)
    scm = StructuralCausalModel.random_networks(make_family("chain", 4), rng, 3)
    frame = simulate(scm, 5000, 500, rng).to_frame(targets=True)
    frame["still"] = 0
    marked = frame["intervention_targets"].copy()
    marked.iloc[:100] = "still"
    frame["intervention_targets"] = marked
    learner = AncestralDiscovery().fit(frame)
    assert set(learner.graph_.edges) == set(scm.graph.edges)
    hurried = AncestralDiscovery(max_seconds=0).fit(frame)
    assert not hurried.finished_
    assert not hurried.graph_.edges
