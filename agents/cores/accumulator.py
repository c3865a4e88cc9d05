"""A linear, unsaturated, gated sum: the anchor of the adding task. It forgets nothing.

    u_t = relu(W x_t + b)
    s_t = s_{t-1} + sigmoid(Wg u_t + bg) * (Wv u_t + bv)

It has the form of a sum built in, so its figures stand apart from those of general cores: they say
how well the task can be solved, not that a core discovered how. Knows no task and no trainer.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from s2lab.agents.cores.contract import Core, State, check_inputs, require, steps_with_reset


@dataclass(frozen=True)
class AccumulatorConfig:
    """Size of an accumulator."""

    hidden_size: int = 64
    """Width of u and of the sum s."""

    def __post_init__(self) -> None:
        require(self.hidden_size >= 1, f"hidden_size is {self.hidden_size}; it must be at least 1")


class AccumulatorCore(Core):
    """State: s [B, H]; outputs are s. Without resets all T steps are one cumulative sum."""

    def __init__(self, input_size: int, config: AccumulatorConfig) -> None:
        super().__init__(input_size, output_size=config.hidden_size)
        self.config = config
        self.features = nn.Linear(input_size, config.hidden_size)
        self.gate_value = nn.Linear(config.hidden_size, 2 * config.hidden_size)

    def initial_state(
        self,
        batch_size: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> State:
        return (torch.zeros(batch_size, self.output_size, device=device, dtype=dtype),)

    def forward(self, inputs: Tensor, state: State, reset: Tensor) -> tuple[Tensor, State]:
        check_inputs(self, inputs, state, reset)
        added, (total,) = self.added(inputs), state  # [T, B, H], [B, H]
        total = total.masked_fill(reset[0].unsqueeze(1), 0)
        if not any(steps_with_reset(reset[1:])):
            outputs = added.cumsum(dim=0) + total
            return outputs, (outputs[-1],)
        sums = []
        for step, clear in zip(added.unbind(0), reset.unsqueeze(-1).unbind(0), strict=True):
            total = total.masked_fill(clear, 0) + step
            sums.append(total)
        return torch.stack(sums), (total,)

    def added(self, inputs: Tensor) -> Tensor:
        """What each step adds [T, B, H]."""
        both: Tensor = self.gate_value(torch.relu(self.features(inputs)))
        gate, value = both.chunk(2, dim=-1)
        return torch.sigmoid(gate) * value

    @torch.no_grad()
    def trace(self, inputs: Tensor, state: State, reset: Tensor) -> dict[str, Tensor]:
        """Records "added" [T, B, H]: what each step adds."""
        outputs, _ = self(inputs, state, reset)
        return {"outputs": outputs, "added": self.added(inputs)}
