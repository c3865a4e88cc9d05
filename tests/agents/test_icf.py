"""Controllable features: objectives against loops, scores on codes whose worth is known."""

import math

import numpy as np
import pytest
import torch

from s2lab.agents.encoders import scores
from s2lab.agents.encoders.icf import ControllableFeatures
from s2lab.agents.encoders.icf_config import ICFConfig
from s2lab.agents.encoders.icf_learner import ICFLearner, transitions
from s2lab.agents.encoders.selectivity import (
    action_information,
    attribute_objective,
    selectivity_objective,
)
from s2lab.envs.squares import WORLDS, Squares


def random_inputs(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Changes [5, 3, 2], policies [5, 2, 3] and weights [5, 3] in float64."""
    generator = torch.Generator().manual_seed(seed)
    changes = torch.randn(5, 3, 2, generator=generator, dtype=torch.float64)
    policies = torch.rand(5, 2, 3, generator=generator, dtype=torch.float64)
    weights = (torch.rand(5, 3, generator=generator) > 0.3).double() * 1.5
    return changes, policies / policies.sum(-1, keepdim=True), weights


@pytest.mark.parametrize("directed", [False, True])
def test_selectivity_is_the_papers_double_sum(directed: bool) -> None:
    changes, policies, weights = random_inputs()
    total = 0.0
    for b in range(5):
        for k in range(2):
            for a in range(3):
                size = sum(abs(float(changes[b, a, j])) for j in range(2))
                part = float(changes[b, a, k])
                share = part / size if directed else abs(part) / size
                gain = math.log(1 + share) if directed else math.log(share + 1e-3)
                total += float(weights[b, a] * policies[b, k, a]) * gain
    found = selectivity_objective(changes, policies, weights, directed)
    assert float(found) == pytest.approx(total / 5, rel=1e-4), "but for what keeps 0 / 0 at 0"


@pytest.mark.parametrize("directed", [False, True])
def test_gradients_of_selectivity_are_finite_differences(directed: bool) -> None:
    changes, policies, weights = random_inputs(1)
    changes.requires_grad_()
    policies.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda c, p: selectivity_objective(c, p, weights, directed), (changes, policies)
    )


def test_the_attribute_objective_is_an_enumeration_on_a_world_of_three_states() -> None:
    """States 0, 1, 2 on a line, actions left and right that wrap around, two attributes."""
    place = torch.tensor([[0.0], [0.4], [0.9]], dtype=torch.float64)
    after = torch.stack([place.roll(1, 0), place.roll(-1, 0)], dim=1)  # [3, 2, 1]
    attributes = torch.tensor([[[0.4], [-0.3]]] * 3, dtype=torch.float64)
    policies = torch.tensor([[[0.9, 0.1], [0.2, 0.8]]] * 3, dtype=torch.float64)
    sigma, total = 0.5, 0.0

    def closeness(s: int, a: int, m: int) -> float:
        missed = float(after[s, a, 0] - place[s, 0] - attributes[s, m, 0])
        return math.exp(-(missed**2) / (2 * sigma**2))

    for s in range(3):
        for m in range(2):
            for a in range(2):
                usual = (closeness(s, a, 0) + closeness(s, a, 1)) / 2
                gain = math.log(closeness(s, a, m) / usual)
                total += float(policies[s, m, a]) * gain / (3 * 2)
    weights = torch.ones(3, 2, dtype=torch.float64)
    found = attribute_objective(place, after, attributes, policies, weights, sigma)
    assert float(found) == pytest.approx(total, rel=1e-9)
    inputs = [part.clone().requires_grad_() for part in (place, after, attributes, policies)]
    assert torch.autograd.gradcheck(
        lambda *parts: attribute_objective(*parts, weights, sigma), tuple(inputs)
    )


def test_information_is_log_actions_when_each_feature_has_its_own_and_none_when_all_agree() -> None:
    own = torch.eye(4).expand(7, 4, 4)
    assert float(action_information(own)) == pytest.approx(math.log(4), abs=1e-5)
    same = torch.eye(4)[0].expand(7, 4, 4)
    assert float(action_information(same)) == pytest.approx(0.0, abs=1e-5)


def codes() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Factors [400, 2] on a grid; a perfect code, one turned by 45 degrees, one of noise."""
    factors = np.indices((20, 20)).reshape(2, -1).T.astype(float)
    rng = np.random.default_rng(0)
    perfect = np.tanh((factors[:, ::-1] - 9.5) / 10) * [1, -1]
    turned = (factors - 9.5) @ np.array([[1, 1], [1, -1]]) / math.sqrt(2)
    return factors, perfect, turned, rng.standard_normal((400, 2))


def test_scores_rank_perfect_turned_and_useless_codes() -> None:
    factors, perfect, turned, useless = codes()
    matched, pairs = scores.matched_correlation(perfect, factors)
    assert matched > 0.98
    assert set(pairs) == {(0, 1), (1, 0)}
    assert scores.matched_correlation(turned, factors)[0] == pytest.approx(math.sqrt(0.5), abs=1e-6)
    assert scores.matched_correlation(useless, factors)[0] < 0.2
    assert scores.linear_r2(turned, factors) == pytest.approx([1, 1]), "linear maps undo a turn"
    assert (scores.linear_r2(perfect, factors) > 0.96).all()
    assert (scores.linear_r2(useless, factors) < 0.05).all()
    best, mixed, none = (scores.dci(code, factors) for code in (perfect, turned, useless))
    assert min(best.disentanglement, best.completeness, best.informativeness) > 0.9
    assert mixed.disentanglement < 0.3
    assert mixed.informativeness > 0.8
    assert none.informativeness < 0.1
    gaps = [scores.mutual_information_gap(code, factors) for code in (perfect, turned, useless)]
    assert gaps[0] > 0.9
    assert gaps[1] < 0.2
    assert gaps[2] < 0.2


def test_scores_do_not_fall_over_constant_codes() -> None:
    factors, *_ = codes()
    dead = np.zeros((400, 3))
    assert scores.matched_correlation(dead, factors)[0] == 0
    assert (scores.linear_r2(dead, factors) < 1e-9).all()
    assert scores.mutual_information_gap(dead, factors) == pytest.approx(0, abs=1e-9)
    assert scores.dci(dead, factors).informativeness < 1e-9


def test_purity_counts_only_where_an_action_does_something() -> None:
    policies = np.array([[[1.0, 0.0]], [[0.0, 1.0]]])  # [2, 1, 2]
    blocked = np.array([[False, False], [True, False]])
    assert scores.policy_purity(policies, blocked).tolist() == [[1.0, 0.5]]


def test_the_decoder_sees_the_features_and_nothing_else() -> None:
    torch.manual_seed(0)
    model = ControllableFeatures((1, 12, 12), 4, ICFConfig())
    images = torch.rand(3, 1, 12, 12)
    assert model.decode(model.features(images)).shape == images.shape
    same = torch.zeros(2, 4)
    first, second = model.decode(same)
    assert torch.equal(first, second)
    with pytest.raises(ValueError, match="multiples of 4"):
        ControllableFeatures((1, 10, 12), 4, ICFConfig())


@pytest.mark.parametrize("objective", ["directed", "discrete", "continuous"])
def test_a_batch_knows_every_action_of_every_state(objective: str) -> None:
    world = WORLDS["square"]
    batch = transitions(world, world.every(), np.random.default_rng(0))
    assert len(batch.images) == 121, "equal states are encoded once"
    stays = batch.after == batch.before[:, None]
    assert torch.equal(stays, batch.blocked)
    config = ICFConfig(objective)  # type: ignore[arg-type]
    learner = ICFLearner(world, config, np.random.default_rng(0), seed=0)
    loss, terms = learner.loss(batch)
    assert math.isfinite(float(loss.detach()))
    assert {"reconstruction", "objective"} <= set(terms)


def test_blocked_actions_are_left_to_no_policy() -> None:
    world = WORLDS["square"]
    learner = ICFLearner(world, ICFConfig(), np.random.default_rng(0), seed=0)
    states = world.every()
    _, policies = learner.codes(states)
    assert (policies.transpose(0, 2, 1)[world.blocked(states)] == 0).all()
    assert np.allclose(policies.sum(-1), 1)


def test_learning_goes_on_exactly_where_it_was_saved() -> None:
    world = Squares(squares=1, distractors=1)
    config = ICFConfig("continuous", updates=20, batch=16)

    def fresh() -> ICFLearner:
        return ICFLearner(world, config, np.random.default_rng(5), seed=1)

    straight, stopped, resumed = fresh(), fresh(), fresh()
    for _ in range(6):
        straight.update()
    for _ in range(3):
        stopped.update()
    resumed.model.load_state_dict(stopped.model.state_dict())
    resumed.load_state_dict(stopped.state_dict())
    for _ in range(3):
        resumed.update()
    for ours, theirs in zip(straight.model.parameters(), resumed.model.parameters(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.slow
def test_features_follow_the_square_after_a_short_training() -> None:
    """Four hundred updates: both coordinates can be read from the features, a far cry from none."""
    world = WORLDS["square"]
    learner = ICFLearner(world, ICFConfig(updates=400), np.random.default_rng(0), seed=0)
    states = world.every()
    before = scores.linear_r2(learner.codes(states)[0], states).min()
    for _ in range(400):
        learner.update()
    features, policies = learner.codes(states)
    after = scores.linear_r2(features, states)
    assert after.min() > max(0.9, before)
    assert (scores.policy_purity(policies, world.blocked(states)).max(1) > 0.8).all()


def test_settings_that_cannot_be_are_refused() -> None:
    for wrong in ({"objective": "undirected"}, {"features": 0}, {"weight": -1.0}):
        with pytest.raises(ValueError, match=str(next(iter(wrong)))):
            ICFConfig(**wrong)  # type: ignore[arg-type]
