"""From the worlds' arrays to the learner's device. Knows no worlds.

To a GPU they go through pinned host memory, so that the copy runs while the CPU goes on. A buffer
is written again one step later; by then the actions have been read back from the device, and with
them everything that was queued before.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Staging:
    """Copies arrays into tensors of a device; one pinned buffer per name."""

    def __init__(self) -> None:
        self._pinned: dict[str, Tensor] = {}

    def copy(self, name: str, values: Any, target: Tensor) -> None:
        """target [...] becomes values [...], an array or a tensor of any device."""
        given = torch.as_tensor(values)
        if target.device.type != "cuda" or given.device.type != "cpu":
            target.copy_(given)
            return
        if name not in self._pinned:
            self._pinned[name] = torch.empty(target.shape, dtype=target.dtype, pin_memory=True)
        self._pinned[name].copy_(given)
        target.copy_(self._pinned[name], non_blocking=True)


def on_host(values: Any) -> NDArray[Any]:
    """An array or a tensor of any device as numpy, without a copy where it is one."""
    return values.cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
