"""Two separate networks of two tanh layers each, one for the policy and one for the value.

Stable-Baselines3's MlpPolicy over the numbers shown, flattened, so that learners can be compared at
one network. Without memory, and blind to missions. On the CPU the whole is one autograd node.
Knows no learning algorithm and no environment.
"""

import math
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from s2lab.agents.actions import action_head
from s2lab.agents.actor_critic import ActorCritic
from s2lab.agents.cores.contract import State, use_fused
from s2lab.agents.cores.fused.elementary import kernel, one_minus
from s2lab.agents.encoders.field import Observation
from s2lab.agents.encoders.repeats import each_once
from s2lab.agents.heads import HIDDEN, add_and_squash, heads_backward


class Numbers(nn.Module):
    """Every field but the mission as a row of numbers: boxes as they are, others one-hot."""

    def __init__(self, space: gym.spaces.Dict) -> None:
        super().__init__()
        self.fields = [name for name in space.spaces if name != "mission"]
        self.kinds = {
            name: (int(part.n), int(part.start))
            for name in self.fields
            if isinstance(part := space[name], gym.spaces.Discrete)
        }
        boxes = [space[name] for name in self.fields if name not in self.kinds]
        if not all(isinstance(part, gym.spaces.Box) for part in boxes):
            raise ValueError("agent towers reads Box and Discrete fields; give another agent")
        sizes = [int(np.prod(part.shape or ())) for part in boxes]
        self.output_size = sum(sizes) + sum(count for count, _ in self.kinds.values())

    def forward(self, observation: Observation) -> Tensor:  # [B, ...] -> [B, output_size]
        """Flatten and join."""
        parts = []
        for name in self.fields:
            values = observation[name]
            if name in self.kinds:
                count, start = self.kinds[name]
                values = functional.one_hot(values.reshape(-1).long() - start, count)
            parts.append(values.reshape(len(values), -1).float())
        return parts[0] if len(parts) == 1 else torch.cat(parts, 1)


class Towers(nn.Module):
    """The network; initialised as in Stable-Baselines3: orthogonal, gain sqrt(2), policy's last
    layer 0.01, value's 1, biases zero."""

    def __init__(self, observation_space: gym.spaces.Dict, action_space: gym.Space[Any]) -> None:
        super().__init__()
        self.encoder = Numbers(observation_space)
        self.actions = action_head(action_space)
        self.first = nn.Linear(self.encoder.output_size, 2 * HIDDEN)  # policy's rows, value's rows
        self.second = nn.Parameter(torch.empty(2, HIDDEN, HIDDEN))
        self.second_bias = nn.Parameter(torch.zeros(2 * HIDDEN))
        self.policy = nn.Linear(HIDDEN, self.actions.head_size)
        self.value = nn.Linear(HIDDEN, 1)
        with torch.no_grad():
            for block in (*self.first.weight.chunk(2), *self.second):
                nn.init.orthogonal_(block, math.sqrt(2))
        nn.init.orthogonal_(self.policy.weight, 0.01)
        nn.init.orthogonal_(self.value.weight, 1.0)
        for layer in (self.first, self.policy, self.value):
            nn.init.zeros_(layer.bias)

    def initial_state(self, batch_size: int, device: torch.device | None = None) -> State:
        """There is none."""
        return ()

    def forward(
        self, observation: Observation, state: State, reset: Tensor
    ) -> tuple[Tensor, Tensor, State]:
        """See `ActorCritic.forward`."""
        flat = {name: observation[name].flatten(0, 1) for name in self.encoder.fields}
        numbers, values = each_once(self._react, flat, flat, self.first.bias)
        return numbers.view(*reset.shape, -1), values.view(reset.shape), ()

    def _react(self, shown: Observation) -> tuple[Tensor, Tensor]:  # [N, ...] -> [N, A], [N]
        inputs = self.encoder(shown)
        return self.fused(inputs) if use_fused("auto", inputs) else self.plain(inputs)

    def plain(self, inputs: Tensor) -> tuple[Tensor, Tensor]:  # [N, I] -> [N, A], [N]
        """By torch alone."""
        hidden = torch.tanh(self.first(inputs)).view(-1, 2, HIDDEN)  # [N, 2, H]
        products = torch.einsum("nik,ijk->nij", hidden, self.second)
        hidden = torch.tanh(products + self.second_bias.view(2, HIDDEN))
        return self.policy(hidden[:, 0]), self.value(hidden[:, 1]).squeeze(-1)

    def fused(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """The same as one node."""
        weights = (self.first.weight, self.first.bias, self.second, self.second_bias)
        heads = (self.policy.weight, self.policy.bias, self.value.weight, self.value.bias)
        numbers, values = _FusedTowers.apply(inputs, *weights, *heads)  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return numbers, values


class _FusedTowers(torch.autograd.Function):
    """inputs [N, I] -> numbers [N, A], values [N]; inputs get no gradient."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, *weights: Tensor) -> tuple[Tensor, Tensor]:
        first, first_bias, second, second_bias, policy, policy_bias, value, value_bias = weights
        below = torch.mm(inputs, first.t())  # [N, 2H]
        add_and_squash(below.numpy(), first_bias.detach().numpy())
        parts = [torch.mm(below[:, half], second[i].t()) for i, half in enumerate(HALVES)]
        above = torch.cat(parts, 1)  # [N, 2H]
        add_and_squash(above.numpy(), second_bias.detach().numpy())
        ctx.save_for_backward(inputs, below, above, second, policy, value)
        numbers = torch.addmm(policy_bias, above[:, HALVES[0]], policy.t())
        return numbers, torch.addmv(value_bias, above[:, HALVES[1]], value[0])

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *slopes: Tensor) -> Any:
        inputs, below, above, second, policy, value = ctx.saved_tensors
        d_numbers, d_values = (slope.contiguous() for slope in slopes)
        d_above, d_second_bias = torch.empty_like(above), above.new_zeros(2 * HIDDEN)
        heads_backward(
            d_numbers.numpy(), d_values.numpy(), policy.detach().numpy(), value.detach().numpy(),
            above.numpy(), d_above.numpy(), d_second_bias.numpy(),
        )  # fmt: skip
        pairs = [(d_above[:, half], below[:, half]) for half in HALVES]
        d_second = torch.stack([torch.mm(slope.t(), rows) for slope, rows in pairs])
        d_below = torch.cat([torch.mm(slope, second[i]) for i, (slope, _) in enumerate(pairs)], 1)
        d_first_bias = below.new_zeros(2 * HIDDEN)
        through_tanh(d_below.numpy(), below.numpy(), d_first_bias.numpy())
        return (
            None,
            torch.mm(d_below.t(), inputs),
            d_first_bias,
            d_second,
            d_second_bias,
            torch.mm(d_numbers.t(), above[:, HALVES[0]]),
            d_numbers.sum(0),
            torch.mv(above[:, HALVES[1]].t(), d_values)[None],
            d_values.sum()[None],
        )


Network = ActorCritic | Towers
HALVES = (slice(0, HIDDEN), slice(HIDDEN, 2 * HIDDEN))


@kernel
def through_tanh(slopes: Any, values: Any, d_bias: Any) -> None:
    """slopes [N, J] become those before the tanh that gave values; d_bias [J] is added to."""
    for n in range(slopes.shape[0]):
        for j in range(slopes.shape[1]):
            slopes[n, j] *= one_minus(values[n, j] * values[n, j])
            d_bias[j] += slopes[n, j]
