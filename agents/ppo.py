"""Recurrent PPO, top to bottom. Knows no files, no logging and no command line.

    worlds -> collect -> Rollout -> advantages -> update -> weights

The core's state is carried from rollout to rollout and cleared where an episode starts; each
minibatch holds whole sequences of some worlds and backpropagates through all of them.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from gymnasium.vector import AutoresetMode, VectorEnv
from torch import Tensor

from s2lab.agents.actor_critic import State
from s2lab.agents.execution import Passes
from s2lab.agents.parallel import across, average, processes, share_weights
from s2lab.agents.ppo_adam import FlatAdam
from s2lab.agents.ppo_config import PPOConfig
from s2lab.agents.ppo_loss import TERMS, LossWeights, ppo_loss
from s2lab.agents.rollout import Sequences, allocate, cut, gae
from s2lab.agents.towers import Network
from s2lab.agents.transfer import on_host
from s2lab.agents.visits import VisitCounts


@dataclass(frozen=True)
class Episode:
    """A finished episode."""

    return_: float
    """Sum of unscaled rewards."""
    length: int
    """Steps."""
    success: bool
    """Terminated with a positive last reward."""


class Diverged(ArithmeticError):
    """A loss that is no number, or too large; the weights are those before that minibatch."""

    def __init__(self, term: str, step: int, losses: Mapping[str, float]) -> None:
        super().__init__(f"{term} became {losses[term]} at step {step}")
        self.term, self.step, self.losses = term, step, dict(losses)


@runtime_checkable
class SavableWorlds(Protocol):
    """Worlds whose exact state fits into a checkpoint."""

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next step depends on."""
        ...

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Go on exactly there."""
        ...


class PPO:
    """The learner: its worlds, its network, its optimiser.

    With a process group (torchrun) each process has worlds of its own, `config.num_envs` of them,
    and all take the same gradient steps; `step` counts the worlds of all.
    """

    def __init__(
        self,
        worlds: VectorEnv[Any, Any, Any],
        model: Network,
        config: PPOConfig,
        *,
        total_steps: int,
        world_seeds: list[int],
        policy_seed: int,
        device: str = "cpu",
        bf16: bool = False,
        compiled: bool = False,
    ) -> None:
        """Start every world at its seed; `bf16` and `compiled` are those of `Passes`.

        Raises:
            ValueError: the worlds do not reset within the step that ends an episode.
        """
        if worlds.metadata.get("autoreset_mode") != AutoresetMode.SAME_STEP:
            raise ValueError("PPO needs worlds with autoreset_mode SAME_STEP")
        self.worlds, self.config, self.total_steps = worlds, config, total_steps
        self.device = torch.device(device)
        self.model = model.to(self.device)
        self.passes = Passes(self.model, self.device, bf16=bf16, compiled=compiled)
        self._agreed = self.passes.plain
        share_weights(self.model)
        self.optimizer = FlatAdam(model.parameters(), config.adam_eps, config.max_grad_norm)
        self.generator = torch.Generator(self.device).manual_seed(policy_seed)
        self.step, self.steps_per_rollout = 0, config.steps_per_rollout * processes()
        space: Any = worlds.single_observation_space  # every world here is a Dict
        steps, batch = config.rollout_steps, config.num_envs
        self.rollout = allocate(space, model, steps, batch, self.device)
        self.state: State = model.initial_state(batch, self.device)
        self.returns = np.zeros(batch)  # [B], of the running episodes
        self.lengths = np.zeros(batch, np.int64)  # [B]
        self.visits = VisitCounts(config.count_bonus) if config.count_bonus else None
        observation, _ = worlds.reset(seed=world_seeds)  # type: ignore[arg-type]  # lists work
        self.rollout.store(0, observation)
        self.rollout.resets[0] = True

    # -- acting ---------------------------------------------------------------------------------

    @torch.no_grad()
    def collect(self) -> list[Episode]:
        """Fill the rollout with the policy's own steps and return the episodes that ended."""
        rollout, head, episodes = self.rollout, self.model.actions, list[Episode]()
        rollout.states = []
        for t in range(self.config.rollout_steps):
            if t % self.config.sequence_length == 0:
                rollout.states.append(tuple(part.clone() for part in self.state))
            numbers, rollout.values[t], self.state = self._read(t)
            actions = head.sample(numbers, self.generator)
            rollout.numbers[t], rollout.actions[t] = numbers, actions
            observation, rewards, terminated, truncated, info = self.worlds.step(
                head.to_env(actions)
            )
            ends = terminated | truncated  # bool [B]
            rollout.store_outcome(t, rewards, ends)
            rollout.store(t + 1, observation)
            rewards, terminated, ends = on_host(rewards), on_host(terminated), on_host(ends)
            self.returns += rewards
            self.lengths += 1
            if ends.any():
                episodes += self._count(rewards, terminated, ends)
                self._bootstrap(t, on_host(truncated) & ~terminated, info)
        if self.visits is not None:
            reached = {name: field[1:] for name, field in rollout.observation.items()}
            rollout.rewards += self.visits.bonus(reached, rollout.ends).to(self.device)
        rollout.rewards *= self.config.reward_scale
        rollout.values[-1] = self._read(self.config.rollout_steps)[1]
        self.step += self.steps_per_rollout
        return episodes

    def _read(self, t: int) -> tuple[Tensor, Tensor, State]:
        observation = {name: field[t : t + 1] for name, field in self.rollout.observation.items()}
        resets = self.rollout.resets[t : t + 1]
        numbers, values, state = self.passes(observation, self.state, resets)
        return numbers[0], values[0], state

    def _bootstrap(self, t: int, cut_off: Any, info: Mapping[str, Any]) -> None:
        """Add the discounted value of the observation that a time limit cut off."""
        worlds = np.flatnonzero(cut_off)
        if not (self.config.bootstrap_truncated and len(worlds)):
            return
        final = {
            name: torch.as_tensor(
                np.stack([info["final_obs"][world][name] for world in worlds])
            ).to(self.device)[None]
            for name in self.rollout.observation
        }
        index = torch.as_tensor(worlds, device=self.device)
        state = tuple(part[index] for part in self.state)
        no_reset = torch.zeros(1, len(worlds), dtype=torch.bool, device=self.device)
        values = self.model(final, state, no_reset)[1][0]  # of scaled rewards
        self.rollout.rewards[t, index] += self.config.gamma * values / self.config.reward_scale

    def _count(self, rewards: Any, terminated: Any, ends: Any) -> list[Episode]:
        worlds = np.flatnonzero(ends)
        success = terminated[worlds] & (rewards[worlds] > 0)
        columns = self.returns[worlds].tolist(), self.lengths[worlds].tolist(), success.tolist()
        self.returns[worlds] = 0
        self.lengths[worlds] = 0
        return [Episode(*row) for row in zip(*columns, strict=True)]

    # -- learning -------------------------------------------------------------------------------

    def update(self) -> dict[str, float]:
        """One PPO update on the collected rollout; returns mean losses under SB3's names.

        Raises:
            Diverged: a loss or the gradient is no number, or too large.
        """
        config = self.config
        spent = min(1.0, (self.step - self.steps_per_rollout) / max(1, self.total_steps))
        lr = config.lr * (1 - spent * (1 - config.lr_end))
        entropy_coef = config.entropy_coef * (1 - spent * (1 - config.entropy_end))
        weights = LossWeights(config.clip, config.value_coef, entropy_coef)
        try:
            sequences = self.prepare()
            losses = list[list[float]]()
            for _ in range(config.epochs):
                count = len(sequences.resets[0])
                order = torch.randperm(count, generator=self.generator, device=self.device)
                for batch in sequences.shares(order, config.minibatches):
                    losses.append(self.gradient_step(batch, weights, lr))
        finally:
            self.rollout.wrap_around()
        means = np.mean(losses, 0).tolist()
        values, returns = sequences.values, sequences.returns
        unexplained = float((returns - values).var() / (returns.var() + 1e-8))
        return {f"train/{name}": mean for name, mean in zip(LOSSES, means, strict=True)} | {
            "train/explained_variance": 1 - unexplained,
            "train/learning_rate": lr,
            "train/entropy_coef": entropy_coef,
        }

    @torch.no_grad()
    def prepare(self) -> Sequences:
        """Log-probabilities, advantages and returns of the collected rollout, cut to sequences."""
        config, rollout = self.config, self.rollout
        log_probs, _ = self.model.actions.log_prob_and_entropy(rollout.numbers, rollout.actions)
        advantages = gae(
            rollout.rewards, rollout.values, rollout.ends, config.gamma, config.gae_lambda
        )
        returns = advantages + rollout.values[:-1]  # [T, B]
        mean, std = across(advantages)
        normalised = (advantages - mean) / (std.clamp(min=config.advantage_floor) + 1e-8)
        return cut(rollout, log_probs, normalised, returns, config.sequence_length)

    def gradient_step(self, batch: Sequences, weights: LossWeights, lr: float) -> list[float]:
        """Backpropagate, clip, step; returns the terms named in LOSSES.

        Raises:
            Diverged: before the weights have moved.
            Disagrees: the first time, if bf16 or compiled losses are not the eager ones.
        """
        numbers, values, _ = self.passes(batch.observation, batch.state, batch.resets)
        loss, terms = ppo_loss(self.model.actions, numbers, values, batch, weights)
        if not self._agreed:
            self._compare(batch, weights, terms)
        self.optimizer.clear()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        average(self.optimizer.gradient)
        average(terms)
        found = [*terms.tolist(), self.optimizer.norm()]
        if not (abs(found[0]) <= self.config.max_loss and found[-1] <= self.config.max_loss):
            raise self._diverged(found)
        self.optimizer.step(lr, found[-1])
        return found

    @torch.no_grad()
    def _compare(self, batch: Sequences, weights: LossWeights, terms: Tensor) -> None:
        numbers, values, _ = self.model(batch.observation, batch.state, batch.resets)
        eager = ppo_loss(self.model.actions, numbers, values, batch, weights)[1]
        self.passes.check(TERMS, terms, eager)
        self._agreed = True

    def _diverged(self, terms: list[float]) -> Diverged:
        losses = dict(zip(LOSSES, terms, strict=True))
        parts = ("policy_gradient_loss", "value_loss", "entropy_loss", "loss", "grad_norm")
        bad = [name for name in parts if not abs(losses[name]) <= self.config.max_loss]
        # A term that is no number spoils the sums; one that is merely large may be beside it.
        bad.sort(key=lambda name: math.isfinite(losses[name]))
        return Diverged(bad[0], self.step, losses)

    # -- checkpoints ----------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """What resuming needs besides the weights: exactly everything, if the worlds can be saved.

        Worlds without `state_dict` start new episodes on resume.
        """
        saved: dict[str, Any] = {
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "step": self.step,
        }
        if self.visits is not None:
            saved["visits"] = self.visits.state_dict()
        if isinstance(self.worlds, SavableWorlds):
            first = {name: field[0] for name, field in self.rollout.observation.items()}
            saved["running"] = {
                "worlds": self.worlds.state_dict(),
                "observation": first,
                "reset": self.rollout.resets[0],
                "state": list(self.state),
                "returns": self.returns,
                "lengths": self.lengths,
            }
        return saved

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Take up where `state_dict` was called."""
        self.optimizer.load_state_dict(saved["optimizer"])
        self.generator.set_state(saved["generator"])
        self.step = int(saved["step"])
        if self.visits is not None:
            self.visits.load_state_dict(saved["visits"])
        if isinstance(self.worlds, SavableWorlds) and "running" in saved:
            running = saved["running"]
            self.worlds.load_state_dict(running["worlds"])
            self.rollout.store(0, running["observation"])
            self.rollout.resets[0] = running["reset"]
            self.state = tuple(part.to(self.device) for part in running["state"])
            self.returns, self.lengths = running["returns"], running["lengths"]


LOSSES = (*TERMS, "grad_norm")
