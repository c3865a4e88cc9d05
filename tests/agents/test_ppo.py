"""PPO on worlds with known optima, and its formulas against plain re-statements."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode

from s2lab.agents.actor_critic import ActorCritic
from s2lab.agents.ppo import PPO, clipped_value_loss, gae
from s2lab.agents.ppo_config import PPOConfig
from s2lab.envs.external import make_external_vec


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
        carried._continue()
        carried.collect()
        for old, kept in zip(before, carried.rollout.state, strict=True):
            assert torch.equal(old, kept)


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


def test_the_first_gradient_is_that_of_the_plain_policy_gradient() -> None:
    """At the old policy the ratio is 1, so PPO's gradient is A * grad log pi (Williams 1992)."""
    config = PPOConfig(
        num_envs=4, rollout_steps=6, minibatches=1, epochs=1, entropy_coef=0.0, value_coef=0.0,
        max_grad_norm=1e9,
    )  # fmt: skip
    ppo = learner("test/Identity-v0", "none", config, 1000)
    ppo.collect()
    rollout = ppo.rollout
    advantages = gae(rollout.rewards, rollout.values, rollout.ends, config.gamma, config.gae_lambda)
    advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
    total = torch.zeros(())
    for t in range(config.rollout_steps):
        shown = {name: field[t : t + 1] for name, field in rollout.observation.items()}
        head, _, _ = ppo.model(shown, (), rollout.resets[t : t + 1])
        log_probs = torch.log(torch.softmax(head[0].double(), -1))
        for world in range(4):
            total = total + advantages[t, world] * log_probs[world, rollout.actions[t, world]]
    expected = torch.autograd.grad(-total / 24, ppo.model.policy[2].weight)[0]
    ppo._gradient_step(torch.arange(4), advantages, advantages + rollout.values[:-1])
    found = ppo.model.policy[2].weight.grad
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-7)


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
