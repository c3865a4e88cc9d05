"""Every module attends to every module: the communication of RIMs. Knows no dynamics.

Goyal et al. 2019 (arXiv 1909.10893), eqs. 4 and 5: multi-head attention over the K candidates with
queries, keys and values of each module's own. The gradient of inactive modules is blocked at their
keys and values (the paper's code blocks it at their states, one product earlier), so that an
inactive module's own projections learn nothing from a step they take no part in.
"""

import torch
from torch import Tensor, nn

from s2lab.agents.attention import attend, block_gradient
from s2lab.agents.cores.contract import State
from s2lab.agents.cores.lstm_modules import orthogonal_blocks
from s2lab.agents.cores.modular import Candidate, Records


class PairwiseCommunication(nn.Module):
    """Messages [B, K, heads * head_size]; no memory."""

    def __init__(self, module_count: int, module_size: int, heads: int, head_size: int) -> None:
        super().__init__()
        self.heads = heads
        self.message_size = heads * head_size
        parts = [orthogonal_blocks(module_count, module_size, self.message_size) for _ in range(3)]
        self.query_key_value = nn.Parameter(torch.cat(parts, dim=2))  # [K, H, 3D]

    def initial_memory(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> State:
        return ()

    def exchange(self, candidate: Candidate, memory: State) -> tuple[Tensor, State, Records]:
        """One round of messages. Records "communication" [B, heads, K, K]."""
        size = self.message_size
        all_three = torch.einsum("bkh,khf->bkf", candidate.state[0], self.query_key_value)
        query = all_three[..., :size]  # [B, K, D]
        rest = block_gradient(all_three[..., size:], candidate.active.unsqueeze(-1))
        key, value = rest.chunk(2, dim=-1)
        messages, weights = attend(query, key, value, self.heads)
        return messages, memory, {"communication": weights}
