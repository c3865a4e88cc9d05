"""Relational memory core (Santoro et al. 2018, arXiv 1806.01822, eqs. 2 to 7).

S slots of memory that attend to each other and to the input, one round per step:

    x' = We x + be                                    the input as one more row
    M~ = attention(query = M Wq, key | value = [M; x'] Wkv)
    M^ = LN(M + M~);  M^ = LN(M^ + W2 relu(W1 M^ + b1) + b2)
    M' = sigmoid(i) * tanh(M^) + sigmoid(f) * M       i, f from tanh(M) and x', one gate per unit

The memory starts as the identity matrix cut to S x D. Knows no task and no trainer.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from s2lab.agents.attention import attend
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
from s2lab.agents.gating import MemoryGate


@dataclass(frozen=True)
class RMCConfig:
    """Sizes of a relational memory core."""

    slots: int = 4
    """S, slots of memory."""
    heads: int = 4
    """Heads of the attention."""
    head_size: int = 16
    """Width of one head; a slot is heads * head_size wide."""
    kernel: Kernel = "auto"
    """How to compute it: fused CPU kernels, plain torch, or whichever suits the device."""

    def __post_init__(self) -> None:
        check_kernel(self.kernel)
        for name in ("slots", "heads", "head_size"):
            value = getattr(self, name)
            require(value >= 1, f"{name} is {value}; it must be at least 1")
        require(
            self.slots <= self.slot_size,
            f"slots is {self.slots}; with slots {self.slot_size} wide there can be as many at most",
        )

    @property
    def slot_size(self) -> int:
        """D, the width of a slot."""
        return self.heads * self.head_size


class RMCCore(Core):
    """State: memory [B, S, D]; outputs are the whole memory [T, B, S * D]."""

    def __init__(self, input_size: int, config: RMCConfig) -> None:
        super().__init__(input_size, output_size=config.slots * config.slot_size)
        self.config = config
        size = config.slot_size
        self.embed = nn.Linear(input_size, size)
        self.query = nn.Linear(size, size, bias=False)
        self.key_value = nn.Linear(size, 2 * size, bias=False)
        self.after_attention = nn.LayerNorm(size)
        self.think = nn.Sequential(nn.Linear(size, size), nn.ReLU(), nn.Linear(size, size))
        self.after_think = nn.LayerNorm(size)
        self.gate = MemoryGate(size, size)

    def initial_state(
        self,
        batch_size: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> State:
        start = torch.eye(self.config.slots, self.config.slot_size, device=device, dtype=dtype)
        return (start.expand(batch_size, -1, -1).clone(),)

    def forward(self, inputs: Tensor, state: State, reset: Tensor) -> tuple[Tensor, State]:
        check_inputs(self, inputs, state, reset)
        if use_fused(self.config.kernel, inputs):
            from s2lab.agents.cores.fused.relational import FusedRMC

            (fresh,) = self.initial_state(1, inputs.device, inputs.dtype)
            outputs, memory = FusedRMC.apply(  # type: ignore[no-untyped-call]
                self.config.heads, reset, fresh[0], inputs, *state, *self.parameters()
            )
            return outputs, (memory,)
        return self.run(inputs, state, reset, maps=None)

    @torch.no_grad()
    def trace(self, inputs: Tensor, state: State, reset: Tensor) -> dict[str, Tensor]:
        """Records "attention" [T, B, heads, S, S + 1]: over the slots, then the input."""
        check_inputs(self, inputs, state, reset)
        maps: list[Tensor] = []
        outputs, _ = self.run(inputs, state, reset, maps)
        return {"outputs": outputs, "attention": torch.stack(maps)}

    def run(
        self, inputs: Tensor, state: State, reset: Tensor, maps: list[Tensor] | None
    ) -> tuple[Tensor, State]:
        """The loop over time; appends one attention map per step where asked."""
        embedded = self.embed(inputs)  # [T, B, D]
        key_value = self.key_value(embedded).unsqueeze(2)  # [T, B, 1, 2D]
        (fresh,) = self.initial_state(inputs.shape[1], inputs.device, inputs.dtype)
        (memory,) = state  # [B, S, D]
        outputs = []
        for t, any_reset in enumerate(steps_with_reset(reset)):
            if any_reset:
                memory = torch.where(reset[t].view(-1, 1, 1), fresh, memory)
            rows = torch.cat([self.key_value(memory), key_value[t]], dim=1)  # [B, S + 1, 2D]
            key, value = rows.chunk(2, dim=-1)
            attended, weights = attend(self.query(memory), key, value, self.config.heads)
            proposal = self.after_attention(memory + attended)
            proposal = self.after_think(proposal + self.think(proposal))
            memory = self.gate(embedded[t], memory, proposal)
            outputs.append(memory.flatten(1))
            if maps is not None:
                maps.append(weights)
        return torch.stack(outputs), (memory,)
