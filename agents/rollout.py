"""T steps of B worlds, and what is computed from them before learning. Knows no loss, no optimiser.

Everything is preallocated once and written over, rollout after rollout.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor

from s2lab.agents.actor_critic import State
from s2lab.agents.towers import Network
from s2lab.agents.transfer import Staging


@dataclass
class Rollout:
    """What the policy saw, did and got, T steps long."""

    observation: dict[str, Tensor]  # fields [T + 1, B, ...]; the last one is the next rollout's
    numbers: Tensor  # [T, B, head_size], of the policy that acted
    actions: Tensor  # [T, B] or [T, B, d]
    values: Tensor  # [T + 1, B]
    rewards: Tensor  # [T, B], scaled
    ends: Tensor  # bool [T, B], the episode ended with this step
    resets: Tensor  # bool [T + 1, B], an episode starts with this observation
    states: list[State]  # the core's state before step 0, unroll, 2 * unroll, ...; tensors [B, ...]
    staging: Staging = field(default_factory=Staging)

    def store(self, t: int, observation: Mapping[str, Any]) -> None:
        """Copy what the worlds show before step t."""
        for name, shown in self.observation.items():
            self.staging.copy(name, observation[name], shown[t])

    def store_outcome(self, t: int, rewards: Any, ends: Any) -> None:
        """What step t brought: rewards [B], and bool [B] whether the episode ended."""
        self.staging.copy("rewards", rewards, self.rewards[t])
        self.staging.copy("ends", ends, self.ends[t])
        self.resets[t + 1] = self.ends[t]

    def wrap_around(self) -> None:
        """The last observation becomes the first of the next rollout."""
        for shown in self.observation.values():
            shown[0] = shown[-1]
        self.resets[0] = self.resets[-1]


@dataclass(frozen=True)
class Sequences:
    """Columns to learn from: each is `unroll` steps of one world with the state before them."""

    observation: dict[str, Tensor]  # fields [U, N, ...]
    actions: Tensor  # [U, N] or [U, N, d]
    log_probs: Tensor  # [U, N], of the policy that acted
    values: Tensor  # [U, N], of the policy that acted
    advantages: Tensor  # [U, N], normalised
    returns: Tensor  # [U, N]
    resets: Tensor  # bool [U, N]
    state: State  # tensors [N, ...]

    def shares(self, order: Tensor, count: int) -> "list[Sequences]":
        """Copies of equal numbers of columns.

        Args:
            order: int64 [N], the columns to take, in that order
            count: divides N
        """
        steps, columns = self.resets.shape
        chosen = order.view(count, 1, -1)  # [count, 1, n]
        first = torch.arange(steps, device=order.device)[:, None] * columns  # [U, 1]
        rows = (first + chosen).flatten()  # of fields [U * N, ...]

        def pick(field: Tensor) -> tuple[Tensor, ...]:  # [U, N, ...] -> count times [U, n, ...]
            picked = field.flatten(0, 1).index_select(0, rows)
            return picked.view(count, steps, -1, *field.shape[2:]).unbind(0)

        observation = {name: pick(field) for name, field in self.observation.items()}
        flat = (self.actions, self.log_probs, self.values, self.advantages, self.returns)
        fields = [pick(field) for field in (*flat, self.resets)]
        state = [part.index_select(0, order).chunk(count) for part in self.state]
        shares = list[Sequences]()
        for i, row in enumerate(zip(*fields, strict=True)):
            shown = {name: field[i] for name, field in observation.items()}
            parts: list[Any] = [shown, *row, tuple(part[i] for part in state)]
            shares.append(Sequences(*parts))
        return shares


def allocate(
    space: gym.spaces.Dict, model: Network, steps: int, batch: int, device: torch.device
) -> Rollout:
    """Zeros for `steps` steps of `batch` worlds."""

    def zeros(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        return torch.zeros(*shape, dtype=dtype, device=device)

    observation = {
        name: zeros(
            steps + 1, batch, *(field.shape or ()),
            dtype=torch.as_tensor(np.zeros(1, field.dtype)).dtype,
        )
        for name, field in space.spaces.items()
    }  # fmt: skip
    numbers = zeros(steps, batch, model.actions.head_size)
    example = model.actions.sample(numbers[0], None)
    return Rollout(
        observation=observation,
        numbers=numbers,
        actions=zeros(steps, *example.shape, dtype=example.dtype),
        values=zeros(steps + 1, batch),
        rewards=zeros(steps, batch),
        ends=zeros(steps, batch, dtype=torch.bool),
        resets=zeros(steps + 1, batch, dtype=torch.bool),
        states=[],
    )


def cut(
    rollout: Rollout, log_probs: Tensor, advantages: Tensor, returns: Tensor, unroll: int
) -> Sequences:
    """The rollout as columns of `unroll` steps; without a copy when that is the whole rollout.

    Args:
        rollout: T steps, `unroll` divides T
        log_probs: [T, B]
        advantages: [T, B]
        returns: [T, B]
        unroll: U; column `c * B + b` is steps c * U .. (c + 1) * U - 1 of world b
    """

    def columns(field: Tensor) -> Tensor:  # [T, B, ...] -> [U, T / U * B, ...]
        if len(field) == unroll:
            return field
        pieces = field.unflatten(0, (-1, unroll)).transpose(0, 1)  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return pieces.flatten(1, 2)  # type: ignore[no-any-return]  # a tensor

    return Sequences(
        observation={name: columns(field[:-1]) for name, field in rollout.observation.items()},
        actions=columns(rollout.actions),
        log_probs=columns(log_probs),
        values=columns(rollout.values[:-1]),
        advantages=columns(advantages),
        returns=columns(returns),
        resets=columns(rollout.resets[:-1]),
        state=tuple(torch.cat(parts) for parts in zip(*rollout.states, strict=True)),
    )


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
    goes_on = (~ends).to(values.dtype)  # [T, B]
    advantages = rewards + gamma * goes_on * values[1:] - values[:-1]
    decay = gamma * lambda_ * goes_on  # [T, B]
    for t in reversed(range(len(rewards) - 1)):
        advantages[t].addcmul_(decay[t], advantages[t + 1])
    return advantages
