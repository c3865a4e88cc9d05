"""The core without memory: outputs are inputs. The control for every claim about memory."""

from dataclasses import dataclass

import torch
from torch import Tensor

from s2lab.agents.cores.contract import Core, State, check_inputs


@dataclass(frozen=True)
class FeedForwardConfig:
    """Nothing to choose."""


class FeedForwardCore(Core):
    """Passes its inputs through; its state is the empty tuple."""

    memoryless = True

    def __init__(self, input_size: int, config: FeedForwardConfig) -> None:
        super().__init__(input_size, output_size=input_size)
        self.config = config

    def initial_state(
        self,
        batch_size: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> State:
        return ()

    def forward(self, inputs: Tensor, state: State, reset: Tensor) -> tuple[Tensor, State]:
        check_inputs(self, inputs, state, reset)
        return inputs, ()
