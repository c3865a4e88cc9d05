"""The evaluator against a plain loop over the seeds."""

from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from scipy import stats

from s2lab import seeds
from s2lab.agents.ppo_config import PPOConfig
from s2lab.config import TrainConfig
from s2lab.envs.external import make_external_vec
from s2lab.errors import UserError
from s2lab.evaluate import Evaluation, evaluate
from s2lab.starts import Starts, compare_starts


class CountingPolicy:
    """Acts on how many steps its state has seen since a reset: 1 from the seventh step on."""

    def initial_state(self, batch_size: int) -> Any:
        return np.full(batch_size, 100)

    def step(self, observation: Mapping[str, Any], state: Any, reset: Any) -> tuple[Any, Any]:
        state = np.where(reset, 0, state) + 1
        return (state >= 7).astype(int), state


def play_one_by_one(seeds: list[int]) -> list[tuple[bool, float, int]]:
    results = []
    for seed in seeds:
        env = gym.make("test/Length-v0")
        env.reset(seed=seed)
        total, steps, ended = 0.0, 0, False
        while not ended:
            steps += 1
            _, reward, terminated, truncated, _ = env.step(int(steps >= 7))
            total += float(reward)
            ended = terminated or truncated
        results.append((terminated and float(reward) > 0, total, steps))
    return results


@pytest.mark.parametrize(("slots", "episodes"), [(1, 7), (4, 37), (8, 8), (8, 3)])
def test_every_listed_seed_is_played_once_to_its_end(slots: int, episodes: int) -> None:
    seeds = [11 * i + 3 for i in range(episodes)]
    worlds = make_external_vec("test/Length-v0", slots, AutoresetMode.DISABLED)
    result = evaluate(CountingPolicy(), worlds, seeds)
    expected = play_one_by_one(seeds)
    assert list(zip(result.success, result.returns, result.lengths, strict=True)) == expected
    assert result.seeds == tuple(seeds)


def test_the_summary_is_the_mean_over_seeds_and_not_over_the_first_to_finish() -> None:
    seeds = list(range(40))
    worlds = make_external_vec("test/Length-v0", 6, AutoresetMode.DISABLED)
    summary = evaluate(CountingPolicy(), worlds, seeds).summary()
    expected = np.array(play_one_by_one(seeds), float).mean(0)
    assert summary["success_rate"] == pytest.approx(expected[0])
    assert summary["mean_return"] == pytest.approx(expected[1])
    assert summary["mean_length"] == pytest.approx(expected[2])


def test_no_episodes_are_refused() -> None:
    worlds = make_external_vec("test/Length-v0", 2, AutoresetMode.DISABLED)
    with pytest.raises(UserError, match="at least 1"):
        evaluate(CountingPolicy(), worlds, [])


def test_worlds_that_reset_themselves_are_refused() -> None:
    worlds = make_external_vec("test/Length-v0", 2, AutoresetMode.SAME_STEP)
    with pytest.raises(ValueError, match="DISABLED"):
        evaluate(CountingPolicy(), worlds, [1])


def test_the_words_give_wilsons_interval_and_steps_per_success() -> None:
    success = np.array([True] * 7 + [False] * 3)
    lengths = np.where(success, 4, 90)
    found = Evaluation(tuple(range(10)), success, success * 0.5, lengths).in_words()
    theirs = stats.binomtest(7, 10).proportion_ci(method="wilson")
    assert f"success 0.700 ({theirs.low:.3f} to {theirs.high:.3f})" in found
    assert "4.0 per success" in found


def test_starts_met_in_training_are_told_from_new_ones() -> None:
    ppo = PPOConfig(num_envs=8, rollout_steps=16, minibatches=2)
    few = TrainConfig("MiniGrid-Empty-5x5-v0", steps=3200, ppo=ppo)
    found = compare_starts(few, seeds.eval_seeds(20), 10.0)
    assert found == Starts(distinct=1, unmet=0.0)  # the agent starts in the corner, always
    many = TrainConfig("MiniGrid-FourRooms-v0", steps=3200, ppo=ppo)
    found = compare_starts(many, seeds.eval_seeds(20), 100.0)
    assert found == Starts(distinct=20, unmet=1.0)
    trained = seeds.world_seeds(0, 8)
    assert compare_starts(many, trained, 100.0) == Starts(distinct=8, unmet=0.0)


def test_worlds_that_are_not_native_have_no_comparison_of_starts() -> None:
    assert compare_starts(TrainConfig("test/Length-v0"), [1], 3.0) is None
