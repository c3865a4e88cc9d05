"""Object files that choose their dynamics among a few shared schemata. Knows no communication.

Goyal et al. 2020 (arXiv 2006.16225), algorithm 1. K object files compete for the input exactly as
RIM modules do (`lstm_modules.py`); each active file then picks one of J schemata, GRUs whose
parameters all files share:

    candidate_kj = GRU_j(a_k * x, h_k)                        j = 1 .. J
    logit_kj = (h_k Wr) . (candidate_kj Ww_j)                 16-dimensional
    choice_k = hard, straight-through Gumbel-softmax(logit_k / tau)
    candidate_k = sum_j choice_kj candidate_kj

Noise is drawn in training and from a given generator only: whoever trains by running a sequence
once (`sequence_model.py`) gives one; whoever acts first and learns from the same sequence later, as
PPO, gives none and both passes choose the argmax. A file sees only its own input and state:
no template GRU is fed the concatenation of all files. Departures: as in `lstm_modules.py`.
"""

import torch
from torch import Tensor, nn

from s2lab.agents.attention import top_k_mask
from s2lab.agents.cores.contract import State
from s2lab.agents.cores.lstm_modules import orthogonal_blocks
from s2lab.agents.cores.modular import Candidate

CHOICE_SIZE = 16


class Schemata(nn.Module):
    """See the module docstring. State part: h [B, K, H].

    `generator` is the source of the Gumbel noise in training; None means no noise.
    """

    parts = 1

    def __init__(
        self,
        input_size: int,
        module_count: int,
        module_size: int,
        active_count: int,
        key_size: int,
        schema_count: int,
        temperature: float,
        noise: bool,
        keep_bias: float,
    ) -> None:
        super().__init__()
        self.module_count = module_count
        self.module_size = module_size
        self.active_count = active_count
        self.key_size = key_size
        self.schema_count = schema_count
        self.temperature = temperature
        self.noise = noise
        self.generator: torch.Generator | None = None
        size = module_size
        self.key = nn.Linear(input_size, key_size)
        self.query = nn.Parameter(orthogonal_blocks(module_count, size, key_size))  # [K, H, d]
        self.query_bias = nn.Parameter(torch.randn(module_count, key_size) * 0.1)  # [K, d]
        self.drive = nn.Linear(input_size, schema_count * 3 * size)  # r z n of every schema
        blocks = [orthogonal_blocks(size, size) for _ in range(3 * schema_count)]
        self.recurrent = nn.Parameter(torch.cat(blocks, dim=1))  # [H, J * 3H]
        self.bias = nn.Parameter(torch.zeros(schema_count * 3 * size))  # [J * 3H]
        self.choice_read = nn.Parameter(orthogonal_blocks(size, CHOICE_SIZE))  # [H, 16]
        self.choice_write = nn.Parameter(  # [J, H, 16]
            orthogonal_blocks(schema_count, size, CHOICE_SIZE)
        )
        with torch.no_grad():
            nn.init.orthogonal_(self.key.weight)
            for j in range(3 * schema_count):
                nn.init.orthogonal_(self.drive.weight[j * size : (j + 1) * size])
            self.drive.bias.zero_()
            self.bias.view(schema_count, 3, size)[:, 1] = keep_bias

    def project(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """inputs [T, B, I] -> keys [T, B, d], drives [T, B, J * 3H], Gumbel noise [T, B, K, J]."""
        noise = self.gumbel(inputs)
        return self.key(inputs) * self.key_size**-0.5, self.drive(inputs), noise

    def gumbel(self, inputs: Tensor) -> Tensor:
        """Gumbel noise [T, B, K, J] in training with a generator; zeros otherwise."""
        shape = (*inputs.shape[:2], self.module_count, self.schema_count)
        noise = torch.zeros(shape, device=inputs.device, dtype=inputs.dtype)
        if self.generator is None or not (self.training and self.noise):
            return noise
        return -noise.exponential_(generator=self.generator).clamp_min(1e-30).log()

    def propose(self, projected: tuple[Tensor, ...], state: State) -> Candidate:
        """keys [B, d], drives [B, J * 3H], noise [B, K, J]; state (h [B, K, H],)."""
        key, drive, noise = projected
        (hidden,) = state
        query = torch.einsum("bkh,khd->bkd", hidden, self.query) + self.query_bias
        scores = (query * key.unsqueeze(1)).sum(-1)  # [B, K]
        attention = torch.sigmoid(scores)
        active = top_k_mask(scores, self.active_count)
        candidates = self.candidates(attention, drive, hidden)  # [B, K, J, H]
        read = hidden @ self.choice_read  # [B, K, 16]
        write = torch.einsum("bkjh,jhc->bkjc", candidates, self.choice_write)
        logits = (read.unsqueeze(2) * write).sum(-1) + noise  # [B, K, J]
        soft = torch.softmax(logits / self.temperature, dim=-1)
        hard = top_k_mask(logits, 1)  # [B, K, J]
        chosen = torch.where(hard.unsqueeze(-1), candidates, 0).sum(2)  # [B, K, H]
        through = (soft - soft.detach()).unsqueeze(-1)  # zero, with the gradient of the soft choice
        chosen = chosen + (through * candidates.detach()).sum(2)
        records = {
            "input_attention": attention,
            "schema": hard.to(torch.int64).argmax(-1),
            "schema_probability": soft,
        }
        return Candidate((chosen,), active, records)

    def candidates(self, attention: Tensor, drive: Tensor, hidden: Tensor) -> Tensor:
        """attention [B, K], drive [B, J * 3H], hidden [B, K, H] -> proposals [B, K, J, H]."""
        own = hidden @ self.recurrent + self.bias  # [B, K, J * 3H]
        split = (*own.shape[:2], self.schema_count, 3, self.module_size)
        own_r, own_z, own_n = own.view(split).unbind(-2)
        driven = attention.unsqueeze(-1) * drive.unsqueeze(1)  # [B, K, J * 3H]
        in_r, in_z, in_n = driven.view(split).unbind(-2)
        r, z = torch.sigmoid(own_r + in_r), torch.sigmoid(own_z + in_z)  # [B, K, J, H]
        proposal = torch.tanh(in_n + r * own_n)
        return torch.lerp(proposal, hidden.unsqueeze(2), z)
