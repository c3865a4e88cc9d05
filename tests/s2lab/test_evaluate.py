"""The evaluator against a plain loop over the seeds."""

from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from s2lab.envs.external import make_external_vec
from s2lab.errors import UserError
from s2lab.evaluate import evaluate


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
