"""Embedded cells and convolutions over them. Knows no core.

One embedding per type, colour and state, summed per cell (the bag of words of BabyAI 1.1, Hui et
al. 2020), then convolutions: two plain ones, or BabyAI 1.1's with the mission in them.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from s2lab.agents.encoders.config import EncoderConfig
from s2lab.agents.encoders.field import FieldEncoder

CODES = 11  # types; colours and states are fewer


class CellBag(nn.Module):
    """uint8 [B, X, Y, 3] -> [B, cell_size, X, Y]: the sum of three embeddings per cell."""

    offsets: Tensor

    def __init__(self, cell_size: int) -> None:
        super().__init__()
        self.register_buffer("offsets", torch.arange(3, dtype=torch.int32) * CODES, False)
        self.embedding = nn.EmbeddingBag(3 * CODES, cell_size, mode="sum")

    def forward(self, image: Tensor) -> Tensor:
        """Embed."""
        batch, width, height, _ = image.shape
        codes = image.reshape(-1, 3).int() + self.offsets  # [B * X * Y, 3]
        cells: Tensor = self.embedding(codes).view(batch, width, height, -1)
        return cells.permute(0, 3, 1, 2)


class SymbolicGrid(FieldEncoder):
    """Codes of cells -> features: two 3 x 3 convolutions with ReLU, flattened."""

    def __init__(self, shape: tuple[int, ...], config: EncoderConfig) -> None:
        super().__init__()
        width, height, _ = shape
        self.cells = CellBag(config.cell_size)
        self.first = nn.Conv2d(config.cell_size, config.channels, 3, padding=1)
        self.second = nn.Conv2d(config.channels, config.channels, 3, stride=2, padding=1)
        self.output_size = config.channels * ((width + 1) // 2) * ((height + 1) // 2)

    def forward(self, image: Tensor) -> Tensor:  # uint8 [B, X, Y, 3] -> [B, output_size]
        """Embed and convolve."""
        maps = functional.relu(self.first(self.cells(image)))
        return functional.relu(self.second(maps)).flatten(1)


class FilmBlock(nn.Module):
    """A residual block whose maps the mission scales and shifts (Perez et al. 2018).

    maps + relu((1 + scale(mission)) * conv(relu(conv(maps))) + shift(mission))
    """

    def __init__(self, channels: int, mission_size: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.scale = nn.Linear(mission_size, channels)
        self.shift = nn.Linear(mission_size, channels)

    def forward(self, maps: Tensor, mission: Tensor) -> Tensor:  # [B, C, X, Y], [B, M]
        """Modulate."""
        inner = self.second(functional.relu(self.first(maps)))
        scale, shift = (layer(mission)[..., None, None] for layer in (self.scale, self.shift))
        modulated: Tensor = maps + functional.relu(inner * (1 + scale) + shift)
        return modulated


class FilmGrid(FieldEncoder):
    """The grid encoder of BabyAI 1.1 (Hui et al. 2020), without its batch normalisation.

    Two convolutions, two residual FiLM blocks, the maximum over cells. Batch statistics would make
    acting and learning see different policies, so there are none.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.output_size = channels = config.channels
        self.cells = CellBag(config.cell_size)
        self.first = nn.Conv2d(config.cell_size, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.blocks = nn.ModuleList(FilmBlock(channels, config.mission_size) for _ in range(2))

    def forward(self, image: Tensor, mission: Tensor) -> Tensor:  # [B, X, Y, 3], [B, M] -> [B, C]
        """Embed, convolve, modulate, pool."""
        maps = functional.relu(self.first(self.cells(image)))
        maps = functional.relu(self.second(maps))
        for block in self.blocks:
            maps = block(maps, mission)
        return maps.amax((2, 3))
