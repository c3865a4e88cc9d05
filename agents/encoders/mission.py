"""Token ids -> the last state of a GRU. Knows no grid.

Every distinct mission of a batch is read once; while acting, missions that have not changed since
the last step are not read again.
"""

import math
from typing import cast

import torch
from torch import Tensor, nn

from s2lab.agents.cores.contract import use_fused
from s2lab.agents.encoders.config import EncoderConfig
from s2lab.agents.encoders.field import FieldEncoder, SummedEncoder
from s2lab.agents.encoders.mission_kernels import ReadSentences

FEW = 16  # missions up to which a kernel of ours is faster than torch's products


class Mission(FieldEncoder):
    """Word embedding and a GRU, as in BabyAI (Chevalier-Boisvert et al. 2019)."""

    def __init__(self, words: int, config: EncoderConfig) -> None:
        super().__init__()
        self.output_size = config.mission_size
        self.embedding = nn.Embedding(words, config.mission_size)
        self.gru = nn.GRU(config.mission_size, config.mission_size, batch_first=True)

    def forward(self, tokens: Tensor) -> Tensor:  # int16 [B, L] -> [B, output_size]
        """Read each distinct mission to its last word."""
        missions, which = distinct_rows(tokens)
        read = self.read(missions)
        return read.expand(len(tokens), -1) if len(read) == 1 else read.index_select(0, which)

    def read(self, missions: Tensor) -> Tensor:  # int16 [M, L] -> [M, output_size]
        """The GRU's state after the last word of each."""
        lengths = (missions != 0).sum(1).clamp(min=1)  # [M]
        if len(missions) <= FEW and use_fused("auto", self.embedding.weight):
            weights = (self.embedding.weight, *self.gru.parameters())
            last: Tensor = ReadSentences.apply(missions.long(), lengths, *weights)  # type: ignore[no-untyped-call]  # torch leaves it untyped
            return last
        embedded = self.embedding(missions[:, : int(lengths.max())].int())
        states = self.gru(embedded)[0]  # [M, L, output_size]
        last = states[torch.arange(len(missions), device=missions.device), lengths - 1]
        return last


class SummedMission(SummedEncoder):
    """A mission's summand of the features: `Mission` and a linear layer of what it read."""

    def __init__(self, words: int, config: EncoderConfig) -> None:
        super().__init__()
        self.output_size = config.feature_size
        self.reader = Mission(words, config)
        self.weight = nn.Parameter(torch.empty(config.feature_size, config.mission_size))
        nn.init.orthogonal_(self.weight, math.sqrt(2))
        self._last: tuple[list[tuple[int, int]], Tensor, Tensor] | None = None

    @torch.compiler.disable  # type: ignore[untyped-decorator]  # torch leaves it untyped
    def forward(self, tokens: Tensor) -> Tensor:  # int16 [B, L] -> [B or 1, output_size]
        """One row for all when they have the same mission.

        Eager between the graphs of torch.compile: how many missions are read depends on values.
        """
        if torch.is_grad_enabled():
            self._last = None
            return self.read(tokens)
        # Writing to a weight, or replacing it, makes what was read before worthless.
        weights = [(weight.data_ptr(), weight._version) for weight in self.parameters()]
        if self._last is None or self._last[0] != weights or not torch.equal(self._last[1], tokens):
            self._last = (weights, tokens.clone(), self.read(tokens))
        return self._last[2]

    def read(self, tokens: Tensor) -> Tensor:  # int16 [B, L] -> [B or 1, output_size]
        """Read each distinct mission once."""
        missions, which = distinct_rows(tokens)
        read = self.reader.read(missions) @ self.weight.t()  # [M, output_size]
        return read if len(read) == 1 else read.index_select(0, which)


def distinct_rows(rows: Tensor) -> tuple[Tensor, Tensor]:
    """`torch.unique(rows, dim=0, return_inverse=True)`, by sorting one number per row.

    Args:
        rows: integers [B, L]

    Returns:
        distinct: [M, L], in some order
        which: int64 [B], the distinct row that each row is
    """
    if bool((rows == rows[:1]).all()):
        return rows[:1], torch.zeros(len(rows), dtype=torch.int64, device=rows.device)
    powers = torch.arange(rows.shape[1], device=rows.device)
    # Wraps around: odd multipliers spread the rows over 64 bits.
    keys = (rows.long() * (0x9E3779B97F4A7C15 % 2**62 * (2 * powers + 1) | 1)).sum(1)  # [B]
    _, which = torch.unique(keys, return_inverse=True)
    first = torch.empty(int(which.max()) + 1, dtype=torch.int64, device=rows.device)
    first[which] = torch.arange(len(rows), device=rows.device)
    distinct = rows[first]
    if torch.equal(distinct[which], rows):
        return distinct, which
    return cast(tuple[Tensor, Tensor], torch.unique(rows, dim=0, return_inverse=True))
