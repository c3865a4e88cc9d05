"""K LSTM modules that compete for one input: the dynamics of RIMs. Knows no communication.

Goyal et al. 2019 (arXiv 1909.10893), eqs. 1 to 3, for one input vector x and a null slot whose key
and value are exactly 0:

    score_k = q_k(h_k) . key(x) / sqrt(d)          a_k = softmax over {null, x} = sigmoid(score_k)
    active  = the k_A modules with the lowest null attention, that is the highest score
    gates_k = W_hh,k h_k + b_k + a_k * (W_x,k x + b_x,k)
    candidate_k = LSTM(gates_k, c_k)

Departures. The paper's value projection and the modules' input weights meet in one linear map, so
W_x,k stands for their product: the same functions wherever the input is no wider than the value
(4 H). Key, value and query have biases: without them a zero input is the null slot and all modules
tie in the zero state. No dropout. Of equal scores the lower module wins.
"""

import torch
from torch import Tensor, nn

from s2lab.agents.attention import top_k_mask
from s2lab.agents.cores.contract import State
from s2lab.agents.cores.modular import Candidate


def orthogonal_blocks(*shape: int) -> Tensor:
    """[blocks, rows, columns] of orthogonal matrices (or one [rows, columns])."""
    blocks = torch.empty(shape)
    for block in blocks.reshape(-1, *shape[-2:]):
        nn.init.orthogonal_(block)
    return blocks


class LSTMModules(nn.Module):
    """See the module docstring. State parts: h and c [B, K, H]."""

    parts = 2

    def __init__(
        self,
        input_size: int,
        module_count: int,
        module_size: int,
        active_count: int,
        key_size: int,
        forget_bias: float,
    ) -> None:
        super().__init__()
        self.module_count = module_count
        self.module_size = module_size
        self.active_count = active_count
        self.key_size = key_size
        count, size = module_count, module_size
        self.key = nn.Linear(input_size, key_size)
        self.drive = nn.Linear(input_size, count * 4 * size)  # W_x,k and b_x,k for all modules
        self.recurrent = nn.Parameter(  # [K, H, 4H + d]: gates i f g o, then the query
            torch.cat(
                [orthogonal_blocks(count, size, size) for _ in range(4)]
                + [orthogonal_blocks(count, size, key_size)],
                dim=2,
            )
        )
        self.bias = nn.Parameter(torch.zeros(count, 4 * size + key_size))  # [K, 4H + d]
        with torch.no_grad():
            for k in range(4 * count):
                nn.init.orthogonal_(self.drive.weight[k * size : (k + 1) * size])
            self.drive.bias.zero_()
            nn.init.orthogonal_(self.key.weight)
            self.bias[:, size : 2 * size] = forget_bias
            self.bias[:, 4 * size :].normal_(std=0.1)

    def project(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """inputs [T, B, I] -> scaled keys [T, B, d], drives [T, B, K * 4H]."""
        return self.key(inputs) * self.key_size**-0.5, self.drive(inputs)

    def propose(self, projected: tuple[Tensor, ...], state: State) -> Candidate:
        """keys [B, d], drives [B, K * 4H]; state (h, c) [B, K, H]."""
        key, drive = projected
        hidden, cell = state
        size = self.module_size
        own = torch.einsum("bkh,khf->bkf", hidden, self.recurrent) + self.bias  # [B, K, 4H + d]
        scores = (own[..., 4 * size :] * key.unsqueeze(1)).sum(-1)  # [B, K]
        attention = torch.sigmoid(scores)  # [B, K]
        active = top_k_mask(scores, self.active_count)
        drive = drive.view(-1, self.module_count, 4 * size)  # [B, K, 4H]
        gates = own[..., : 4 * size] + attention.unsqueeze(-1) * drive
        i, f, g, o = gates.chunk(4, dim=-1)  # [B, K, H] each
        cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
        hidden = torch.sigmoid(o) * torch.tanh(cell)
        return Candidate((hidden, cell), active, {"input_attention": attention})
