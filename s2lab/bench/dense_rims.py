"""RIMs as usually published: a dense LSTM under a block mask. Only a peer to be timed against.

Written from the equations of Goyal et al. 2019 (arXiv 1909.10893): every module's input is its own
value vector of width 4 H, the LSTM's weights are dense [K 4H -> K 4H] and [K H -> K 4H] matrices
whose off-diagonal blocks are zero, and time is a Python loop. The mask is applied once per
sequence, which is kinder than once per step.
"""

import torch
from torch import Tensor, nn

from s2lab.agents.attention import attend, block_gradient, top_k_mask

KEY, HEADS, HEAD = 64, 4, 16


class DenseMaskedRIMs(nn.Module):
    """inputs [T, B, I] -> hidden states [T, B, K * H], from zeros."""

    mask_ih: Tensor
    mask_hh: Tensor

    def __init__(self, input_size: int, modules: int, units: int, active: int) -> None:
        super().__init__()
        self.modules_, self.units, self.active = modules, units, active
        wide, gates = modules * units, 4 * modules * units
        self.key = nn.Linear(input_size, KEY)
        self.value = nn.Linear(input_size, 4 * units)
        self.query = nn.Parameter(torch.randn(modules, units, KEY) * units**-0.5)
        self.weight_ih = nn.Parameter(torch.randn(gates, gates) * gates**-0.5)
        self.weight_hh = nn.Parameter(torch.randn(gates, wide) * wide**-0.5)
        self.bias = nn.Parameter(torch.zeros(gates))
        size = 3 * HEADS * HEAD
        self.talk = nn.Parameter(torch.randn(modules, units, size) * units**-0.5)
        self.gate = nn.Linear(HEADS * HEAD, units)
        self.content = nn.Linear(HEADS * HEAD, units)
        # Rows are ordered gate, module, unit; columns module, feature.
        owner = torch.arange(modules).repeat_interleave(units).repeat(4)
        self.register_buffer("mask_ih", owner[:, None] == column_owner(modules, 4 * units))
        self.register_buffer("mask_hh", owner[:, None] == column_owner(modules, units))

    def forward(self, inputs: Tensor) -> Tensor:
        steps, rows = inputs.shape[:2]
        count, units = self.modules_, self.units
        weight_ih, weight_hh = self.weight_ih * self.mask_ih, self.weight_hh * self.mask_hh
        hidden = inputs.new_zeros(rows, count, units)
        cell = inputs.new_zeros(rows, count, units)
        outputs = []
        for t in range(steps):
            key, value = self.key(inputs[t]), self.value(inputs[t])  # [B, 64], [B, 4H]
            query = torch.einsum("bkh,khd->bkd", hidden, self.query)
            score = (query * key.unsqueeze(1)).sum(-1) * KEY**-0.5  # [B, K]
            share = torch.softmax(torch.stack([torch.zeros_like(score), score], -1), -1)[..., 1]
            active = top_k_mask(share, self.active).unsqueeze(-1)  # [B, K, 1]
            driven = (share.unsqueeze(-1) * value.unsqueeze(1)).flatten(1)  # [B, K * 4H]
            gates = driven @ weight_ih.t() + hidden.flatten(1) @ weight_hh.t() + self.bias
            i, f, g, o = gates.view(rows, 4, count, units).unbind(1)
            new_cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
            new = torch.sigmoid(o) * torch.tanh(new_cell)
            three = torch.einsum("bkh,khf->bkf", block_gradient(new, active), self.talk)
            query, key, value = three.chunk(3, dim=-1)
            message, _ = attend(query, key, value, HEADS)
            new = new + torch.sigmoid(self.gate(message)) * torch.tanh(self.content(message))
            hidden = active * new + ~active * hidden
            cell = active * new_cell + ~active * cell
            outputs.append(hidden.flatten(1))
        return torch.stack(outputs)


def column_owner(modules: int, width: int) -> Tensor:
    """[1, modules * width]: which module a column belongs to."""
    return torch.arange(modules).repeat_interleave(width)[None]
