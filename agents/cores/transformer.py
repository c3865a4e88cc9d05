"""A gated transformer with a bounded memory (GTrXL; Parisotto et al. 2019, arXiv 1910.06764).

Every step attends to itself and to at most `memory` steps before it, back to the last reset, in L
layers with the layer norm inside the branches and a GRU-type gate instead of each residual:

    x = g1(x, relu(attention(LN(x), [memory; x])))        x = g2(x, relu(MLP(LN(x))))

What a layer remembers of a step is its input. All T steps run at once under a mask. Departure: the
relative positions of Transformer-XL are one learnt bias per head and distance, so that the state
needs no clock. Knows no task and no trainer.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from s2lab.agents.cores.contract import Core, State, check_inputs, require
from s2lab.agents.gating import GRUGate


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

    def __post_init__(self) -> None:
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

    def forward(
        self, stream: Tensor, past: Tensor, distance: Tensor, allowed: Tensor
    ) -> tuple[Tensor, Tensor]:
        """One pass over all T steps.

        Args:
            stream: [B, T, D].
            past: [B, M, D], what this layer remembers.
            distance: [T, M + T] long, 0 (itself) to M, clamped outside.
            allowed: bool [B, T, M + T], or [1, T, M + T] where it is the same for all.

        Returns:
            (stream [B, T, D], attention weights [B, heads, T, M + T]).
        """
        everything = self.before_attention(torch.cat([past, stream], dim=1))  # [B, M + T, D]
        query = self.query(everything[:, past.shape[1] :])  # [B, T, D]
        key, value = self.key_value(everything).chunk(2, dim=-1)
        q, k, v = (
            x.reshape(*x.shape[:2], self.heads, -1).transpose(1, 2) for x in (query, key, value)
        )
        bias = self.distance_bias[:, distance]  # [heads, T, M + T]
        bias = bias.where(allowed.unsqueeze(1), float("-inf"))  # [B or 1, heads, T, M + T]
        scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2) + bias  # [B, heads, T, M + T]
        weights = torch.softmax(scores, dim=-1)
        attended = self.merge((weights @ v).transpose(1, 2).flatten(2))
        stream = self.gate_attention(stream, torch.relu(attended))
        stream = self.gate_mlp(stream, torch.relu(self.mlp(self.before_mlp(stream))))
        return stream, weights


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
        if maps is None and not torch.compiler.is_compiling():
            # Nobody remembers more: M falls, and a fresh state costs nothing.
            most = int(age.nan_to_num(most).clamp(0, most).max())
        memory = memory[:, :, self.config.memory - most :]
        kept = real_steps(age, most)  # [B, M] bool
        memory = torch.where(kept[:, None, :, None], memory, 0)
        distance, allowed = who_sees_whom(kept, reset, self.config.memory)
        if not torch.compiler.is_compiling() and bool((allowed == allowed[:1]).all()):
            allowed = allowed[:1]  # so that the layers' masks are made for one row
        stream = self.embed(inputs).transpose(0, 1)  # [B, T, D]
        remembered = []
        for n, layer in enumerate(self.layers):
            remembered.append(torch.cat([memory[:, n], stream], dim=1))
            stream, weights = layer(stream, memory[:, n], distance, allowed)
            if maps is not None:
                maps.append(weights)
        age = new_age(age, reset, self.config.memory)
        latest = torch.stack(remembered, dim=1)[:, :, -self.config.memory :]  # [B, L, M, D]
        missing = self.config.memory - latest.shape[2]
        latest = nn.functional.pad(latest, (0, 0, missing, 0))
        latest = torch.where(real_steps(age, self.config.memory)[:, None, :, None], latest, 0)
        return stream.transpose(0, 1), (latest, age)


def real_steps(age: Tensor, memory: int) -> Tensor:
    """bool [B, M], oldest first: which remembered steps have happened since the last reset."""
    back = torch.arange(memory, 0, -1, device=age.device)  # [M] steps back
    return back <= age


def new_age(age: Tensor, reset: Tensor, memory: int) -> Tensor:
    """Age after the call [B, 1]: steps since the last reset, at most `memory`."""
    steps = reset.shape[0]
    index = torch.arange(steps, device=reset.device).unsqueeze(1)  # [T, 1]
    last = torch.where(reset, index, -1).amax(dim=0).unsqueeze(1)  # [B, 1], -1: no reset
    carried = torch.where(last >= 0, steps - last.to(age.dtype), age + steps)
    return carried.clamp(max=memory)


def who_sees_whom(kept: Tensor, reset: Tensor, memory: int) -> tuple[Tensor, Tensor]:
    """Distances [T, M + T]; bool [B, T, M + T]: same episode, not later, at most `memory` back."""
    steps = reset.shape[0]
    episode = reset.to(torch.int64).cumsum(dim=0).t()  # [B, T]
    query = torch.arange(steps, device=reset.device).unsqueeze(1)  # [T, 1]
    position = torch.arange(-kept.shape[1], steps, device=reset.device)  # [M + T]
    distance = query - position  # [T, M + T]
    near = (distance >= 0) & (distance <= memory)
    same = episode.unsqueeze(2) == episode.unsqueeze(1)  # [B, T, T]
    past = (episode.unsqueeze(2) == 0) & kept.unsqueeze(1)  # [B, T, M]
    return distance.clamp(0, memory), torch.cat([past, same], dim=2) & near
