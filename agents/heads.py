"""Policy and value heads: two layers each, tanh between them. Knows no distribution and no loss.

Both hidden layers are one matrix product; on the CPU the whole is one autograd node.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from s2lab.agents.cores.contract import use_fused
from s2lab.agents.cores.fused.elementary import kernel, one_minus, tangent

HIDDEN = 64  # units of each head, as in BabyAI 1.1


class Heads(nn.Module):
    """Features [..., O] -> the policy's numbers [..., A] and the value [...].

    Orthogonal initialisation with gain sqrt(2) for hidden layers, 0.01 for the policy's last layer
    and 1 for the value's (Engstrom et al. 2020, Andrychowicz et al. 2021); biases zero.

    Args:
        inputs: O
        numbers: A
    """

    def __init__(self, inputs: int, numbers: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(inputs, 2 * HIDDEN)  # rows 0..63 the policy's, 64..127 the value's
        self.policy = nn.Linear(HIDDEN, numbers)
        self.value = nn.Linear(HIDDEN, 1)
        with torch.no_grad():
            for block in self.hidden.weight.chunk(2):
                nn.init.orthogonal_(block, math.sqrt(2))
        nn.init.orthogonal_(self.policy.weight, 0.01)
        nn.init.orthogonal_(self.value.weight, 1.0)
        for layer in (self.hidden, self.policy, self.value):
            nn.init.zeros_(layer.bias)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Both heads."""
        if not use_fused("auto", features):
            return self.plain(features)
        hidden, policy, value = self.hidden, self.policy, self.value
        weights = (
            hidden.weight, hidden.bias, policy.weight, policy.bias, value.weight, value.bias,
        )  # fmt: skip
        numbers, values = _FusedHeads.apply(features.flatten(0, -2), *weights)  # type: ignore[no-untyped-call]  # torch leaves it untyped
        shape = features.shape[:-1]
        return numbers.view(*shape, -1), values.view(shape)

    def plain(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """The same by torch alone: for other devices, torch.compile and tests."""
        policy, value = torch.tanh(self.hidden(features)).chunk(2, -1)
        return self.policy(policy), self.value(value).squeeze(-1)


class _FusedHeads(torch.autograd.Function):
    """features [N, O] -> numbers [N, A], values [N]."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, *weights: Tensor) -> tuple[Tensor, Tensor]:
        hidden_weight, hidden_bias, policy_weight, policy_bias, value_weight, value_bias = weights
        hidden = functional.linear(features, hidden_weight)  # [N, 128]
        add_and_squash(hidden.numpy(), hidden_bias.detach().numpy())
        policy, value = hidden[:, :HIDDEN], hidden[:, HIDDEN:]
        numbers = torch.addmm(policy_bias, policy, policy_weight.t())
        values = torch.addmv(value_bias, value, value_weight[0])
        ctx.save_for_backward(features, hidden, hidden_weight, policy_weight, value_weight)
        return numbers, values

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *slopes: Tensor) -> Any:
        features, hidden, hidden_weight, policy_weight, value_weight = ctx.saved_tensors
        d_numbers, d_values = (slope.contiguous() for slope in slopes)
        d_hidden, d_bias = torch.empty_like(hidden), hidden.new_zeros(2 * HIDDEN)
        heads_backward(
            d_numbers.numpy(), d_values.numpy(), policy_weight.detach().numpy(),
            value_weight.detach().numpy(), hidden.numpy(), d_hidden.numpy(), d_bias.numpy(),
        )  # fmt: skip
        d_features = torch.mm(d_hidden, hidden_weight) if ctx.needs_input_grad[0] else None
        return (
            d_features,
            torch.mm(d_hidden.t(), features),
            d_bias,
            torch.mm(d_numbers.t(), hidden[:, :HIDDEN]),
            d_numbers.sum(0),
            torch.mv(hidden[:, HIDDEN:].t(), d_values)[None],
            d_values.sum()[None],
        )


@kernel
def add_and_squash(rows: Any, bias: Any) -> None:
    """rows [N, H] become tanh(rows + bias)."""
    for n in range(rows.shape[0]):
        for j in range(rows.shape[1]):
            rows[n, j] = tangent(rows[n, j] + bias[j])


@kernel
def heads_backward(
    d_numbers: Any, d_values: Any, policy: Any, value: Any, hidden: Any, d_hidden: Any, d_bias: Any
) -> None:
    """d_hidden [N, 2h] is written, d_bias [2h] added to; policy [A, h], value [1, h]."""
    half = policy.shape[1]
    for n in range(hidden.shape[0]):
        for j in range(half):
            d_hidden[n, j] = d_numbers[n, 0] * policy[0, j]
            d_hidden[n, half + j] = d_values[n] * value[0, j]
        for a in range(1, policy.shape[0]):
            for j in range(half):
                d_hidden[n, j] += d_numbers[n, a] * policy[a, j]
        for j in range(2 * half):
            d_hidden[n, j] *= one_minus(hidden[n, j] * hidden[n, j])
            d_bias[j] += d_hidden[n, j]
