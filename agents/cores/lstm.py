"""Long short-term memory (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000).

    i, f, g, o = W_ih x_t + b + W_hh h_{t-1}          gates in torch's order
    c_t = sigmoid(f) * c_{t-1} + sigmoid(i) * tanh(g)
    h_t = sigmoid(o) * tanh(c_t)

One bias instead of torch's two (their sum is all that matters). Knows no task and no trainer.
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
class LSTMConfig:
    """Size and initialisation of an LSTM."""

    hidden_size: int = 128
    """Units. 128 is the BabyAI 1.1 agent's memory."""
    forget_bias: float = 1.0
    """Initial bias of the forget gate (Jozefowicz et al. 2015)."""
    kernel: Kernel = "auto"
    """How to compute it: fused CPU kernels, plain torch, or whichever suits the device."""

    def __post_init__(self) -> None:
        check_kernel(self.kernel)
        require(self.hidden_size >= 1, f"hidden_size is {self.hidden_size}; it must be at least 1")


class LSTMCore(Core):
    """LSTM over sequences with per-step resets. State: (h [B, H], c [B, H]); outputs are h."""

    def __init__(self, input_size: int, config: LSTMConfig) -> None:
        super().__init__(input_size, output_size=config.hidden_size)
        self.config = config
        hidden = config.hidden_size
        self.weight_ih = nn.Parameter(torch.empty(4 * hidden, input_size))  # [4H, I]
        self.weight_hh = nn.Parameter(torch.empty(4 * hidden, hidden))  # [4H, H]
        self.bias = nn.Parameter(torch.zeros(4 * hidden))  # [4H]
        with torch.no_grad():
            for weight in (self.weight_ih, self.weight_hh):
                for gate in weight.chunk(4):
                    nn.init.orthogonal_(gate)
            self.bias[hidden : 2 * hidden] = config.forget_bias

    def initial_state(
        self,
        batch_size: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> State:
        zeros = torch.zeros(batch_size, self.output_size, device=device, dtype=dtype)
        return zeros, zeros.clone()

    def forward(self, inputs: Tensor, state: State, reset: Tensor) -> tuple[Tensor, State]:
        check_inputs(self, inputs, state, reset)
        if use_fused(self.config.kernel, inputs):
            from s2lab.agents.cores.fused.plain_lstm import FusedLSTM
            from s2lab.agents.cores.fused.small_lstm import MOST_ROWS, SmallLSTM

            node = SmallLSTM if inputs.shape[1] <= MOST_ROWS else FusedLSTM
            weights = (self.weight_ih, self.weight_hh, self.bias)
            outputs, *after = node.apply(inputs, reset, *state, *weights)  # type: ignore[no-untyped-call]
            return outputs, tuple(after)
        return self.run(inputs, state, reset)

    def run(self, inputs: Tensor, state: State, reset: Tensor) -> tuple[Tensor, State]:
        """The plain torch loop over time."""
        hidden, cell = state  # [B, H] each
        weight_hh = self.weight_hh.t()  # [H, 4H]
        projected = torch.nn.functional.linear(inputs, self.weight_ih, self.bias)  # [T, B, 4H]
        outputs = []
        for gates_in, clear, any_clear in zip(
            projected.unbind(0), reset.unsqueeze(-1).unbind(0), steps_with_reset(reset), strict=True
        ):
            if any_clear:
                hidden, cell = hidden.masked_fill(clear, 0), cell.masked_fill(clear, 0)
            gates = torch.addmm(gates_in, hidden, weight_hh)  # [B, 4H]
            i, f, g, o = gates.chunk(4, dim=1)  # [B, H] each
            cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
            hidden = torch.sigmoid(o) * torch.tanh(cell)
            outputs.append(hidden)
        return torch.stack(outputs), (hidden, cell)
