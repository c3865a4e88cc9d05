"""Gates that cores share: how new information enters a state. Knows no core and no time."""

import torch
from torch import Tensor, nn


class GatedMessage(nn.Module):
    """What a message adds to a hidden state: sigmoid(Wg y + bg) * tanh(Wf y + bf).

    RIMs (Goyal et al. 2019, arXiv 1909.10893), communication; Wg and Wf shared by all modules.
    """

    def __init__(self, message_size: int, hidden_size: int) -> None:
        super().__init__()
        self.project = nn.Linear(message_size, 2 * hidden_size)  # gate | content
        nn.init.orthogonal_(self.project.weight)
        nn.init.zeros_(self.project.bias)

    def forward(self, message: Tensor) -> Tensor:
        """[..., message_size] -> [..., hidden_size]."""
        gate, content = self.project(message).chunk(2, dim=-1)
        return torch.sigmoid(gate) * torch.tanh(content)


class MemoryGate(nn.Module):
    """The relational memory core's gate (Santoro et al. 2018, arXiv 1806.01822, eqs. 5 to 7).

        i | f = tanh(M) Wm + inputs Wi + b
        M' = sigmoid(i) * tanh(M^) + sigmoid(f + forget_bias) * M

    one gate per unit of memory.
    """

    def __init__(self, input_size: int, memory_size: int, forget_bias: float = 1.0) -> None:
        super().__init__()
        self.from_memory = nn.Linear(memory_size, 2 * memory_size)
        self.from_inputs = nn.Linear(input_size, 2 * memory_size, bias=False)
        for layer in (self.from_memory, self.from_inputs):
            nn.init.orthogonal_(layer.weight, gain=0.5)
        with torch.no_grad():
            self.from_memory.bias.zero_()
            self.from_memory.bias[memory_size:] = forget_bias

    def forward(self, inputs: Tensor, memory: Tensor, proposal: Tensor) -> Tensor:
        """inputs [B, I], memory and proposal [B, S, D] -> new memory [B, S, D]."""
        driven = self.from_inputs(inputs).unsqueeze(1)  # [B, 1, 2D]
        gates = torch.sigmoid(self.from_memory(torch.tanh(memory)) + driven)  # [B, S, 2D]
        enter, keep = gates.chunk(2, dim=-1)
        return enter * torch.tanh(proposal) + keep * memory


class GRUGate(nn.Module):
    """GRU-type gate around a residual branch (Parisotto et al. 2019, arXiv 1910.06764, sec. 3.2).

    r = sigmoid(Wr y + Ur x)       z = sigmoid(Wz y + Uz x - b)       b > 0: starts near identity
    c = tanh(Wc y + Uc (r * x))
    g(x, y) = (1 - z) * x + z * c
    """

    def __init__(self, size: int, bias: float = 2.0) -> None:
        super().__init__()
        self.from_branch = nn.Linear(size, 3 * size, bias=False)
        self.from_stream = nn.Linear(size, 2 * size, bias=False)
        self.from_reset = nn.Linear(size, size, bias=False)
        self.bias = nn.Parameter(torch.full((size,), bias))

    def forward(self, stream: Tensor, branch: Tensor) -> Tensor:
        """stream x [..., D], branch y [..., D] -> [..., D]."""
        r_y, z_y, c_y = self.from_branch(branch).chunk(3, dim=-1)
        r_x, z_x = self.from_stream(stream).chunk(2, dim=-1)
        r = torch.sigmoid(r_y + r_x)
        z = torch.sigmoid(z_y + z_x - self.bias)
        candidate = torch.tanh(c_y + self.from_reset(r * stream))
        return torch.lerp(stream, candidate.to(stream.dtype), z.to(stream.dtype))
