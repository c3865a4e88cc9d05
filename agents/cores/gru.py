"""Gated recurrent unit (Cho et al. 2014), with the reset gate after the product, as in torch.

    r = sigmoid(W_ir x + b_ir + W_hr h)        z = sigmoid(W_iz x + b_iz + W_hz h)
    n = tanh(W_in x + b_in + r * (W_hn h + b_hn))
    h' = (1 - z) * n + z * h

Knows no task and no trainer.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from s2lab.agents.cores.contract import (
    Core,
    Kernel,
    State,
    check_inputs,
    check_kernel,
    require,
    steps_with_reset,
    use_fused,
)


@dataclass(frozen=True)
class GRUConfig:
    """Size of a GRU."""

    hidden_size: int = 128
    """Units."""
    keep_bias: float = 0.0
    """Initial bias of the gate that keeps the old state; ln(steps to hold) where memories must be
    long (Tallec & Ollivier 2018)."""
    kernel: Kernel = "auto"
    """How to compute it: fused CPU kernels, plain torch, or whichever suits the device."""

    def __post_init__(self) -> None:
        check_kernel(self.kernel)
        require(self.hidden_size >= 1, f"hidden_size is {self.hidden_size}; it must be at least 1")


class GRUCore(Core):
    """GRU over sequences with per-step resets. State: (h [B, H],); outputs are h."""

    def __init__(self, input_size: int, config: GRUConfig) -> None:
        super().__init__(input_size, output_size=config.hidden_size)
        self.config = config
        hidden = config.hidden_size
        self.weight_ih = nn.Parameter(torch.empty(3 * hidden, input_size))  # [3H, I]
        self.weight_hh = nn.Parameter(torch.empty(3 * hidden, hidden))  # [3H, H]
        self.bias_ih = nn.Parameter(torch.zeros(3 * hidden))  # [3H]
        self.bias_hn = nn.Parameter(torch.zeros(hidden))  # [H]
        with torch.no_grad():
            self.bias_ih[hidden : 2 * hidden] = config.keep_bias
            for weight in (self.weight_ih, self.weight_hh):
                for gate in weight.chunk(3):
                    nn.init.orthogonal_(gate)

    def initial_state(
        self,
        batch_size: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> State:
        return (torch.zeros(batch_size, self.output_size, device=device, dtype=dtype),)

    def forward(self, inputs: Tensor, state: State, reset: Tensor) -> tuple[Tensor, State]:
        check_inputs(self, inputs, state, reset)
        if use_fused(self.config.kernel, inputs):
            from s2lab.agents.cores.fused.plain_gru import FusedGRU

            weights = (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hn)
            outputs, after = FusedGRU.apply(inputs, reset, *state, *weights)  # type: ignore[no-untyped-call]
            return outputs, (after,)
        return self.run(inputs, state, reset)

    def run(self, inputs: Tensor, state: State, reset: Tensor) -> tuple[Tensor, State]:
        """The plain torch loop over time."""
        (hidden,) = state  # [B, H]
        size = self.output_size
        bias_hh = torch.cat([self.bias_hn.new_zeros(2 * size), self.bias_hn])  # [3H]
        weight_hh = self.weight_hh.t()  # [H, 3H]
        projected = torch.nn.functional.linear(inputs, self.weight_ih, self.bias_ih)  # [T, B, 3H]
        outputs = []
        for from_input, clear, any_clear in zip(
            projected.unbind(0), reset.unsqueeze(-1).unbind(0), steps_with_reset(reset), strict=True
        ):
            if any_clear:
                hidden = hidden.masked_fill(clear, 0)
            from_hidden = torch.addmm(bias_hh, hidden, weight_hh)  # [B, 3H]
            gates = torch.sigmoid(from_input[:, : 2 * size] + from_hidden[:, : 2 * size])
            r, z = gates.chunk(2, dim=1)  # [B, H] each
            candidate = torch.tanh(
                torch.addcmul(from_input[:, 2 * size :], r, from_hidden[:, 2 * size :])
            )
            candidate, z = candidate.to(hidden.dtype), z.to(hidden.dtype)  # of bf16 products
            hidden = torch.lerp(candidate, hidden, z)
            outputs.append(hidden)
        return torch.stack(outputs), (hidden,)
