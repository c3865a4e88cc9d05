"""The additive logit's fit and evidence, and the choice between it and a table."""

import numpy as np
import pandas
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize
from scipy.special import logsumexp
from scipy.stats import chi2, norm

from s2lab.causal.data import InterventionalData
from s2lab.causal.discovery.effects import measure_effects
from s2lab.causal.discovery.environments import Environments
from s2lab.causal.discovery.family_scores import FamilyScores, ScoreOptions
from s2lab.causal.discovery.first_graph import searched_again
from s2lab.causal.discovery.graph_search import Climber
from s2lab.causal.discovery.logit_fit import LEVEL
from s2lab.causal.families import make_family
from s2lab.causal.scm import StructuralCausalModel, simulate


def test_the_additive_fit_reaches_the_optimum_that_scipy_finds() -> None:
    scm = StructuralCausalModel.random_networks(
        make_family("collider", 4), np.random.default_rng(0), 3
    )
    data = simulate(scm, 400, 0, np.random.default_rng(1))
    scores = FamilyScores(
        Environments.from_data(data), ScoreOptions(alpha=0.01, ridge=0.5, tolerance=1e-6)
    )
    ours = scores.of_kind(True, 3, (0, 1, 2))[0]
    onehot = np.concatenate(
        [np.ones((400, 1)), *(np.eye(3)[data.codes[:, p]] for p in range(3))], axis=1
    )  # [N, F]
    target = data.codes[:, 3]  # [N]

    def loss(flat: np.ndarray) -> float:
        weights = flat.reshape(onehot.shape[1], 3)
        logits = onehot @ weights  # [N, K]
        fit = logits[np.arange(400), target] - logsumexp(logits, axis=1)
        return float(
            -fit.sum() + 0.25 * (weights[1:] ** 2).sum() + LEVEL / 2 * weights[0] @ weights[0]
        )

    best = minimize(loss, np.zeros(onehot.shape[1] * 3), tol=1e-10)
    assert ours == pytest.approx(-best.fun - 3 * chi2.isf(0.01, 4) / 2, abs=1e-2)


def test_evidence_of_the_additive_kind_is_its_integral_over_weights() -> None:
    zeros, ones = 350, 150
    frame = pandas.DataFrame({"a": np.arange(500) % 10 < 3, "b": np.arange(500) % 2}).astype(int)
    data = InterventionalData.from_frame(frame)
    scores = FamilyScores(Environments.from_data(data), ScoreOptions(ridge=0.5, tolerance=1e-8))

    def likelihood(gap: float) -> float:  # two weights' difference has twice a weight's variance
        fit = -zeros * np.logaddexp(0, gap) - ones * np.logaddexp(0, -gap)
        return float(np.exp(fit - top) * norm.pdf(gap, scale=np.sqrt(2 / LEVEL)))

    share = ones / (ones + zeros)
    top = zeros * np.log(1 - share) + ones * np.log(share)
    middle = float(np.log(share / (1 - share)))
    integral, _ = quad(likelihood, middle - 2, middle + 2, points=[middle])
    assert scores.evidence(True, 0, ()) == pytest.approx(np.log(integral) + top, abs=0.02)


def test_evidence_takes_the_determinant_of_moments_times_covariance() -> None:
    scm = StructuralCausalModel.random_networks(
        make_family("collider", 3), np.random.default_rng(0), 3
    )
    data = simulate(scm, 400, 0, np.random.default_rng(1))
    scores = FamilyScores(Environments.from_data(data), ScoreOptions(alpha=0.01, ridge=0.5))
    onehot = np.concatenate(
        [np.ones((400, 1)), *(np.eye(3)[data.codes[:, p]] for p in range(2))], axis=1
    )  # [N, F]
    share = (np.bincount(data.codes[:, 2], minlength=3) + 1) / 403  # [K]
    curvature = np.kron(onehot.T @ onehot, np.diag(share) - np.outer(share, share))
    prior = np.repeat([LEVEL, *[0.5] * 6], 3)  # [F K]
    half = (np.linalg.slogdet(curvature + np.diag(prior))[1] - np.log(prior).sum()) / 2
    paid = chi2.isf(0.01, 4)  # twice half a quantile
    posterior = scores.of_kind(True, 2, (0, 1))[0] + paid
    assert scores.evidence(True, 2, (0, 1)) == pytest.approx(posterior - half, abs=1e-6)


def test_a_family_out_of_sight_at_first_is_found_by_another_look() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(2, size=(2000, 4))
    codes[:, 3] = (codes[:, 0] ^ codes[:, 1]) ^ (rng.random(2000) < 0.1)  # no sum of two weights
    data = InterventionalData.from_frame(pandas.DataFrame(codes, columns=list("abcd")))
    rows = Environments.from_data(data)
    scores = FamilyScores(rows, ScoreOptions(edge_penalty=float(np.log(4))))
    scores.additive[3] = True
    climber = Climber(scores.score, [(), (), (), (0, 1, 2)], lambda *_: [], np.ones((4, 4), bool))
    assert searched_again(scores, measure_effects(rows), climber, [3])
    assert (climber.parents[3], scores.additive[3]) == ((0, 1), False)
