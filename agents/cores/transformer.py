"""A gated transformer with a bounded memory (GTrXL; Parisotto et al. 2019, arXiv 1910.06764).

Every step attends to itself and to at most `memory` steps before it, back to the last reset, in L
layers with the layer norm inside the branches and a GRU-type gate instead of each residual:

    x = g1(x, relu(attention(LN(x), [memory; x])))        x = g2(x, relu(MLP(LN(x))))

What a layer remembers of a step is its input. All T steps run at once under a mask. Departure: the
relative positions of Transformer-XL are one learnt bias per head and distance, so that the state
needs no clock. Knows no task and no trainer.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from s2lab.agents.cores.contract import (
    Core,
    Kernel,
    State,
    check_inputs,
    check_kernel,
    require,
    use_fused,
    values_are_fixed,
)
from s2lab.agents.gating import GRUGate

Look = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(query [D, T, B], key | value [2D, M + T, B], bias [heads, M + 1] by distance) -> [D, T, B]."""


@dataclass(frozen=True)
class TransformerConfig:
    """Sizes of a gated transformer."""

    size: int = 64
    """D, width of the stream."""
    layers: int = 2
    """L, layers."""
    heads: int = 4
    """Heads; divides `size`."""
    memory: int = 32
    """M, how many steps back a step can look, in steps of the environment."""
    expansion: int = 2
    """Width of the MLP's hidden layer, in units of `size`."""
    gate_bias: float = 2.0
    """b of the gates: above 0 a layer starts near the identity; 2 in the paper."""
    kernel: Kernel = "auto"
    """How to compute the attention: fused CPU kernels, plain torch, or whichever suits the
    device."""

    def __post_init__(self) -> None:
        check_kernel(self.kernel)
        for name in ("size", "layers", "heads", "memory", "expansion"):
            value = getattr(self, name)
            require(value >= 1, f"{name} is {value}; it must be at least 1")
        require(
            self.size % self.heads == 0,
            f"heads is {self.heads}; it must divide size ({self.size})",
        )


class GatedLayer(nn.Module):
    """One layer. Knows nothing of segments: the caller says who may look at whom."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        size, wide = config.size, config.size * config.expansion
        self.heads = config.heads
        self.before_attention = nn.LayerNorm(size)
        self.query = nn.Linear(size, size, bias=False)
        self.key_value = nn.Linear(size, 2 * size, bias=False)
        self.distance_bias = nn.Parameter(torch.zeros(config.heads, config.memory + 1))
        self.merge = nn.Linear(size, size)
        self.gate_attention = GRUGate(size, config.gate_bias)
        self.before_mlp = nn.LayerNorm(size)
        self.mlp = nn.Sequential(nn.Linear(size, wide), nn.ReLU(), nn.Linear(wide, size))
        self.gate_mlp = GRUGate(size, config.gate_bias)

    def forward(self, seen: Tensor, past: int, look: Look) -> Tensor:
        """One pass over all T steps.

        Args:
            seen: [M + T, B, D], what this layer remembers, then the stream.
            past: M.
            look: the attention.

        Returns:
            The stream after this layer [T, B, D].
        """
        places, rows, size = seen.shape
        stream = seen[past:]
        normed = self.before_attention(seen).flatten(0, 1).t()  # [D, (M + T) * B]
        query = self.query.weight @ normed[:, past * rows :]
        key_value = self.key_value.weight @ normed
        attended = look(
            query.view(size, -1, rows), key_value.view(-1, places, rows), self.distance_bias
        )  # [D, T, B]
        attended = self.merge(attended.flatten(1).t()).view_as(stream)
        stream = self.gate_attention(stream, torch.relu(attended))
        branch: Tensor = self.mlp(self.before_mlp(stream))
        gated: Tensor = self.gate_mlp(stream, torch.relu(branch))
        return gated


class TransformerCore(Core):
    """State: memory [B, L, M, D] (oldest first) and age [B, 1], how many of its steps are real."""

    def __init__(self, input_size: int, config: TransformerConfig) -> None:
        super().__init__(input_size, output_size=config.size)
        self.config = config
        self.embed = nn.Linear(input_size, config.size)
        self.layers = nn.ModuleList(GatedLayer(config) for _ in range(config.layers))

    def initial_state(
        self,
        batch_size: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> State:
        shape = (batch_size, self.config.layers, self.config.memory, self.config.size)
        memory = torch.zeros(shape, device=device, dtype=dtype)
        return memory, torch.zeros(batch_size, 1, device=device, dtype=dtype)

    def forward(self, inputs: Tensor, state: State, reset: Tensor) -> tuple[Tensor, State]:
        check_inputs(self, inputs, state, reset)
        return self.run(inputs, state, reset, maps=None)

    @torch.no_grad()
    def trace(self, inputs: Tensor, state: State, reset: Tensor) -> dict[str, Tensor]:
        """Records "attention" [T, B, L, heads, M + T]: over the memory, then this call."""
        check_inputs(self, inputs, state, reset)
        maps: list[Tensor] = []
        outputs, _ = self.run(inputs, state, reset, maps)
        return {"outputs": outputs, "attention": torch.stack(maps).permute(3, 1, 0, 2, 4)}

    def run(
        self, inputs: Tensor, state: State, reset: Tensor, maps: list[Tensor] | None
    ) -> tuple[Tensor, State]:
        """All steps at once, layer by layer; appends each layer's weights where asked."""
        memory, age = state
        most = self.config.memory
        if maps is None and values_are_fixed(age):
            # Nobody remembers more: M falls, and a fresh state costs nothing.
            most = int(age.nan_to_num(most).clamp(0, most).max())
        memory = torch.where(real_steps(age, self.config.memory)[:, None, :, None], memory, 0)
        memory = memory[:, :, self.config.memory - most :].permute(1, 2, 0, 3)  # [L, M, B, D]
        start = first_seen(age, reset, most)
        look: Look
        if maps is None and use_fused(self.config.kernel, inputs):
            from s2lab.agents.cores.fused.window_attention import WindowAttention

            look = partial(WindowAttention.apply, start)
        else:
            look = partial(plain_look, *who_sees_whom(start, most, self.config.memory), maps)
        stream = self.embed(inputs)  # [T, B, D]
        remembered = []
        for past, layer in zip(memory, self.layers, strict=True):
            seen = torch.cat([past, stream])
            stream = layer(seen, most, look)
            remembered.append(seen[-self.config.memory :])
        age = new_age(age, reset, self.config.memory)
        latest = torch.stack(remembered).permute(2, 0, 1, 3)  # [B, L, M, D]
        missing = self.config.memory - latest.shape[2]
        latest = nn.functional.pad(latest, (0, 0, missing, 0))
        latest = torch.where(real_steps(age, self.config.memory)[:, None, :, None], latest, 0)
        return stream, (latest, age)


