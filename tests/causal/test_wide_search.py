"""Parents of all variables in rounds, the product that screens them, and fits of rare events."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize

from s2lab.causal.discovery import first_graph
from s2lab.causal.discovery.ancestral import AncestralDiscovery
from s2lab.causal.discovery.environments import Environments
from s2lab.causal.discovery.family_scores import FamilyScores, ScoreOptions
from s2lab.causal.discovery.logit_fit import LEVEL, fit
from s2lab.causal.discovery.residuals import ResidualScreen
from s2lab.causal.discovery.wide_search import thinned
from s2lab.causal.families import make_family
from s2lab.causal.metrics import structural_hamming_distance
from s2lab.causal.scm import StructuralCausalModel, simulate


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


def test_one_product_says_what_a_pass_for_every_pair_says() -> None:
    rng = np.random.default_rng(0)
    scm = StructuralCausalModel.random_networks(make_family("jungle", 7), rng, 3)
    rows = Environments.from_data(simulate(scm, 500, 100, rng))
    scores = FamilyScores(rows, ScoreOptions())
    families = [(), (0,), (0, 1), (), (1,), (2, 3), (4,)]
    fits = [(held, *scores.weights_of(j, held)) for j, held in enumerate(families)]
    values, _ = ResidualScreen(rows).statistics(range(7), fits)
    for j, held in enumerate(families):
        others = [c for c in range(7) if c != j]
        assert values[j, others] == pytest.approx(scores.screen(j, held, others), abs=1e-3)


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


@pytest.mark.parametrize("family", ["chain", "jungle", "full"])
def test_rounds_recover_what_the_search_of_few_rows_does(
    family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(first_graph, "CELLS", 0)
    monkeypatch.setattr(first_graph, "MANY", 0)
    rng = np.random.default_rng(3)
    graph = make_family(family, 6, rng)
    scm = StructuralCausalModel.random_networks(graph, rng, 3)
    learner = AncestralDiscovery().fit_data(simulate(scm, 100_000, 20_000, rng))
    assert structural_hamming_distance(graph, learner.graph_) == 0
