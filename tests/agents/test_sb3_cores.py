"""Our cores inside sb3-contrib's RecurrentPPO, used as anyone would use it."""

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from sb3_contrib import RecurrentPPO
from stable_baselines3.common.vec_env import DummyVecEnv

from s2lab.agents.cores import CORES
from s2lab.agents.sb3 import CorePolicy, FlatCore

DELAY = 8


class Cue(gym.Env[np.ndarray, np.int64]):
    """A cue of two, eight blank steps, then a bell: answer with the cue. Chance is one half."""

    observation_space = gym.spaces.Box(0, 1, (4,), np.float32)
    action_space = gym.spaces.Discrete(2)

    def shown(self) -> np.ndarray:
        step = self.step_index
        return np.eye(4, dtype=np.float32)[self.cue if step == 0 else 3 if step == DELAY else 2]

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.cue, self.step_index = int(self.np_random.integers(2)), 0
        return self.shown(), {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        answered = self.step_index == DELAY
        reward = float(answered and int(action) == self.cue)
        self.step_index += not answered
        return self.shown(), reward, answered, False, {}


class Forgetful(FlatCore):
    """The same core, its state reset at every step."""

    def forward(self, features: Any, halves: Any, episode_starts: torch.Tensor) -> Any:
        return super().forward(features, halves, torch.ones_like(episode_starts))


def student(core: str, options: dict[str, Any], **kwargs: Any) -> RecurrentPPO:
    env = DummyVecEnv([Cue for _ in range(16)])
    return RecurrentPPO(
        CorePolicy,
        env,
        n_steps=36,
        batch_size=144,
        n_epochs=4,
        gamma=0.99,
        learning_rate=3e-3,
        ent_coef=0.01,
        policy_kwargs={"core": core, "core_options": options, "net_arch": []} | kwargs,
        seed=0,
        device="cpu",
    )


def score(model: RecurrentPPO, episodes: int = 64) -> float:
    """Share of right answers through `predict(state=...)`."""
    env, right = Cue(), 0.0
    for seed in range(episodes):
        observation, _ = env.reset(seed=10_000 + seed)
        state, start, done = None, np.ones(1, dtype=bool), False
        while not done:
            action, state = model.predict(
                observation, state=state, episode_start=start, deterministic=True
            )
            observation, reward, done, _, _ = env.step(action)
            start = np.zeros(1, dtype=bool)
            right += reward
    return right / episodes


RIMS = {"module_count": 3, "module_size": 12, "active_count": 2, "key_size": 16, "head_size": 4}


@pytest.mark.slow
def test_rims_remember_a_cue_over_eight_steps_and_amnesia_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Amnesia gets as many steps as remembering needed."""
    remembering, steps = student("rims", RIMS), 0
    while steps < 32_000 and score(remembering, 32) < 1:
        remembering.learn(4_000, reset_num_timesteps=False)
        steps += 4_000
    assert score(remembering) > 0.95
    monkeypatch.setattr("s2lab.agents.sb3.FlatCore", Forgetful)
    assert score(student("rims", RIMS).learn(steps)) < 0.75


@pytest.mark.parametrize("name", sorted(CORES))
def test_every_core_learns_from_the_probabilities_it_acted_with(name: str, tmp_path: Path) -> None:
    """At the first minibatch PPO's ratio is one: acting and learning run the same network."""
    model = student(name, {}, shared_lstm=True, enable_critic_lstm=False)
    model._setup_learn(0)
    model._last_obs = model.env.reset()
    from stable_baselines3.common.callbacks import CallbackList

    callback = CallbackList([])
    callback.init_callback(model)
    model.collect_rollouts(model.env, callback, model.rollout_buffer, n_rollout_steps=36)
    model.policy.set_training_mode(True)
    for batch in model.rollout_buffer.get(144):
        mask = batch.mask > 0
        _, log_prob, _ = model.policy.evaluate_actions(
            batch.observations,
            batch.actions.long().flatten(),
            batch.lstm_states,
            batch.episode_starts,
        )
        torch.testing.assert_close(log_prob[mask], batch.old_log_prob[mask], rtol=0, atol=2e-5)
    model.train()
    model.save(tmp_path / "model")
    again = RecurrentPPO.load(tmp_path / "model", device="cpu")
    observation = np.zeros((2, 4), dtype=np.float32)
    first, state = model.predict(observation, deterministic=True)
    second, same = again.predict(observation, deterministic=True)
    assert np.array_equal(first, second)
    assert all(np.array_equal(a, b) for a, b in zip(state, same, strict=True))


@pytest.mark.parametrize("name", sorted(CORES))
def test_the_zero_state_of_sb3_is_the_cores_initial_state(name: str) -> None:
    core = FlatCore(name, 4, {})
    zeros = (torch.zeros(1, 3, core.hidden_size),) * 2
    for ours, fresh in zip(core.unpack(zeros), core.core.initial_state(3), strict=True):
        assert torch.equal(ours, fresh)
    outputs, halves = core(torch.randn(3, 4), zeros, torch.zeros(3))
    _, state = core.core(
        torch.zeros(1, 3, 4), core.core.initial_state(3), torch.zeros(1, 3, dtype=torch.bool)
    )
    assert outputs.shape == (3, core.core.output_size)
    back = core.unpack(core.pack(state, 3))
    for ours, theirs in zip(back, state, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)
    assert halves[0].shape == (1, 3, core.hidden_size)