def plain_look(
    distance: Tensor,
    allowed: Tensor,
    maps: list[Tensor] | None,
    query: Tensor,
    key_value: Tensor,
    bias: Tensor,
) -> Tensor:
    """`Look` in plain torch; appends the weights [B, heads, T, M + T] where asked.

    Args:
        distance: [T, M + T] long, 0 (itself) to M, clamped outside.
        allowed: bool [B, 1, T, M + T].
        maps: or None.
        query, key_value, bias: as for `Look`.
    """
    q, k, v = (
        part.view(len(bias), -1, *part.shape[1:]).permute(3, 0, 2, 1)  # [B, heads, .., width]
        for part in (query, *key_value.chunk(2))
    )
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2) + bias[:, distance]
    weights = torch.softmax(scores.masked_fill(~allowed, float("-inf")), dim=-1)
    if maps is not None:
        maps.append(weights)
    mixed: Tensor = (weights @ v).permute(1, 3, 2, 0).flatten(0, 1)
    return mixed


def real_steps(age: Tensor, memory: int) -> Tensor:
    """bool [B, M], oldest first: which remembered steps have happened since the last reset."""
    back = torch.arange(memory, 0, -1, device=age.device)  # [M] steps back
    return back <= age


def last_reset(reset: Tensor) -> Tensor:
    """int64 [T, B]: the latest step up to each at which a row was reset; -1 where there is none."""
    index = torch.arange(len(reset), device=reset.device).unsqueeze(1)  # [T, 1]
    return torch.where(reset, index, -1).cummax(dim=0).values


def new_age(age: Tensor, reset: Tensor, memory: int) -> Tensor:
    """Age after the call [B, 1]: steps since the last reset, at most `memory`."""
    steps, last = len(reset), last_reset(reset)[-1].unsqueeze(1)  # [B, 1]
    carried = torch.where(last >= 0, steps - last.to(age.dtype), age + steps)
    return carried.clamp(max=memory)


def first_seen(age: Tensor, reset: Tensor, past: int) -> Tensor:
    """int64 [T, B]: the first place, of M remembered steps and then T, of each step's episode."""
    last = last_reset(reset)
    oldest = past - age.nan_to_num(0).clamp(0, past).long().t()  # [1, B]
    return torch.where(last >= 0, past + last, oldest)


def who_sees_whom(start: Tensor, past: int, memory: int) -> tuple[Tensor, Tensor]:
    """Distances [T, M + T]; bool [B, 1, T, M + T]: from start [T, B], not later, at most `memory`
    back."""
    steps = len(start)
    place = torch.arange(past + steps, device=start.device)
    distance = (past + torch.arange(steps, device=start.device)).unsqueeze(1) - place
    near = (distance >= 0) & (distance <= memory)
    return distance.clamp(0, memory), (place >= start.t()[:, None, :, None]) & near
