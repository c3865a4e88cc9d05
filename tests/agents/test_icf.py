"""Controllable features: objectives against loops, scores on codes whose worth is known."""

import math

import numpy as np
import pytest
import torch

from s2lab.agents.encoders import scores
from s2lab.agents.encoders.icf import ControllableFeatures
from s2lab.agents.encoders.icf_config import ICFConfig
from s2lab.agents.encoders.icf_learner import ICFLearner, chosen
from s2lab.agents.encoders.selectivity import attribute_objective, selectivity_objective
from s2lab.agents.encoders.transitions import all_transitions, transitions
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


def test_expectations_over_drawn_actions_are_exact_on_average() -> None:
    """Every pair of draws, each as likely: their mean is the sum over all three actions."""
    changes, policies, _ = random_inputs(2)
    exact = selectivity_objective(changes, policies, torch.ones(5, 3).double(), True)
    found = []
    for first in range(3):
        for second in range(3):
            actions = torch.tensor([[first, second]]).expand(5, 2)
            tried = changes.gather(1, actions[..., None].expand(-1, -1, 2))
            weights = torch.full((5, 2), 3 / 2).double()
            gain = selectivity_objective(tried, chosen(policies, actions), weights, True)
            found.append(float(gain))
    assert sum(found) / 9 == pytest.approx(float(exact), abs=1e-12)


def test_a_learner_draws_actions_where_they_are_many() -> None:
    assert ICFConfig().drawn(8) == 0
    assert ICFConfig().drawn(9) == 4
    world = Squares(squares=3)
    learner = ICFLearner(world, ICFConfig(features=12), np.random.default_rng(0), seed=0)
    batch = learner.draw()
    assert batch.actions.shape == (128, 4)
    assert batch.blocked.shape == (128, 12)
    assert math.isfinite(float(learner.update()["objective"]))


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


@pytest.mark.parametrize("drawn", [0, 3])
def test_transitions_are_what_the_world_does(drawn: int) -> None:
    """Each image after an action, against one made from the world's own successor."""
    world, rng = Squares(squares=2, toggle=True), np.random.default_rng(0)
    states = world.sample(rng, 20)
    batch = transitions(world, states, rng, drawn)
    following = world.successors(states, rng)
    for b in range(20):
        assert np.array_equal(batch.images[batch.before[b]], world.images(states[b : b + 1])[0])
        for d, action in enumerate(batch.actions[b].tolist()):
            truth = world.images(following[b : b + 1, action])[0]
            assert np.array_equal(batch.images[batch.after[b, d]], truth)


@pytest.mark.parametrize("objective", ["directed", "discrete", "continuous"])
def test_a_batch_of_the_whole_world_knows_every_action_of_every_state(objective: str) -> None:
    world = WORLDS["square"]
    states = world.every()
    assert states is not None
    batch = all_transitions(world, states)
    assert len(batch.images) == 121, "equal states are encoded once"
    stays = batch.after == batch.before[:, None]
    assert torch.equal(stays, batch.blocked)
    config = ICFConfig(objective)  # type: ignore[arg-type]
    learner = ICFLearner(world, config, np.random.default_rng(0), seed=0)
    loss, terms = learner.loss(batch)
    assert math.isfinite(float(loss.detach()))
    assert {"reconstruction", "objective"} <= set(terms)


def test_weights_follow_their_schedules() -> None:
    """The loss is the reconstruction's part less the objective's, at the start and half way."""
    world = WORLDS["square"]
    config = ICFConfig(warm_up=40, reconstruction=2.0, reconstruction_end=1.0, updates=80)
    learner = ICFLearner(world, config, np.random.default_rng(0), seed=0)
    states = world.every()
    assert states is not None
    batch = all_transitions(world, states)
    for done, error_weight, weight in ((0, 2.0, 0.0), (20, 1.75, 0.15), (60, 1.25, 0.3)):
        learner.update_count = done
        loss, terms = learner.loss(batch)
        wanted = error_weight * terms["reconstruction"] - weight * terms["objective"]
        assert float(loss.detach()) == pytest.approx(float(wanted), rel=1e-5)


def test_policies_know_no_state_at_first_and_start_with_actions_of_their_own() -> None:
    world = WORLDS["square"]
    learner = ICFLearner(world, ICFConfig(features=6), np.random.default_rng(0), seed=0)
    same = learner.model.stateless_policies(3).detach()
    assert torch.equal(same[0], same[2])
    assert same[0].argmax(1).tolist() == [0, 1, 2, 3, 0, 1]
    uniform = ICFLearner(world, ICFConfig(policies="uniform"), np.random.default_rng(0), seed=0)
    middle = np.array([[5, 5]])
    assert np.allclose(uniform.codes(middle)[1], 0.25)


def test_blocked_actions_are_left_to_no_policy() -> None:
    world = WORLDS["square"]
    learner = ICFLearner(world, ICFConfig(), np.random.default_rng(0), seed=0)
    states = world.every()
    assert states is not None
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
@pytest.mark.parametrize("seed", [0, 1])
def test_every_move_of_a_square_gets_a_feature_and_what_it_does_is_predicted(seed: int) -> None:
    """The slopes of the paper's figure, and causes that the world itself confirms."""
    from s2lab.icf_causes import cause_accuracy
    from s2lab.icf_effects import effect_accuracy, effects_of
    from s2lab.icf_scores import actions_found

    world = WORLDS["square"]
    learner = ICFLearner(world, ICFConfig(updates=400), np.random.default_rng(seed), seed=seed)
    states = world.every()
    assert states is not None
    for _ in range(400):
        learner.update()
    features, policies = learner.codes(states)
    assert actions_found(features, states, policies, world) == 4
    assert scores.linear_r2(features, states).min() > 0.95
    effects = effects_of(learner)
    assert effect_accuracy(effects, 50)["right"] > 0.98
    causes = cause_accuracy(effects, 60)
    assert causes["one_action"] > 0.98
    assert causes["several_actions"] > 0.9


def test_settings_that_cannot_be_are_refused() -> None:
    for wrong in (
        {"objective": "undirected"},
        {"features": 0},
        {"weight": -1.0},
        {"policies": "bad"},
        {"stateless": 2.0},
    ):
        with pytest.raises(ValueError, match=str(next(iter(wrong)))):
            ICFConfig(**wrong)  # type: ignore[arg-type]
