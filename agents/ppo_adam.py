"""Adam (Kingma & Ba 2015) with a bound on the gradient's norm, over one flat vector of weights.

The weights, their gradients and both moments are four vectors; parameters are views of the first
two. One pass over them is one step, however many layers there are. Knows no loss.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.autograd.graph import increment_version

from s2lab.agents.cores.fused.elementary import kernel

BETAS = (0.9, 0.999)  # Kingma & Ba's


class FlatAdam:
    """The optimiser of parameters that are all of one type and device.

    Args:
        parameters: from now on views of `weights`, and their `.grad` of `gradient`
        eps: Adam's epsilon
        max_norm: gradients are scaled down to this 2-norm
    """

    def __init__(self, parameters: Iterable[nn.Parameter], eps: float, max_norm: float) -> None:
        self.parts = parts = list(parameters)
        self.eps, self.max_norm, self.steps = eps, max_norm, 0
        with torch.no_grad():
            self.weights = torch.cat([part.flatten() for part in parts])  # [W]
        self.gradient = torch.zeros_like(self.weights)  # [W]
        self.first, self.second = (torch.zeros_like(self.weights) for _ in range(2))  # moments, [W]
        sizes = [part.numel() for part in parts]
        pieces = zip(self.weights.split(sizes), self.gradient.split(sizes), strict=True)  # type: ignore[no-untyped-call]  # torch leaves it untyped
        for part, (weight, gradient) in zip(parts, pieces, strict=True):
            part.data, part.grad = weight.view_as(part), gradient.view_as(part)
        vectors = (self.weights, self.gradient, self.first, self.second)
        on_cpu = self.weights.device.type == "cpu"
        self._arrays = tuple(vector.numpy() for vector in vectors) if on_cpu else None

    def clear(self) -> None:
        """Forget the gradient; backward passes add to it."""
        self.gradient.zero_()

    def norm(self) -> float:
        """The gradient's 2-norm."""
        if self._arrays is not None:
            total = np.zeros(1)
            square_sum(self._arrays[1], total)
            return math.sqrt(total[0])
        return float(torch.linalg.vector_norm(self.gradient))

    def step(self, lr: float, norm: float) -> None:
        """Move the weights.

        Args:
            lr: learning rate
            norm: of the gradient
        """
        self.steps += 1
        scale = min(1.0, self.max_norm / (norm + 1e-6))  # torch's clip_grad_norm_
        size = lr / (1 - BETAS[0] ** self.steps)
        unbias = 1 / math.sqrt(1 - BETAS[1] ** self.steps)
        if self._arrays is not None:
            betas = (*BETAS, *(1 - beta for beta in BETAS))
            numbers = np.array([scale, size, unbias, self.eps, *betas], self._arrays[0].dtype)
            adam_step(numbers, *self._arrays)
            increment_version(self.parts)
            return
        gradient = self.gradient * scale
        self.first.lerp_(gradient, 1 - BETAS[0])
        self.second.mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
        divisor = self.second.sqrt().mul_(unbias).add_(self.eps)
        self.weights.addcdiv_(self.first, divisor, value=-size)

    def state_dict(self) -> dict[str, Any]:
        """The moments and the number of steps."""
        return {"steps": self.steps, "first": self.first, "second": self.second}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Take up where `state_dict` was called."""
        self.steps = int(saved["steps"])
        self.first.copy_(saved["first"])
        self.second.copy_(saved["second"])


@kernel
def square_sum(vector: Any, total: Any) -> None:
    """total, float64 [1], is added to."""
    found = 0.0
    for i in range(len(vector)):
        found += np.float64(vector[i]) * np.float64(vector[i])
    total[0] += found


@kernel
def adam_step(numbers: Any, weights: Any, gradient: Any, first: Any, second: Any) -> None:
    """All vectors [W]; weights and moments are written; numbers: see `FlatAdam.step`."""
    scale, size, unbias, eps = numbers[0], numbers[1], numbers[2], numbers[3]
    keep_first, keep_second = numbers[4], numbers[5]
    take_first, take_second = numbers[6], numbers[7]
    for i in range(len(weights)):
        g = gradient[i] * scale
        first[i] = keep_first * first[i] + take_first * g
        second[i] = keep_second * second[i] + take_second * g * g
        weights[i] -= size * first[i] / (np.sqrt(second[i]) * unbias + eps)
