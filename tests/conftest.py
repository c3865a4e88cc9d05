"""Worlds with known optima, registered with gymnasium for every test."""

import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces


@pytest.fixture(autouse=True)
def tiny_numbers_stay() -> Iterator[None]:
    """Undo what training asks of its process: floating-point numbers below 1e-38 become zero."""
    yield
    if "torch" in sys.modules:
        sys.modules["torch"].set_flush_denormal(False)


class IdentityWorld(gym.Env[int, int]):
    """Repeat the number that is shown; ten steps of one point each at the optimum."""

    def __init__(self) -> None:
        self.observation_space = spaces.Discrete(4)
        self.action_space = spaces.Discrete(4)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[int, dict[str, Any]]:
        super().reset(seed=seed)
        self.steps, self.shown = 0, int(self.np_random.integers(4))
        return self.shown, {}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        reward = float(action == self.shown)
        self.steps, self.shown = self.steps + 1, int(self.np_random.integers(4))
        return self.shown, reward, self.steps == 10, False, {}


class CueWorld(gym.Env[Any, int]):
    """A cue at the first step, blanks, and at the last step a point for naming the cue."""

    def __init__(self, delay: int = 5) -> None:
        self.delay = delay
        self.observation_space = spaces.Dict(
            {"cue": spaces.Box(-1, 1, (2,), np.float32), "last": spaces.MultiBinary(1)}
        )
        self.action_space = spaces.Discrete(2)

    def _observe(self) -> dict[str, Any]:
        cue = np.zeros(2, np.float32)
        if self.steps == 0:
            cue[self.cue] = 1
        return {"cue": cue, "last": np.array([self.steps == self.delay], np.int8)}

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.steps, self.cue = 0, int(self.np_random.integers(2))
        return self._observe(), {}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        last = self.steps == self.delay
        self.steps += 1
        return self._observe(), float(last and action == self.cue), last, False, {}


class LengthWorld(gym.Env[Any, int]):
    """An episode as long as its seed's last digit says; long ones succeed only under action 1.

    Even lengths end by termination, odd ones by truncation, so that success is not the same thing
    as a positive reward.
    """

    def __init__(self) -> None:
        self.observation_space = spaces.Box(0, 1000, (2,), np.float32)
        self.action_space = spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        assert seed is not None, "a world that is judged must be reset to a listed seed"
        self.length, self.steps = 1 + seed % 10, 0
        return np.array([self.length, 0], np.float32), {}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.steps += 1
        ended = self.steps == self.length
        reward = float(ended and (self.length < 5 or action == 1))
        even = self.length % 2 == 0
        observation = np.array([self.length, self.steps], np.float32)
        return observation, reward, ended and even, ended and not even, {}


class TimeLimitWorld(gym.Env[Any, int]):
    """Four steps of reward 0 that show 0, 0, 0, 0 and are then cut off, showing 1."""

    def __init__(self) -> None:
        self.observation_space = spaces.Box(0, 1, (1,), np.float32)
        self.action_space = spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.steps = 0
        return np.zeros(1, np.float32), {}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.steps += 1
        cut = self.steps == 4
        return np.full(1, cut, np.float32), 0.0, False, cut, {}


@pytest.fixture(scope="session", autouse=True)
def _worlds() -> None:
    for name, world in {
        "test/Identity-v0": IdentityWorld,
        "test/Cue-v0": CueWorld,
        "test/Length-v0": LengthWorld,
        "test/TimeLimit-v0": TimeLimitWorld,
    }.items():
        if name not in gym.registry:
            gym.register(name, world)


def pytest_unconfigure(config: pytest.Config) -> None:
    """The last line counts what was skipped, by reason."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or hasattr(config, "workerinput"):
        return
    reasons = Counter(
        str(report.longrepr[2]).removeprefix("Skipped: ")
        for report in reporter.stats.get("skipped", ())
        if isinstance(report.longrepr, tuple)
    )
    counted = ", ".join(f"{count} x {reason}" for reason, count in sorted(reasons.items()))
    print(f"skipped: {counted or 'none'}")
