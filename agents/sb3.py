"""Our observation encoder inside Stable-Baselines3. Knows no training settings."""

from typing import Any

import gymnasium as gym
import torch
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor

from s2lab.agents.encoders.observation import EncoderConfig, ObservationEncoder


class EncoderExtractor(BaseFeaturesExtractor):
    """`ObservationEncoder` as the features extractor of a MultiInputPolicy.

    SB3 turns observations into floats and one-hot vectors before a features extractor sees them;
    this one turns them back, so that the encoder reads exactly what our own agents read. Use with
    `normalize_images=False`.
    """

    def __init__(
        self, observation_space: gym.spaces.Dict, config: EncoderConfig | None = None
    ) -> None:
        encoder = ObservationEncoder(observation_space, config)
        super().__init__(observation_space, encoder.output_size)
        self.encoder = encoder

    def forward(self, observations: Any) -> Tensor:  # fields [B, ...] -> [B, feature_size]
        """Encode what the environment showed."""
        spaces = self._observation_space
        assert isinstance(spaces, gym.spaces.Dict)
        fields = {name: as_shown(observations[name], spaces[name]) for name in spaces.spaces}
        features: Tensor = self.encoder(fields)
        return features


def as_shown(values: Tensor, space: gym.Space[Any]) -> Tensor:
    """Undo SB3's preprocessing of one field.

    Args:
        values: float [B, ...], one-hot where the space is discrete
        space: the field's space
    """
    if isinstance(space, gym.spaces.Discrete):
        return values.reshape(len(values), -1).argmax(1) + int(space.start)
    if isinstance(space, gym.spaces.MultiDiscrete):
        parts = torch.split(values, [int(n) for n in space.nvec], dim=1)
        return torch.stack([part.argmax(1) for part in parts], 1)
    return values
