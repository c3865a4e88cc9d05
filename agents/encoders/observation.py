"""Observations of any `Dict` space -> one feature vector. Knows no time and no actions.

One small encoder per field, chosen by the field's space; their outputs are concatenated.

* a symbolic grid, uint8 [X, Y, 3] with codes up to 10: embeddings of type, colour and state,
  summed, then two convolutions;
* a picture, uint8 [X, Y, C] of at least 36 x 36: the three convolutions of Mnih et al. 2015;
* `mission`, token ids int16 [L]: word embedding and a GRU, as in BabyAI
  (Chevalier-Boisvert et al. 2019);
* Discrete, MultiDiscrete, MultiBinary: one-hot;
* any other Box: flattened.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

Observation = Mapping[str, Tensor]


@dataclass(frozen=True)
class EncoderConfig:
    """Widths of the encoder."""

    cell_size: int = 16
    """Width of the embedding of one grid cell; BabyAI 1.1 uses 128."""
    channels: int = 16
    """Channels of both convolutions over grid cells; BabyAI 1.1 uses 128."""
    mission_size: int = 32
    """Width of the mission's GRU; BabyAI 1.1 uses 128."""
    feature_size: int = 128
    """Width of the vector that the core receives."""


class FieldEncoder(nn.Module):
    """What every encoder of a field has."""

    output_size: int


