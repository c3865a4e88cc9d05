"""What every sequence task hands out. Knows no task and no learner."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Sequences:
    """N sequences of T steps, time first. Only the last S steps are scored."""

    inputs: NDArray[np.float32]
    """[T, N, F]."""
    targets: NDArray[Any]
    """float32 [S, N, G] to predict, or int64 [S, N] classes."""

    @property
    def scored(self) -> int:
        """S, how many steps at the end are scored."""
        return len(self.targets)


def require(condition: bool, message: str) -> None:
    """Raise ValueError(message) unless `condition`."""
    if not condition:
        raise ValueError(message)
