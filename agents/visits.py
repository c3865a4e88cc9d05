"""A reward for what was seldom seen. Knows no policy and no loss.

Count-based exploration: the n-th time that an observation is reached is worth `weight / n`, the
bonus beta / (1 + n) of Kolter & Ng 2009 (BEB) with the visits before it for n and observations in
place of states; counts are kept by hash, as in Tang et al. 2017, section 2.2. The bonus of a state
sums to weight * ln(visits), so that what is learned in the end is the task.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from s2lab.agents.cores.fused.elementary import kernel
from s2lab.agents.hashing import hashed, packed

SLOTS = 1 << 20  # counters, a power of two; observations that share one are counted together


class VisitCounts:
    """How often each observation was reached, since training began, in all worlds together."""

    def __init__(self, weight: float) -> None:
        self.weight = weight
        self.counts = np.zeros(SLOTS, np.uint32)

    def bonus(self, reached: Mapping[str, Any], ends: Any) -> Tensor:
        """Count, and say what each was worth, step by step and world by world.

        Args:
            reached: fields [T, B, ...], tensors or arrays, what each step led to; equal is what
                has the same bytes
            ends: bool [T, B]; where an episode ended the next one shows its first observation,
                which nobody reached

        Returns:
            float32 [T, B] on the CPU, in units of rewards
        """
        ended = torch.as_tensor(ends).cpu()
        steps, batch = ended.shape
        fields = [torch.as_tensor(field).cpu().flatten(0, 1) for field in reached.values()]
        worth = torch.zeros(steps * batch)
        count(packed(fields), ended.flatten().numpy(), self.weight, self.counts, worth.numpy())
        return worth.view(steps, batch)

    def state_dict(self) -> dict[str, Any]:
        """The counters."""
        return {"counts": self.counts}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Go on counting there."""
        self.counts[:] = saved["counts"]


@kernel
def count(words: Any, ends: Any, weight: float, counts: Any, worth: Any) -> None:
    """words uint64 [N, W], ends bool [N] -> worth float32 [N]; counts [SLOTS] go on."""
    mask = np.uint64(len(counts) - 1)
    for i in range(words.shape[0]):
        if not ends[i]:
            slot = hashed(words, i) & mask
            counts[slot] += 1
            worth[i] = weight / counts[slot]