class SymbolicGrid(FieldEncoder):
    """Codes of cells -> features.

    One embedding per type, colour and state, summed per cell (the bag of words of BabyAI 1.1,
    Hui et al. 2020), two 3 x 3 convolutions with ReLU, flattened.
    """

    offsets: Tensor

    def __init__(self, shape: tuple[int, ...], config: EncoderConfig) -> None:
        super().__init__()
        width, height, _ = shape
        codes = 11  # types; colours and states are fewer
        self.register_buffer("offsets", torch.arange(3, dtype=torch.int32) * codes, False)
        self.embedding = nn.EmbeddingBag(3 * codes, config.cell_size, mode="sum")
        self.first = nn.Conv2d(config.cell_size, config.channels, 3, padding=1)
        self.second = nn.Conv2d(config.channels, config.channels, 3, stride=2, padding=1)
        self.output_size = config.channels * ((width + 1) // 2) * ((height + 1) // 2)

    def forward(self, image: Tensor) -> Tensor:  # uint8 [B, X, Y, 3] -> [B, output_size]
        """Embed and convolve."""
        batch, width, height, _ = image.shape
        codes = image.reshape(-1, 3).int() + self.offsets  # [B * X * Y, 3]
        cells = self.embedding(codes).view(batch, width, height, -1)
        maps = functional.relu(self.first(cells.permute(0, 3, 1, 2)))
        return functional.relu(self.second(maps)).flatten(1)


class Picture(FieldEncoder):
    """Pixels -> features: the convolutions of Mnih et al. 2015."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        width, height, channels = shape
        self.layers = nn.Sequential(
            nn.Conv2d(channels, 32, 8, 4),
            nn.ReLU(),
            nn.Conv2d(32, 64, 4, 2),
            nn.ReLU(),
            nn.Conv2d(64, 64, 3, 1),
            nn.ReLU(),
            nn.Flatten(),
        )
        with torch.no_grad():
            self.output_size = self.layers(torch.zeros(1, channels, width, height)).shape[1]

    def forward(self, image: Tensor) -> Tensor:  # uint8 [B, X, Y, C] -> [B, output_size]
        """Scale to 0..1 and convolve."""
        features: Tensor = self.layers(image.permute(0, 3, 1, 2).float() / 255)
        return features


class Mission(FieldEncoder):
    """Token ids -> the last state of a GRU; every distinct mission of a batch is read once."""

    def __init__(self, words: int, config: EncoderConfig) -> None:
        super().__init__()
        self.output_size = config.mission_size
        self.embedding = nn.Embedding(words, config.mission_size)
        self.gru = nn.GRU(config.mission_size, config.mission_size, batch_first=True)

    def forward(self, tokens: Tensor) -> Tensor:  # int16 [B, L] -> [B, output_size]
        """Read each distinct mission to its last word."""
        missions, which = torch.unique(tokens, dim=0, return_inverse=True)
        lengths = (missions != 0).sum(1).clamp(min=1)  # [M]
        embedded = self.embedding(missions[:, : int(lengths.max())].int())
        states = self.gru(embedded)[0]  # [M, L, output_size]
        last: Tensor = states[torch.arange(len(missions), device=tokens.device), lengths - 1]
        return last[which]


class Encode(FieldEncoder):
    """A parameterless encoder: one-hot codes or flattened numbers."""

    def __init__(self, output_size: int, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.output_size = output_size
        self.function = function

    def forward(self, values: Tensor) -> Tensor:  # [B, ...] -> [B, output_size]
        """Apply the function."""
        return self.function(values)


def _one_hot(sizes: tuple[int, ...], start: tuple[int, ...]) -> Callable[[Tensor], Tensor]:
    def encode(values: Tensor) -> Tensor:  # int [B] or [B, n] -> [B, sum of sizes]
        columns = values.reshape(len(values), -1).long()
        parts = [functional.one_hot(columns[:, i] - start[i], size) for i, size in enumerate(sizes)]
        return torch.cat(parts, 1).float()

    return encode


def field_encoder(name: str, space: gym.Space[object], config: EncoderConfig) -> FieldEncoder:
    """The encoder of one field.

    Raises:
        ValueError: no encoder exists for the field's space.
    """
    match space:
        case gym.spaces.Discrete():
            return Encode(int(space.n), _one_hot((int(space.n),), (int(space.start),)))
        case gym.spaces.MultiDiscrete() if space.nvec.ndim == 1:
            sizes = tuple(int(n) for n in space.nvec)
            return Encode(sum(sizes), _one_hot(sizes, tuple(int(n) for n in space.start)))
        case gym.spaces.MultiBinary():
            return Encode(int(np.prod(space.shape)), lambda values: values.flatten(1).float())
        case gym.spaces.Box():
            return _box_encoder(name, space, config)
    raise ValueError(
        f"observation field '{name}' has a {type(space).__name__} space; "
        "Box, Discrete, MultiDiscrete and MultiBinary are supported: wrap the environment"
    )


def _box_encoder(name: str, space: gym.spaces.Box, config: EncoderConfig) -> FieldEncoder:
    integer = np.issubdtype(space.dtype, np.integer)
    if name == "mission" and integer and len(space.shape) == 1:
        return Mission(int(space.high.max()) + 1, config)
    if space.dtype == np.uint8 and len(space.shape) == 3:
        if space.shape[2] == 3 and space.high.max() <= 10:
            return SymbolicGrid(space.shape, config)
        if min(space.shape[:2]) >= 36:
            return Picture(space.shape)
    scale = 1 / 255 if space.dtype == np.uint8 and space.high.max() == 255 else 1.0
    size = int(np.prod(space.shape))
    return Encode(size, lambda values: values.reshape(len(values), -1).float() * scale)


class ObservationEncoder(nn.Module):
    """All fields -> `feature_size` numbers: field encoders, concatenated, linear, ReLU.

    Linear and convolutional layers start orthogonal with gain sqrt(2) and without bias (Engstrom et
    al. 2020), so that signals keep their size through the ReLUs.
    """

    def __init__(self, space: gym.spaces.Dict, config: EncoderConfig | None = None) -> None:
        super().__init__()
        config = config or EncoderConfig()
        encoders = {name: field_encoder(name, space[name], config) for name in space.spaces}
        joined = sum(encoder.output_size for encoder in encoders.values())
        self.fields = nn.ModuleDict(encoders)
        self.join = nn.Linear(joined, config.feature_size)
        self.output_size = config.feature_size
        for layer in self.modules():
            if isinstance(layer, nn.Linear | nn.Conv2d):
                nn.init.orthogonal_(layer.weight, math.sqrt(2))
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]  # every layer here has one

    def forward(self, observation: Observation) -> Tensor:  # [B, ...] -> [B, feature_size]
        """Encode a batch of observations."""
        parts = [encoder(observation[name]) for name, encoder in self.fields.items()]
        return functional.relu(self.join(torch.cat(parts, 1)))
