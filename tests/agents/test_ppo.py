"""PPO on worlds with known optima, and its formulas against plain re-statements."""

import copy
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode

from s2lab.agents.actor_critic import ActorCritic
from s2lab.agents.ppo import LOSSES, PPO, Diverged
from s2lab.agents.ppo_config import PPOConfig
from s2lab.agents.ppo_loss import LossWeights, clipped_value_loss
from s2lab.agents.rollout import gae
from s2lab.agents.towers import Towers
from s2lab.envs.external import make_external_vec
from s2lab.envs.vector import make_vec


def learner(env_id: str, core: str, config: PPOConfig, steps: int, **options: Any) -> PPO:
    torch.manual_seed(0)
    worlds = make_external_vec(env_id, config.num_envs)
    space: Any = worlds.single_observation_space
    model = ActorCritic(space, worlds.single_action_space, core, options)
    seeds = list(range(config.num_envs))
    return PPO(worlds, model, config, total_steps=steps, world_seeds=seeds, policy_seed=0)


def trained_return(ppo: PPO, steps: int) -> float:
    episodes = []
    while ppo.step < steps:
        episodes = ppo.collect()
        ppo.update()
    return float(np.mean([episode.return_ for episode in episodes]))


SMALL = PPOConfig(num_envs=16, rollout_steps=24, minibatches=2, lr=3e-3)


def test_a_memoryless_agent_learns_to_repeat_what_it_sees() -> None:
    assert trained_return(learner("test/Identity-v0", "none", SMALL, 8_000), 8_000) > 9.5


@pytest.mark.slow
def test_only_memory_solves_a_cue_that_is_gone() -> None:
    steps = 16_000
    with_memory = trained_return(learner("test/Cue-v0", "lstm", SMALL, steps), steps)
    without = trained_return(learner("test/Cue-v0", "none", SMALL, steps), steps)
    assert with_memory > 0.95
    assert without < 0.7


@pytest.mark.slow
def test_the_state_is_carried_from_rollout_to_rollout() -> None:
    # Six steps an episode and four a rollout: the cue and its answer never share a rollout.
    short = PPOConfig(num_envs=16, rollout_steps=4, minibatches=2, lr=3e-3)
    carried = learner("test/Cue-v0", "lstm", short, 4_000)
    for _ in range(3):
        carried.collect()
        before = [part.clone() for part in carried.state]
        carried.rollout.wrap_around()
        carried.collect()
        for old, kept in zip(before, carried.rollout.states[0], strict=True):
            assert torch.equal(old, kept)


@pytest.mark.slow
def test_a_cue_further_back_than_the_rollout_needs_the_carried_state() -> None:
    remembering = learner("test/Cue-v0", "lstm", SMALL, 12_000)
    assert trained_return(remembering, 12_000) > 0.95
    rates = {}
    for carried in (True, False):
        worlds = make_external_vec("test/Cue-v0", 16)
        short, seeds = replace(SMALL, rollout_steps=4), list(range(16))
        ppo = PPO(worlds, remembering.model, short, total_steps=1, world_seeds=seeds, policy_seed=0)
        returns = []
        for _ in range(60):
            if not carried:
                ppo.state = ppo.model.initial_state(16)
            returns += [episode.return_ for episode in ppo.collect()]
            ppo.rollout.wrap_around()
        rates[carried] = float(np.mean(returns))
    assert rates[True] > 0.95
    assert rates[False] < 0.65  # chance is 0.5


def test_advantages_are_the_weighted_sum_of_temporal_differences() -> None:
    generator = torch.Generator().manual_seed(0)
    rewards, values = (torch.rand(n, 3, generator=generator, dtype=torch.float64) for n in (7, 8))
    ends = torch.rand(7, 3, generator=generator) < 0.3
    found = gae(rewards, values, ends, 0.9, 0.8)
    for world in range(3):
        for t in range(7):
            total, weight = 0.0, 1.0
            for later in range(t, 7):
                following = 0.0 if ends[later, world] else 0.9 * values[later + 1, world]
                total += weight * float(rewards[later, world] + following - values[later, world])
                weight *= 0.9 * 0.8
                if ends[later, world]:
                    break
            assert math.isclose(float(found[t, world]), total, rel_tol=1e-12)


