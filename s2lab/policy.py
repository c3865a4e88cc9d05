"""Anything that acts, behind one face. Knows no training.

    policy = s2lab.load("runs/ID")
    state = policy.initial_state(batch)
    actions, state = policy.step(observation, state, reset)

`observation` holds the fields of the world's Dict space with a leading batch dimension [B, ...],
`reset` is bool [B] and true where an episode starts.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from s2lab.action_masks import effective_actions
from s2lab.errors import UserError

if TYPE_CHECKING:
    import torch
    from stable_baselines3.common.base_class import BaseAlgorithm

    from s2lab.agents.actor_critic import ActorCritic

Mode = Literal["sampled", "greedy"]


class Policy(Protocol):
    """What the evaluator needs of an agent."""

    def initial_state(self, batch_size: int) -> Any:
        """The state before the first step of `batch_size` episodes."""
        ...

    def step(
        self, observation: Mapping[str, Any], state: Any, reset: NDArray[np.bool_]
    ) -> tuple[NDArray[Any], Any]:
        """Actions [B] for the worlds, and the next state."""
        ...


class AgentPolicy:
    """One of our actor-critics."""

    def __init__(self, model: "ActorCritic", mode: Mode = "sampled", seed: int = 0) -> None:
        import torch

        self.model = model.eval()
        self.mode = mode
        self.device = next(model.parameters()).device
        self._generator = torch.Generator(self.device).manual_seed(seed)

    def initial_state(self, batch_size: int) -> tuple["torch.Tensor", ...]:
        """The core's state at the start of an episode."""
        return self.model.initial_state(batch_size, self.device)

    def step(
        self, observation: Mapping[str, Any], state: Any, reset: NDArray[np.bool_]
    ) -> tuple[NDArray[Any], Any]:
        """Sampled or most likely actions."""
        import torch

        with torch.no_grad():
            fields = {
                name: torch.as_tensor(observation[name]).to(self.device)[None]
                for name in self.model.encoder.fields
            }
            resets = torch.as_tensor(reset).to(self.device)[None]
            numbers, _, state = self.model(fields, state, resets)
            generator = self._generator if self.mode == "sampled" else None
            actions = self.model.actions.sample(numbers[0], generator)
        return self.model.actions.to_env(actions), state


class SB3Policy:
    """A Stable-Baselines3 model."""

    def __init__(
        self, model: "BaseAlgorithm", mode: Mode = "sampled", *, masked: bool = False
    ) -> None:
        """`masked` for a model that only takes actions which change anything."""
        self.model = model
        self.mode = mode
        self.masked = masked

    def initial_state(self, batch_size: int) -> Any:
        """None; SB3's recurrent policies make their own."""
        return None

    def step(
        self, observation: Mapping[str, Any], state: Any, reset: NDArray[np.bool_]
    ) -> tuple[NDArray[Any], Any]:
        """SB3's own `predict`."""
        masks = {"action_masks": effective_actions(observation)} if self.masked else {}
        return self.model.predict(
            dict(observation), state, reset, deterministic=self.mode == "greedy", **masks
        )


class RandomPolicy:
    """Uniform actions: the floor of every comparison."""

    def __init__(self, action_space: gym.Space[Any], seed: int = 0) -> None:
        self.space = action_space
        self.space.seed(seed)

    def initial_state(self, batch_size: int) -> None:
        """Nothing to remember."""

    def step(
        self, observation: Mapping[str, Any], state: Any, reset: NDArray[np.bool_]
    ) -> tuple[NDArray[Any], Any]:
        """One draw per world."""
        return np.stack([self.space.sample() for _ in range(len(reset))]), None


def load(path: str | Path, which: str = "latest", mode: Mode = "sampled", seed: int = 0) -> Policy:
    """The policy of a run folder.

    Args:
        path: the run folder
        which: checkpoint `latest`, `best` or `step_000100000`
        mode: `sampled` draws actions, `greedy` takes the most likely
        seed: of the drawn actions

    Raises:
        UserError: not a run, no good checkpoint, or an environment that cannot be made.
    """
    from s2lab import checkpoint
    from s2lab.config import BaselineConfig, TrainConfig, read_config
    from s2lab.run_folder import RunFolder

    run = RunFolder.open(Path(path))
    config = read_config(run)
    saved = checkpoint.load(run.checkpoints, which)
    if isinstance(config, TrainConfig):
        from s2lab.training import build_model

        model = build_model(config)
        checkpoint.restore(saved, {"model": model})
        return AgentPolicy(model, mode, seed)
    if isinstance(config, BaselineConfig):
        from s2lab.algorithms import build_algorithm

        algorithm = build_algorithm(config)
        checkpoint.restore(saved, {"model": algorithm.policy})
        algorithm.set_random_seed(seed)
        return SB3Policy(algorithm, mode, masked=config.algo == "maskable_ppo")
    raise UserError(f"{path} holds no policy")
