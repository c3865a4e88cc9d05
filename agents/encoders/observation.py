"""Observations of any `Dict` space -> one feature vector. Knows no time and no actions.

One small encoder per field, chosen by the field's space; their outputs are concatenated.

* a symbolic grid, uint8 [X, Y, 3] with codes up to 10: a table over cells and codes, or embeddings
  and convolutions, with the mission inside them or not, or controllable features
  (`EncoderConfig.grid`);
* a picture, uint8 [X, Y, C] of at least 36 x 36: the three convolutions of Mnih et al. 2015;
* `mission`, token ids int16 [L]: word embedding and a GRU;
* Discrete: a row of a table; MultiDiscrete, MultiBinary: one-hot;
* any other Box: flattened.
"""

import math
from collections.abc import Callable

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from s2lab.agents.encoders.cell_table import CellTable
from s2lab.agents.encoders.config import EncoderConfig
from s2lab.agents.encoders.field import FieldEncoder, Observation, SummedEncoder
from s2lab.agents.encoders.icf_grid import ControllableGrid
from s2lab.agents.encoders.mission import Mission, SummedMission
from s2lab.agents.encoders.symbolic_grid import FilmGrid, SymbolicGrid


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


class Encode(FieldEncoder):
    """A parameterless encoder: one-hot codes or flattened numbers."""

    def __init__(self, output_size: int, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.output_size = output_size
        self.function = function

    def forward(self, values: Tensor) -> Tensor:  # [B, ...] -> [B, output_size]
        """Apply the function."""
        return self.function(values)


class Row(SummedEncoder):
    """A whole number -> a row of a table, which is a linear layer of its one-hot code."""

    def __init__(self, space: gym.spaces.Discrete, feature_size: int) -> None:
        super().__init__()
        self.output_size, self.start = feature_size, int(space.start)
        self.weight = nn.Parameter(torch.empty(int(space.n), feature_size))
        nn.init.normal_(self.weight, std=math.sqrt(2 / feature_size))

    def forward(self, values: Tensor) -> Tensor:  # int [B, ...] -> [B, feature_size]
        """Look up."""
        numbers = values.reshape(-1).long()
        return self.weight.index_select(0, numbers - self.start if self.start else numbers)


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
            return Row(space, config.feature_size)
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
        words = int(space.high.max()) + 1
        return (Mission if config.grid == "film" else SummedMission)(words, config)
    if space.dtype == np.uint8 and len(space.shape) == 3:
        if space.shape[2] == 3 and space.high.max() <= 10:
            return _grid_encoder(space.shape, config)
        if min(space.shape[:2]) >= 36:
            return Picture(space.shape)
    scale = 1 / 255 if space.dtype == np.uint8 and space.high.max() == 255 else 1.0
    size = int(np.prod(space.shape))
    return Encode(size, lambda values: values.reshape(len(values), -1).float() * scale)


def _grid_encoder(shape: tuple[int, ...], config: EncoderConfig) -> FieldEncoder:
    if config.grid == "table":
        return CellTable(shape, config.feature_size, bare_floor=config.bare_floor)
    if config.grid == "film":
        return FilmGrid(config)
    if config.icf is not None:
        return ControllableGrid(shape, config.icf, config.icf_frozen)
    return SymbolicGrid(shape, config)


class ObservationEncoder(nn.Module):
    """All fields -> `feature_size` numbers: field encoders, concatenated, linear, ReLU.

    A `SummedEncoder`'s output is added before the ReLU; with `film`, the mission enters through the
    grid alone. Linear and convolutional layers start orthogonal with gain sqrt(2) and without bias
    (Engstrom et al. 2020), so that signals keep their size through the ReLUs.

    Raises:
        ValueError: a field without an encoder; `film` without a mission.
    """

    def __init__(self, space: gym.spaces.Dict, config: EncoderConfig | None = None) -> None:
        super().__init__()
        config = config or EncoderConfig()
        read = [name for name in space.spaces if name != "mission" or not config.without_mission]
        encoders = {name: field_encoder(name, space[name], config) for name in read}
        self.films = any(isinstance(encoder, FilmGrid) for encoder in encoders.values())
        if self.films and not isinstance(encoders.get("mission"), Mission):
            raise ValueError(
                "encoder setting grid=film needs a mission; give table or convolutions"
            )
        joined = sum(
            encoder.output_size
            for encoder in encoders.values()
            if not isinstance(encoder, SummedEncoder) and not self._absorbed(encoder)
        )
        self.fields = nn.ModuleDict(encoders)
        self.join = nn.Linear(joined, config.feature_size, bias=False) if joined else None
        self.bias = nn.Parameter(torch.zeros(config.feature_size))
        self.output_size = config.feature_size
        for layer in self.modules():
            if isinstance(layer, nn.Linear | nn.Conv2d):
                nn.init.orthogonal_(layer.weight, math.sqrt(2))
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def _absorbed(self, encoder: nn.Module) -> bool:
        return self.films and isinstance(encoder, Mission)

    def forward(self, observation: Observation) -> Tensor:  # [B, ...] -> [B, feature_size]
        """Encode a batch of observations."""
        mission = self.fields["mission"](observation["mission"]) if self.films else None
        parts, summed = list[Tensor](), list[Tensor]()
        for name, encoder in self.fields.items():
            if isinstance(encoder, FilmGrid):
                parts.append(encoder(observation[name], mission))
            elif isinstance(encoder, SummedEncoder):
                summed.append(encoder(observation[name]))
            elif not self._absorbed(encoder):
                parts.append(encoder(observation[name]))
        features: Tensor = self.bias  # [F] or [1, F] while the same for all rows
        if self.join is not None:
            features = functional.linear(torch.cat(parts, 1), self.join.weight, self.bias)
        for part in sorted(summed, key=len):
            features = features + part
        rows = len(next(iter(observation.values())))
        return functional.relu(features).expand(rows, -1)
