"""`PairwiseCommunication.exchange` for T steps, fused: see `stages.py` for what a stage is."""

import numpy as np
import torch
from torch import Tensor

from s2lab.agents.cores.fused import attention_kernels
from s2lab.agents.cores.fused.stages import Parts, Piece, Sizes, Slopes, arrays_of, swapped


class PairwiseStage:
    """`PairwiseCommunication.exchange` for T steps. Parameter: query_key_value [K, H, 3D]."""

    def __init__(self, sizes: Sizes, like: Tensor, heads: int, size: int) -> None:
        self.sizes, self.size = sizes, size
        self.scale = like.numpy().dtype.type((size // heads) ** -0.5)
        new = like.new_empty
        steps, modules, rows = sizes.steps, sizes.modules, sizes.rows
        three = new(steps, 3 * size, modules, rows)
        self.three_t = swapped(three)  # [K, 3D, B]
        self.query = arrays_of(three[:, :size])
        self.key = arrays_of(three[:, size : 2 * size])
        self.value = arrays_of(three[:, 2 * size :])
        self.weights = arrays_of(new(steps, heads, modules, modules, rows))
        message = new(steps, size, modules, rows)
        self.message, self.messages = list(message.unbind(0)), arrays_of(message)

    def bind(self, parameters: Parts) -> None:
        """Take the parameters."""
        (self.weight,) = parameters
        self.weight_t = self.weight.transpose(1, 2)  # [K, 3D, H]
        self.candidate: list[Tensor] = []

    def forward(
        self, t: int, candidate: Tensor, active: np.ndarray, memory: tuple[Piece, ...]
    ) -> tuple[Tensor, tuple[Piece, ...]]:
        """candidate [H, K, B], active [K, B] -> message [D, K, B]."""
        self.candidate.append(candidate)
        torch.bmm(self.weight_t, candidate.transpose(0, 1), out=self.three_t[t])
        attention_kernels.attend(
            self.query[t],
            self.key[t],
            self.value[t],
            self.scale,
            self.sizes.modules,
            self.weights[t],
            self.messages[t],
        )
        return self.message[t], memory

    def start_backward(self, slopes: Slopes) -> None:
        """Fresh gradients and scratch space."""
        sizes, size = self.sizes, self.size
        assert slopes.message is not None
        three = self.weight.new_empty(3 * size, sizes.modules, sizes.rows)
        self.d_three_t = three.transpose(0, 1)  # [K, 3D, B]
        self.d_query, self.d_key, self.d_value = (part.numpy() for part in torch.split(three, size))
        self.d_message = slopes.message.numpy()
        self.d_candidate_t = slopes.candidate.transpose(0, 1)  # [K, H, B]
        self.d_weight = self.weight.new_zeros(sizes.modules, 3 * size, sizes.units)

    def backward(self, t: int, active: np.ndarray) -> None:
        """Adds to the slope of the candidate."""
        attention_kernels.attend_backward(
            self.query[t],
            self.key[t],
            self.value[t],
            self.scale,
            self.weights[t],
            active,
            self.d_message,
            self.d_query,
            self.d_key,
            self.d_value,
        )
        self.d_candidate_t.baddbmm_(self.weight, self.d_three_t)
        self.d_weight.baddbmm_(self.d_three_t, self.candidate[t].permute(1, 2, 0))

    def gradients(self) -> Parts:
        """Of the parameters in their order."""
        return (self.d_weight.transpose(1, 2),)
