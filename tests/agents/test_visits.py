"""The bonus for what was seldom seen, against a dictionary of bytes, and what it is good for."""

from collections import Counter
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv

from s2lab.agents.actor_critic import ActorCritic
from s2lab.agents.ppo import PPO
from s2lab.agents.ppo_config import PPOConfig
from s2lab.agents.visits import VisitCounts
from s2lab.envs.sb3 import GridVecEnv
from s2lab.envs.vector import make_vec
from s2lab.sb3_worlds import Counted

STEPS, WORLDS = 40, 6
DIGITS, PATIENCE = 20, 60


class Locks(VectorEnv[Any, Any, Any]):
    """Twenty right choices of two in a row for a point; a wrong one leads back to the start."""

    metadata: ClassVar[dict[str, Any]] = {"autoreset_mode": AutoresetMode.SAME_STEP}

    def __init__(self, num_envs: int) -> None:
        self.num_envs = num_envs
        self.single_observation_space = spaces.Dict({"place": spaces.Discrete(DIGITS + 1)})
        self.single_action_space = spaces.Discrete(2)
        self.place, self.steps = np.zeros((2, num_envs), np.int64)

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        self.place[:], self.steps[:] = 0, 0
        return {"place": self.place.copy()}, {}

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        self.place = np.where(actions == self.place * 7 // 3 % 2, self.place + 1, 0)
        self.steps += 1
        opened = self.place == DIGITS
        late = (self.steps == PATIENCE) & ~opened
        self.place[opened | late], self.steps[opened | late] = 0, 0
        return {"place": self.place.copy()}, opened.astype(float), opened, late, {}


def walk(seed: int) -> tuple[dict[str, torch.Tensor], np.ndarray]:
    """Fields [T, B, ...] of few distinct values, and ends [T, B]."""
    rng = np.random.default_rng(seed)
    fields = {
        "image": rng.integers(0, 2, (STEPS, WORLDS, 3)).astype(np.uint8),
        "far": rng.integers(0, 2, (STEPS, WORLDS)),
        "speed": rng.integers(0, 2, (STEPS, WORLDS, 1)).astype(np.float32),
    }
    shown = {name: torch.from_numpy(field) for name, field in fields.items()}
    return shown, rng.random((STEPS, WORLDS)) < 0.1


def test_the_nth_sight_is_worth_an_nth_as_a_dictionary_counts() -> None:
    seen, visits = Counter[bytes](), VisitCounts(0.5)
    for part in range(3):
        shown, ends = walk(part)
        if part == 2:  # goes on where another one was saved
            saved = {name: array.copy() for name, array in visits.state_dict().items()}
            visits = VisitCounts(0.5)
            visits.load_state_dict(saved)
        found = visits.bonus(shown, ends).numpy()
        for t in range(STEPS):
            for b in range(WORLDS):
                name = b"".join(field[t, b].numpy().tobytes() for field in shown.values())
                seen[name] += not ends[t, b]
                expected = 0.0 if ends[t, b] else 0.5 / seen[name]
                assert found[t, b] == pytest.approx(expected, rel=1e-6)
    assert max(seen.values()) > 5


def test_baselines_are_paid_the_same_and_report_the_same_returns() -> None:
    env_id, rng = "MiniGrid-Empty-5x5-v0", np.random.default_rng(0)
    ours = make_vec(env_id, WORLDS)
    ours.reset(seed=[5 + n for n in range(WORLDS)])
    theirs = Counted(GridVecEnv(env_id, WORLDS), VisitCounts(0.25))
    theirs.seed(5)
    theirs.reset()
    rows: list[Any] = []
    paid = []
    for _ in range(200):
        actions = rng.integers(0, 3, WORLDS)
        shown, rewards, terminated, truncated, _ = ours.step(actions)
        copies = {name: field.copy() for name, field in shown.items()}
        rows.append((copies, rewards.copy(), terminated | truncated))
        paid.append(theirs.step(actions)[1])
    reached = {name: np.stack([row[0][name] for row in rows]) for name in rows[0][0]}
    rewards, ends = (np.stack([row[k] for row in rows]) for k in (1, 2))
    bonus = VisitCounts(0.25).bonus(reached, ends).numpy()
    assert ends.any()
    assert np.allclose(np.stack(paid), rewards + bonus, atol=1e-6)


def test_only_curiosity_opens_a_lock_of_twenty_digits() -> None:
    """A random policy opens it once in a million tries."""
    config = PPOConfig(num_envs=16, rollout_steps=64, minibatches=4, lr=3e-3, value_gain=0.01)
    opened = []
    for bonus in (0.0, 0.1):
        torch.manual_seed(0)
        worlds = Locks(config.num_envs)
        model = ActorCritic(
            worlds.single_observation_space, worlds.single_action_space, "none", {}
        )  # fmt: skip
        seeds = list(range(config.num_envs))
        ppo = PPO(
            worlds, model, replace(config, count_bonus=bonus), total_steps=20_000,
            world_seeds=seeds, policy_seed=0,
        )  # fmt: skip
        episodes = []
        while ppo.step < 20_000:
            episodes = ppo.collect()
            ppo.update()
        opened.append(np.mean([episode.success for episode in episodes]))
        assert max(episode.return_ for episode in episodes) <= 1, "returns are without the bonus"
    assert opened[0] == 0
    assert opened[1] > 0.9
