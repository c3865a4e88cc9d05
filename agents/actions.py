"""Distributions over actions from a policy head's numbers. Knows no networks and no learning."""

import math
from typing import Any, Protocol

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from s2lab.agents.cores.contract import use_fused
from s2lab.agents.cores.fused.elementary import exponential, kernel

LOG_TWO_PI = math.log(2 * math.pi)


class ActionHead(Protocol):
    """How numbers become actions. B is any number of leading batch dimensions."""

    head_size: int

    def sample(self, head: Tensor, generator: torch.Generator | None) -> Tensor:
        """Actions drawn from the distribution (its mode when `generator` is None)."""
        ...

    def log_prob_and_entropy(self, head: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """Log-probability of the actions and entropy, both [B], in nats."""
        ...

    def to_env(self, actions: Tensor) -> NDArray[np.generic]:
        """The actions as the environment takes them."""
        ...


class CategoricalHead(nn.Module):
    """`n` logits. One uniform draw decides: where it falls among the cumulated probabilities."""

    def __init__(self, space: gym.spaces.Discrete) -> None:
        super().__init__()
        self.head_size = int(space.n)
        self.start = int(space.start)

    def sample(self, head: Tensor, generator: torch.Generator | None) -> Tensor:
        """Actions int64 [B] from logits [B, n]."""
        if generator is None:
            return head.argmax(-1)
        drawn = torch.rand(head.shape[:-1], generator=generator, device=head.device)  # [B]
        if use_fused("auto", head):
            actions = torch.empty(drawn.shape, dtype=torch.int64)
            choose(
                head.detach().flatten(0, -2).numpy(),
                drawn.view(-1).numpy(),
                actions.view(-1).numpy(),
            )
            return actions
        passed = head.softmax(-1).cumsum(-1)[..., :-1] <= drawn[..., None]
        return passed.sum(-1)

    def log_prob_and_entropy(self, head: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """Exact, from log-softmax."""
        log_probs = head.log_softmax(-1)
        chosen = log_probs.gather(-1, actions.unsqueeze(-1)).squeeze(-1)
        return chosen, -(log_probs.exp() * log_probs).sum(-1)

    def to_env(self, actions: Tensor) -> NDArray[np.generic]:
        """int64 [B]."""
        return actions.detach().cpu().numpy() + self.start


class GaussianHead(nn.Module):
    """Means from the head, one learned standard deviation per dimension, clipped to the space."""

    def __init__(self, space: gym.spaces.Box) -> None:
        super().__init__()
        self.shape = space.shape
        self.low, self.high = space.low, space.high
        self.head_size = int(np.prod(space.shape))
        self.log_std = nn.Parameter(torch.zeros(self.head_size))

    def sample(self, head: Tensor, generator: torch.Generator | None) -> Tensor:
        """Actions float [B, d] around means [B, d]."""
        if generator is None:
            return head
        noise = torch.empty_like(head).normal_(generator=generator)
        return head + noise * self.log_std.exp()

    def log_prob_and_entropy(self, head: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """Density of the unclipped action; entropy of the unclipped distribution."""
        scaled = (actions - head) / self.log_std.exp()
        log_prob = (-0.5 * (scaled**2 + LOG_TWO_PI) - self.log_std).sum(-1)
        entropy = (0.5 * (1 + LOG_TWO_PI) + self.log_std).sum()
        return log_prob, entropy.expand(log_prob.shape)

    def to_env(self, actions: Tensor) -> NDArray[np.generic]:
        """float [B, ...] in the space's shape, clipped to its bounds."""
        shaped = actions.detach().cpu().numpy().reshape(-1, *self.shape)
        clipped: NDArray[np.generic] = np.clip(shaped, self.low, self.high)
        return clipped


@kernel
def choose(logits: Any, drawn: Any, actions: Any) -> None:
    """logits [B, n], uniform draws [B]; actions int64 [B] are written."""
    chances = np.empty(logits.shape[1], logits.dtype)
    for b in range(logits.shape[0]):
        most = logits[b, 0]
        for a in range(1, len(chances)):
            most = max(most, logits[b, a])
        total = 0.0
        for a in range(len(chances)):
            chances[a] = exponential(logits[b, a] - most)
            total += chances[a]
        left = drawn[b] * total
        action = 0
        while action < len(chances) - 1 and left >= chances[action]:
            left -= chances[action]
            action += 1
        actions[b] = action


def action_head(space: gym.Space[object]) -> CategoricalHead | GaussianHead:
    """The head for an action space.

    Raises:
        ValueError: the space is neither Discrete nor a floating Box.
    """
    if isinstance(space, gym.spaces.Discrete):
        return CategoricalHead(space)
    if isinstance(space, gym.spaces.Box) and np.issubdtype(space.dtype, np.floating):
        return GaussianHead(space)
    raise ValueError(
        f"the action space {space} is not supported; Discrete and floating Box are: wrap the "
        "environment"
    )
