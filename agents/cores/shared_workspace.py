"""A shared memory of S slots that modules write to in competition and all read. Knows no dynamics.

Goyal et al. 2021 (arXiv 2103.01197), eqs. 1 to 6, with the gated memory of the relational memory
core (Santoro et al. 2018):

    write   M^ = LN(M + attention(query = M Wq, key | value = h Wkv))
            hard competition: only the `writers` best modules per slot, by score summed over heads
            M^ = LN(M^ + relu(M^ Wm + bm))
            M' = sigmoid(i) * tanh(M^) + sigmoid(f) * M          i, f from tanh(M) and mean relu(h)
    read    message_k = attention(query = h_k Wq2_k, key | value = M' Wkv2)

The memory starts as the identity matrix cut to S x D, so that no two slots are alike. Departures:
one layer in the memory's MLP; the gradient of inactive modules is blocked where they write.
"""

import torch
from torch import Tensor, nn

from s2lab.agents.attention import attend, block_gradient
from s2lab.agents.cores.contract import State
from s2lab.agents.cores.lstm_modules import orthogonal_blocks
from s2lab.agents.cores.modular import Candidate, Records
from s2lab.agents.gating import MemoryGate


class SharedWorkspace(nn.Module):
    """Messages [B, K, D] with D = heads * head_size; memory (M [B, S, D],)."""

    def __init__(
        self,
        module_count: int,
        module_size: int,
        slots: int,
        heads: int,
        head_size: int,
        writers: int | None,
    ) -> None:
        super().__init__()
        self.heads = heads
        self.slots = slots
        self.writers = writers
        size = self.message_size = heads * head_size
        self.write_query = nn.Linear(size, size, bias=False)
        self.write_key_value = nn.Linear(module_size, 2 * size, bias=False)
        self.after_write = nn.LayerNorm(size)
        self.think = nn.Linear(size, size)
        self.after_think = nn.LayerNorm(size)
        self.gate = MemoryGate(module_size, size)
        self.read_query = nn.Parameter(orthogonal_blocks(module_count, module_size, size))
        self.read_key_value = nn.Linear(size, 2 * size, bias=False)

    def initial_memory(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> State:
        return (torch.eye(self.slots, self.message_size, device=device, dtype=dtype),)

    def exchange(self, candidate: Candidate, memory: State) -> tuple[Tensor, State, Records]:
        """One write and one read.

        Records "workspace_write" [B, heads, S, K], "workspace_read" [B, heads, K, S] and
        "workspace" [B, S, D].
        """
        (old,) = memory  # [B, S, D]
        hidden = candidate.state[0]  # [B, K, H]
        kept = candidate.active.unsqueeze(-1)  # [B, K, 1]
        key, value = block_gradient(self.write_key_value(hidden), kept).chunk(2, dim=-1)
        written, wrote = attend(self.write_query(old), key, value, self.heads, self.writers)
        proposal = self.after_write(old + written)
        proposal = self.after_think(proposal + torch.relu(self.think(proposal)))
        summary = torch.relu(block_gradient(hidden, kept)).mean(dim=1)  # [B, H]
        new = self.gate(summary, old, proposal)  # [B, S, D]
        query = torch.einsum("bkh,khd->bkd", hidden, self.read_query)
        key, value = self.read_key_value(new).chunk(2, dim=-1)  # [B, S, D] each
        messages, read = attend(query, key, value, self.heads)
        records = {"workspace_write": wrote, "workspace_read": read, "workspace": new}
        return messages, (new,), records