def test_a_value_that_moved_beyond_the_clip_gets_no_gradient() -> None:
    values = torch.tensor([1.5, 0.1], requires_grad=True)
    clipped_value_loss(values, torch.zeros(2), torch.tensor([2.0, 2.0]), 0.2).backward()
    assert values.grad is not None
    # First: error 1.8 of the clipped value beats 0.5 of the free one, so the free one is idle.
    assert values.grad.tolist() == pytest.approx([0.0, -0.95])


def slow_losses(ppo: PPO, worlds: list[int]) -> dict[str, torch.Tensor]:
    """PPO's loss of some worlds, one world and one step at a time (Schulman et al. 2017, eq. 9)."""
    rollout, config = ppo.rollout, ppo.config
    advantages = gae(rollout.rewards, rollout.values, rollout.ends, config.gamma, config.gae_lambda)
    returns = advantages + rollout.values[:-1]
    advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
    sums = dict.fromkeys(("policy", "value", "entropy"), torch.zeros(()))
    for world in worlds:
        length = config.sequence_length
        for t in range(config.rollout_steps):
            if t % length == 0:
                state = tuple(part[world : world + 1] for part in rollout.states[t // length])
            shown = {k: v[t : t + 1, world : world + 1] for k, v in rollout.observation.items()}
            reset = rollout.resets[t : t + 1, world : world + 1]
            numbers, value, state = ppo.model(shown, state, reset)
            policy: Any = torch.distributions.Categorical(logits=numbers[0, 0])
            acted: Any = torch.distributions.Categorical(logits=rollout.numbers[t, world])
            action, gain = rollout.actions[t, world], advantages[t, world]
            ratio = (policy.log_prob(action) - acted.log_prob(action)).exp()
            bounded = min(max(ratio, 1 - config.clip), 1 + config.clip)
            old, target = rollout.values[t, world], returns[t, world]
            moved = old + min(max(value[0, 0] - old, -config.clip), config.clip)
            worst = max((value[0, 0] - target) ** 2, (moved - target) ** 2)
            terms = (-min(ratio * gain, bounded * gain), 0.5 * worst, policy.entropy())
            sums = {
                name: total + term / (len(worlds) * config.rollout_steps)
                for (name, total), term in zip(sums.items(), terms, strict=True)
            }
    return sums


@pytest.mark.parametrize("unroll", [0, 4])
def test_one_update_is_that_of_a_plain_loop(unroll: int) -> None:
    config = PPOConfig(num_envs=3, rollout_steps=12, minibatches=1, epochs=1, unroll=unroll)
    ppo = learner("test/Cue-v0", "lstm", config, 1000, hidden_size=8)
    for _ in range(2):  # the second rollout starts from states and in the middle of episodes
        ppo.collect()
        ppo.update()
    ppo.collect()
    for acted in (ppo.rollout.numbers, ppo.rollout.values):  # as if other weights had acted
        acted += 0.4 * torch.randn(acted.shape, generator=ppo.generator)
    sums = slow_losses(ppo, [0, 1, 2])
    loss = sums["policy"] + 0.5 * sums["value"] - 0.03 * sums["entropy"]
    weights = list(ppo.model.parameters())
    expected = torch.autograd.grad(loss, weights)
    norm = torch.sqrt(torch.stack([(part**2).sum() for part in expected]).sum())
    terms = ppo.gradient_step(ppo.prepare(), LossWeights(0.2, 0.5, 0.03), lr=0.0)
    found = dict(zip(LOSSES, terms, strict=True))
    assert found["loss"] == pytest.approx(loss.item(), rel=1e-4)
    assert found["policy_gradient_loss"] == pytest.approx(sums["policy"].item(), rel=1e-4, abs=1e-6)
    assert found["value_loss"] == pytest.approx(sums["value"].item(), rel=1e-4)
    assert found["grad_norm"] == pytest.approx(norm.item(), rel=1e-4)
    assert 0 < found["clip_fraction"] < 1
    for weight, gradient in zip(weights, expected, strict=True):
        torch.testing.assert_close(weight.grad, gradient, rtol=1e-3, atol=1e-6)


def test_an_update_is_that_of_stable_baselines3() -> None:
    """Four passes over one rollout at one network: GAE, losses, clipping, Adam and all."""
    from stable_baselines3 import PPO as StablePPO

    # Small returns and a large epsilon: values move less than the clip, which SB3's do not have.
    config = PPOConfig(
        num_envs=4, rollout_steps=32, minibatches=1, epochs=4, lr=0.03, adam_eps=0.01, clip=0.1,
        gamma=0.97, gae_lambda=0.9, reward_scale=0.004,
    )  # fmt: skip
    worlds = make_external_vec("CartPole-v1", 4)
    space: Any = worlds.single_observation_space
    theirs = StablePPO(
        "MlpPolicy", "CartPole-v1", n_steps=128, batch_size=128, n_epochs=4, learning_rate=0.03,
        gamma=0.97, gae_lambda=0.9, ent_coef=0.01, clip_range=0.1, seed=0, device="cpu",
        vf_coef=0.25,  # their squared error is not halved
        policy_kwargs={"optimizer_kwargs": {"eps": 0.01}},
    )  # fmt: skip
    theirs.policy.value_net.weight.data *= 0.01
    theirs.n_envs, theirs.rollout_buffer.n_envs, theirs.rollout_buffer.buffer_size = 4, 4, 32
    theirs.rollout_buffer.reset()
    model = Towers(space, worlds.single_action_space)
    take_weights(model, theirs.policy)
    ppo = PPO(worlds, model, config, total_steps=1, world_seeds=[0, 1, 2, 3], policy_seed=0)
    for _ in range(2):  # the second rollout begins in the middle of episodes
        ppo.rollout.wrap_around()
        ppo.collect()
    shown, acted = ppo.rollout, ppo.model.actions
    log_probs, _ = acted.log_prob_and_entropy(shown.numbers, shown.actions)
    for t in range(32):
        theirs.rollout_buffer.add(
            shown.observation["observation"][t].numpy(), shown.actions[t].numpy()[:, None],
            shown.rewards[t].numpy(), shown.resets[t].numpy(), shown.values[t], log_probs[t],
        )  # fmt: skip
    last = shown.resets[-1].numpy()
    theirs.rollout_buffer.compute_returns_and_advantage(shown.values[-1], last)
    theirs._setup_learn(128)
    before = model.first.weight.clone()
    ppo.step = config.steps_per_rollout  # the learning rate's schedule at its start
    found = ppo.update()
    theirs.train()
    expected = Towers(space, worlds.single_action_space)
    take_weights(expected, theirs.policy)
    assert (model.first.weight - before).abs().max() > 1e-3
    for name, weight in model.named_parameters():
        torch.testing.assert_close(weight, expected.get_parameter(name), rtol=1e-3, atol=2e-5)
    logged = theirs.logger.name_to_value
    for mine, other in (("policy_gradient_loss", "policy_gradient_loss"), ("entropy_loss",) * 2):
        assert found[f"train/{mine}"] == pytest.approx(logged[f"train/{other}"], rel=1e-3)
    assert found["train/clip_fraction"] == pytest.approx(logged["train/clip_fraction"], abs=1e-6)
    assert found["train/clip_fraction"] > 0


def take_weights(model: Towers, policy: Any) -> None:
    """The weights of an SB3 MlpPolicy."""
    actor, critic = policy.mlp_extractor.policy_net, policy.mlp_extractor.value_net
    with torch.no_grad():
        model.first.weight.copy_(torch.cat([actor[0].weight, critic[0].weight]))
        model.first.bias.copy_(torch.cat([actor[0].bias, critic[0].bias]))
        model.second.copy_(torch.stack([actor[2].weight, critic[2].weight]))
        model.second_bias.copy_(torch.cat([actor[2].bias, critic[2].bias]))
        for mine, other in ((model.policy, policy.action_net), (model.value, policy.value_net)):
            mine.load_state_dict(other.state_dict())


def test_the_order_of_the_worlds_does_not_matter() -> None:
    config = PPOConfig(num_envs=6, rollout_steps=8, minibatches=1, epochs=1)
    ppo = learner("test/Cue-v0", "lstm", config, 1000, hidden_size=8)
    ppo.collect()
    sequences = ppo.prepare()
    gradients = []
    for order in (torch.arange(6), torch.tensor([4, 1, 5, 0, 3, 2])):
        (shuffled,) = sequences.shares(order, 1)
        ppo.gradient_step(shuffled, LossWeights(0.2, 0.5, 0.01), lr=0.0)
        gradients.append(ppo.optimizer.gradient.clone())
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-7)


def test_a_loss_that_is_no_number_is_named_before_the_weights_move() -> None:
    ppo = learner("test/Identity-v0", "none", SMALL, 1000)
    ppo.collect()
    ppo.rollout.values[3, 2] = math.nan  # values reach advantages, and so every term but entropy
    before = [weight.clone() for weight in ppo.model.parameters()]
    with pytest.raises(Diverged, match=r"policy_gradient_loss became nan at step 384"):
        ppo.update()
    for old, weight in zip(before, ppo.model.parameters(), strict=True):
        assert torch.equal(old, weight)


def test_a_loss_that_explodes_is_named() -> None:
    ppo = learner("test/Identity-v0", "none", SMALL, 1000)
    ppo.collect()
    ppo.rollout.rewards[:] = 1e5
    with pytest.raises(Diverged) as caught:
        ppo.update()
    assert caught.value.term == "value_loss"
    assert caught.value.losses["value_loss"] > 1e6


def test_schedules_fall_linearly_over_the_budget() -> None:
    config = PPOConfig(
        num_envs=2, rollout_steps=8, minibatches=1, epochs=1, lr=1e-3, lr_end=0.2,
        entropy_coef=0.02, entropy_end=0.5,
    )  # fmt: skip
    ppo = learner("test/Identity-v0", "none", config, 64)
    for done in (0, 16, 32, 48):
        ppo.collect()
        losses = ppo.update()
        assert losses["train/learning_rate"] == pytest.approx(1e-3 * (1 - 0.8 * done / 64))
        assert losses["train/entropy_coef"] == pytest.approx(0.02 * (1 - 0.5 * done / 64))


def test_an_unroll_that_does_not_divide_the_rollout_is_refused() -> None:
    with pytest.raises(ValueError, match=r"divide rollout_steps \(64\), got 24"):
        PPOConfig(unroll=24)


def test_the_value_of_the_cut_off_observation_is_added_when_asked_for() -> None:
    torch.manual_seed(0)
    plain = PPOConfig(num_envs=2, rollout_steps=12, minibatches=1)
    extended = PPOConfig(num_envs=2, rollout_steps=12, minibatches=1, bootstrap_truncated=True)
    rewards = []
    for config in (plain, extended):
        ppo = learner("test/TimeLimit-v0", "none", config, 1000)
        ppo.collect()
        rewards.append(ppo.rollout.rewards)
        final = {"observation": torch.tensor([[[1.0]]]).expand(1, 2, 1)}
        value = ppo.model(final, (), torch.zeros(1, 2, dtype=torch.bool))[1][0]
    difference = rewards[1] - rewards[0]
    expected = torch.zeros(12, 2)
    expected[3::4] = 0.99 * value.detach()
    torch.testing.assert_close(difference, expected)


def test_worlds_with_another_reset_mode_are_refused() -> None:
    worlds = make_external_vec("test/Identity-v0", 2, AutoresetMode.NEXT_STEP)
    space: Any = worlds.single_observation_space
    model = ActorCritic(space, worlds.single_action_space, "none")
    with pytest.raises(ValueError, match="SAME_STEP"):
        PPO(worlds, model, SMALL, total_steps=1, world_seeds=[0, 1], policy_seed=0)


def test_a_learner_restored_in_mid_episode_goes_on_bit_for_bit() -> None:
    config = PPOConfig(num_envs=4, rollout_steps=8, minibatches=2, epochs=1, unroll=4)

    def fresh() -> PPO:
        torch.manual_seed(0)
        worlds = make_vec("MiniGrid-Empty-5x5-v0", 4)
        space: Any = worlds.single_observation_space
        model = ActorCritic(space, worlds.single_action_space, "lstm", {"hidden_size": 8})
        seeds = list(range(4))
        return PPO(worlds, model, config, total_steps=200, world_seeds=seeds, policy_seed=0)

    undisturbed, restored = fresh(), fresh()
    for _ in range(2):
        undisturbed.collect()
        undisturbed.update()
    restored.load_state_dict(copy.deepcopy(undisturbed.state_dict()))
    restored.model.load_state_dict(copy.deepcopy(undisturbed.model.state_dict()))
    for _ in range(2):
        assert undisturbed.collect() == restored.collect()
        assert undisturbed.update() == restored.update()
    for old, new in zip(undisturbed.model.parameters(), restored.model.parameters(), strict=True):
        assert torch.equal(old, new)
