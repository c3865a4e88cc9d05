"""Rows of several fields as words, and a hash of them. Knows no observation."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from s2lab.agents.cores.fused.elementary import kernel

WORD = 8  # bytes


def packed(fields: list[Tensor]) -> np.ndarray:
    """The bytes of each row, filled up with zeros.

    Args:
        fields: tensors [N, ...] on the CPU

    Returns:
        uint64 [N, W]
    """
    count = len(fields[0])
    parts = [field.reshape(count, -1).contiguous().view(torch.uint8) for field in fields]
    size = sum(part.shape[1] for part in parts)
    words = torch.zeros(count, -(-size // WORD) * WORD, dtype=torch.uint8)  # [N, bytes]
    torch.cat(parts, 1, out=words[:, :size]) if len(parts) > 1 else words[:, :size].copy_(parts[0])
    return words.numpy().view(np.uint64)


@kernel
def hashed(words: Any, i: Any) -> Any:
    """uint64 of row i of words [N, W]."""
    mixed = np.uint64(0)
    for w in range(words.shape[1]):
        mixed = (mixed ^ words[i, w]) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    return mixed
