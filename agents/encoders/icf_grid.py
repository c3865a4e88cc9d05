"""Controllable features of a grid in view as an encoder of agents, frozen or fine-tuned.

The network of `ControllableFeatures` up to its features; its weights come from a run that learned
them. Knows no policy and no files.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from s2lab.agents.encoders.field import FieldEncoder
from s2lab.agents.encoders.icf import Trunk
from s2lab.agents.encoders.icf_config import ICFConfig

TYPES, STATES = 11, 4  # one-hot channels of a cell; the colours are left out


class ControllableGrid(FieldEncoder):
    """uint8 [B, X, Y, 3] -> features [B, K].

    Args:
        shape: of the image
        config: of the run that learned the features
        frozen: whether learning leaves the features as they are

    Raises:
        ValueError: sides of the grid that are no multiples of 4.
    """

    def __init__(self, shape: tuple[int, ...], config: ICFConfig, frozen: bool) -> None:
        super().__init__()
        width, height, _ = shape
        if config.filters and (width % 4 or height % 4):
            raise ValueError(f"the grid is {width} x {height}; grid=icf takes multiples of 4")
        self.trunk = Trunk((TYPES + STATES, width, height), config)
        self.code = nn.Linear(config.hidden, config.features)
        self.output_size, self.frozen = config.features, frozen

    def forward(self, image: Tensor) -> Tensor:
        """Encode; without a gradient when frozen."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            codes = image.long()
            kinds = functional.one_hot(codes[..., 0], TYPES)
            states = functional.one_hot(codes[..., 2], STATES)
            cells = torch.cat([kinds, states], -1).permute(0, 3, 1, 2).float()
            return torch.tanh(self.code(self.trunk(cells)))
