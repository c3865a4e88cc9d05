"""Recurrent PPO, top to bottom. Knows no files, no logging and no command line.

    worlds -> collect -> Rollout -> advantages -> update -> weights

The core's state is carried from rollout to rollout and cleared where an episode starts; each
minibatch holds whole sequences of some worlds and backpropagates through all of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from gymnasium.vector import AutoresetMode, VectorEnv
from torch import Tensor, nn

from s2lab.agents.actor_critic import ActorCritic, State
from s2lab.agents.ppo_config import PPOConfig


@dataclass
class Rollout:
    """T steps of B worlds, preallocated once and written over."""

    observation: dict[str, Tensor]  # fields [T + 1, B, ...]; the last one is the next rollout's
    actions: Tensor  # [T, B] or [T, B, d]
    log_probs: Tensor  # [T, B], of the policy that acted
    values: Tensor  # [T + 1, B]
    rewards: Tensor  # [T, B], scaled
    ends: Tensor  # bool [T, B], the episode ended with this step
    resets: Tensor  # bool [T + 1, B], an episode starts with this observation
    state: State  # the core's state before step 0, tensors [B, ...]


@dataclass(frozen=True)
class Episode:
    """A finished episode."""

    return_: float
    """Sum of unscaled rewards."""
    length: int
    """Steps."""
    success: bool
    """Terminated with a positive last reward."""


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
    """The learner: its worlds, its network, its optimiser."""

    def __init__(
        self,
        worlds: VectorEnv[Any, Any, Any],
        model: ActorCritic,
        config: PPOConfig,
        *,
        total_steps: int,
        world_seeds: list[int],
        policy_seed: int,
        device: str = "cpu",
    ) -> None:
        """Start every world at its seed.

        Raises:
            ValueError: the worlds do not reset within the step that ends an episode.
        """
        if worlds.metadata.get("autoreset_mode") != AutoresetMode.SAME_STEP:
            raise ValueError("PPO needs worlds with autoreset_mode SAME_STEP")
        self.worlds, self.config, self.total_steps = worlds, config, total_steps
        self.device = torch.device(device)
        self.model = model.to(self.device)
        self.optimizer = torch.optim.Adam(model.parameters(), config.lr, eps=config.adam_eps)
        self.generator = torch.Generator(self.device).manual_seed(policy_seed)
        self.step = 0
        self.rollout = self._allocate()
        self.state = model.initial_state(config.num_envs, self.device)
        self.returns = np.zeros(config.num_envs)  # [B], of the running episodes
        self.lengths = np.zeros(config.num_envs, np.int64)  # [B]
        observation, _ = worlds.reset(seed=world_seeds)  # type: ignore[arg-type]  # lists work
        self._store(0, observation)
        self.rollout.resets[0] = True

    # -- acting ---------------------------------------------------------------------------------

    @torch.no_grad()
    def collect(self) -> list[Episode]:
        """Fill the rollout with the policy's own steps and return the episodes that ended."""
        rollout, head, episodes = self.rollout, self.model.actions, list[Episode]()
        rollout.state = tuple(part.clone() for part in self.state)
        for t in range(self.config.rollout_steps):
            numbers, values, self.state = self._read(t)
            actions = head.sample(numbers, self.generator)
            rollout.actions[t] = actions
            rollout.log_probs[t] = head.log_prob_and_entropy(numbers, actions)[0]
            rollout.values[t] = values
            observation, rewards, terminated, truncated, info = self.worlds.step(
                head.to_env(actions)
            )
            ends = terminated | truncated  # bool [B]
            rollout.rewards[t] = torch.as_tensor(rewards) * self.config.reward_scale
            rollout.ends[t] = rollout.resets[t + 1] = torch.as_tensor(ends)
            if self.config.bootstrap_truncated and (truncated & ~terminated).any():
                self._bootstrap(t, truncated & ~terminated, info)
            episodes += self._count(rewards, terminated, ends)
            self._store(t + 1, observation)
        rollout.values[-1] = self._read(self.config.rollout_steps)[1]
        self.step += self.config.steps_per_rollout
        return episodes

    def _read(self, t: int) -> tuple[Tensor, Tensor, State]:
        observation = {name: field[t : t + 1] for name, field in self.rollout.observation.items()}
        numbers, values, state = self.model(observation, self.state, self.rollout.resets[t : t + 1])
        return numbers[0], values[0], state

    def _store(self, t: int, observation: Mapping[str, Any]) -> None:
        for name, field in self.rollout.observation.items():
            field[t] = torch.as_tensor(observation[name])

    def _bootstrap(self, t: int, cut: Any, info: Mapping[str, Any]) -> None:
        """Add the discounted value of the observation that a time limit cut off."""
        worlds = np.flatnonzero(cut)
        final = {
            name: torch.as_tensor(
                np.stack([info["final_obs"][world][name] for world in worlds])
            ).to(self.device)[None]
            for name in self.rollout.observation
        }
        index = torch.as_tensor(worlds, device=self.device)
        state = tuple(part[index] for part in self.state)
        no_reset = torch.zeros(1, len(worlds), dtype=torch.bool, device=self.device)
        values = self.model(final, state, no_reset)[1][0]
        self.rollout.rewards[t, index] += self.config.gamma * values

    def _count(self, rewards: Any, terminated: Any, ends: Any) -> list[Episode]:
        self.returns += rewards
        self.lengths += 1
        episodes = [
            Episode(
                float(self.returns[world]),
                int(self.lengths[world]),
                bool(terminated[world] and rewards[world] > 0),
            )
            for world in np.flatnonzero(ends)
        ]
        self.returns[ends] = 0
        self.lengths[ends] = 0
        return episodes

    # -- learning -------------------------------------------------------------------------------

    def update(self) -> dict[str, float]:
        """One PPO update on the collected rollout; returns mean losses under SB3's names."""
        config, rollout = self.config, self.rollout
        for group in self.optimizer.param_groups:
            group["lr"] = config.lr * self._schedule()
        advantages = gae(
            rollout.rewards, rollout.values, rollout.ends, config.gamma, config.gae_lambda
        )
        returns = advantages + rollout.values[:-1]  # [T, B]
        advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
        sums: dict[str, float] = {}
        steps = 0
        for _ in range(config.epochs):
            order = torch.randperm(config.num_envs, generator=self.generator, device=self.device)
            for worlds in order.chunk(config.minibatches):
                losses = self._gradient_step(worlds, advantages, returns)
                sums = {name: sums.get(name, 0.0) + value for name, value in losses.items()}
                steps += 1
        self._continue()
        means = {f"train/{name}": value / steps for name, value in sums.items()}
        variance = returns.var()
        unexplained = (returns - rollout.values[:-1]).var()
        means["train/explained_variance"] = float(1 - unexplained / (variance + 1e-8))
        means["train/learning_rate"] = float(self.optimizer.param_groups[0]["lr"])
        return means

    def _schedule(self) -> float:
        spent = min(1.0, (self.step - self.config.steps_per_rollout) / max(1, self.total_steps))
        return 1 - spent * (1 - self.config.lr_end)

    def _gradient_step(
        self, worlds: Tensor, advantages: Tensor, returns: Tensor
    ) -> dict[str, float]:
        """Clip, backpropagate, step. `worlds` are columns of the rollout, int64 [b]."""
        config, rollout = self.config, self.rollout
        observation = {name: field[:-1, worlds] for name, field in rollout.observation.items()}
        state = tuple(part[worlds] for part in rollout.state)
        numbers, values, _ = self.model(observation, state, rollout.resets[:-1, worlds])
        log_probs, entropy = self.model.actions.log_prob_and_entropy(
            numbers, rollout.actions[:, worlds]
        )
        log_ratio = log_probs - rollout.log_probs[:, worlds]  # [T, b]
        ratio = log_ratio.exp()
        advantage = advantages[:, worlds]
        clipped = ratio.clamp(1 - config.clip, 1 + config.clip)
        policy_loss = -torch.min(ratio * advantage, clipped * advantage).mean()
        value_loss = clipped_value_loss(
            values, rollout.values[:-1, worlds], returns[:, worlds], config.clip
        )
        loss = policy_loss + config.value_coef * value_loss - config.entropy_coef * entropy.mean()
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), config.max_grad_norm)
        self.optimizer.step()
        with torch.no_grad():
            return {
                "loss": loss.item(),
                "policy_gradient_loss": policy_loss.item(),
                "value_loss": value_loss.item(),
                "entropy_loss": -entropy.mean().item(),
                "approx_kl": ((ratio - 1) - log_ratio).mean().item(),
                "clip_fraction": ((ratio - 1).abs() > config.clip).float().mean().item(),
                "grad_norm": float(norm),
            }

    def _continue(self) -> None:
        """The last observation becomes the first of the next rollout."""
        for field in self.rollout.observation.values():
            field[0] = field[-1]
        self.rollout.resets[0] = self.rollout.resets[-1]

    # -- memory and checkpoints -----------------------------------------------------------------

    def _allocate(self) -> Rollout:
        steps, batch, device = self.config.rollout_steps, self.config.num_envs, self.device
        observation = {}
        for name, space in self.worlds.single_observation_space.spaces.items():  # type: ignore[attr-defined]  # every world here is a Dict
            dtype = torch.as_tensor(np.zeros(1, space.dtype)).dtype
            observation[name] = torch.zeros(
                (steps + 1, batch, *space.shape), dtype=dtype, device=device
            )
        example = self.model.actions.sample(
            torch.zeros(batch, self.model.actions.head_size, device=device), None
        )

        def zeros(length: int, dtype: torch.dtype = torch.float32) -> Tensor:
            return torch.zeros(length, batch, dtype=dtype, device=device)

        return Rollout(
            observation=observation,
            actions=torch.zeros((steps, *example.shape), dtype=example.dtype, device=device),
            log_probs=zeros(steps),
            values=zeros(steps + 1),
            rewards=zeros(steps),
            ends=zeros(steps, torch.bool),
            resets=zeros(steps + 1, torch.bool),
            state=self.model.initial_state(batch, device),
        )

    def state_dict(self) -> dict[str, Any]:
        """What resuming needs besides the weights: exactly everything, if the worlds can be saved.

        Worlds without `state_dict` start new episodes on resume.
        """
        saved: dict[str, Any] = {
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "step": self.step,
        }
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
        self.optimizer.load_state_dict(dict(saved["optimizer"]))
        self.generator.set_state(saved["generator"])
        self.step = int(saved["step"])
        if isinstance(self.worlds, SavableWorlds) and "running" in saved:
            running = saved["running"]
            self.worlds.load_state_dict(running["worlds"])
            self._store(0, running["observation"])
            self.rollout.resets[0] = running["reset"]
            self.state = tuple(part.to(self.device) for part in running["state"])
            self.returns, self.lengths = running["returns"], running["lengths"]


def gae(rewards: Tensor, values: Tensor, ends: Tensor, gamma: float, lambda_: float) -> Tensor:
    """Generalised advantage estimation (Schulman et al. 2016, equation 16).

    Args:
        rewards: [T, B]
        values: [T + 1, B]
        ends: bool [T, B]; nothing flows back over the end of an episode
        gamma: discount per step
        lambda_: weight of longer estimates

    Returns:
        advantages: [T, B]
    """
    advantages = torch.empty_like(rewards)
    running = torch.zeros_like(values[0])
    goes_on = (~ends).to(values.dtype)  # [T, B]
    for t in reversed(range(len(rewards))):
        delta = rewards[t] + gamma * values[t + 1] * goes_on[t] - values[t]
        running = delta + gamma * lambda_ * goes_on[t] * running
        advantages[t] = running
    return advantages


def clipped_value_loss(values: Tensor, old: Tensor, returns: Tensor, clip: float) -> Tensor:
    """Half the mean squared error; a move of more than `clip` from the old value earns nothing."""
    moved = old + (values - old).clamp(-clip, clip)
    return 0.5 * torch.max((values - returns) ** 2, (moved - returns) ** 2).mean()
