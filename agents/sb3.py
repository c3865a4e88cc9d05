"""Our observation encoder and our cores inside Stable-Baselines3. Knows no training settings.

from sb3_contrib import RecurrentPPO
from s2lab.agents.sb3 import CorePolicy

model = RecurrentPPO(CorePolicy, env, policy_kwargs={"core": "rims"}).learn(100_000)
"""

from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import torch
from sb3_contrib.common.recurrent.policies import RecurrentActorCriticPolicy
from stable_baselines3.common.torch_layers import (
    BaseFeaturesExtractor,
    CombinedExtractor,
    FlattenExtractor,
)
from torch import Tensor, nn

from s2lab.agents.cores import make_core
from s2lab.agents.cores.contract import State
from s2lab.agents.encoders.config import EncoderConfig
from s2lab.agents.encoders.observation import ObservationEncoder


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
    """Undo SB3's preprocessing of one field. SB3 takes no Discrete space that starts above 0.

    Args:
        values: float [B, ...], one-hot where the space is discrete
        space: the field's space
    """
    if isinstance(space, gym.spaces.Discrete):
        return values.reshape(len(values), -1).argmax(1)
    if isinstance(space, gym.spaces.MultiDiscrete):
        parts = torch.split(values, [int(n) for n in space.nvec], dim=1)
        return torch.stack([part.argmax(1) for part in parts], 1)
    return values


class FlatCore(nn.Module):
    """A core whose state is two tensors [1, B, hidden_size], as SB3 carries an LSTM's (h, c).

    The core's state is flattened row by row and cut in two halves, and what is carried is its
    difference from the initial state: SB3's zeros are then the core's own initial state.
    """

    num_layers = 1  # read by RecurrentPPO, with hidden_size, to make its buffers

    def __init__(self, core: str, input_size: int, options: Mapping[str, Any]) -> None:
        super().__init__()
        self.core = make_core(core, input_size, options)
        self.input_size = input_size
        size = sum(part[0].numel() for part in self.core.initial_state(1))
        self.hidden_size = max(1, (size + 1) // 2)

    def unpack(self, halves: tuple[Tensor, ...]) -> State:
        """Two [1, B, hidden_size] -> the core's state, tensors [B, ...]."""
        flat = torch.cat([half[0] for half in halves], dim=1)  # [B, 2 * hidden_size]
        fresh = self.core.initial_state(len(flat), flat.device, flat.dtype)
        sizes = [part[0].numel() for part in fresh]
        pieces = torch.split(flat[:, : sum(sizes)], sizes, dim=1) if sizes else ()
        return tuple(part + piece.view_as(part) for part, piece in zip(fresh, pieces, strict=True))

    def pack(self, state: State, batch: int) -> tuple[Tensor, ...]:
        """The core's state -> two [1, batch, hidden_size]."""
        parameter = next(self.parameters(), torch.zeros(()))
        flat = parameter.new_zeros(batch, 2 * self.hidden_size)
        if state:
            fresh = self.core.initial_state(batch, flat.device, flat.dtype)
            moved = [(part - new).flatten(1) for part, new in zip(state, fresh, strict=True)]
            used = torch.cat(moved, dim=1)
            flat = torch.cat([used, flat[:, used.shape[1] :]], dim=1)
        first, second = flat.unsqueeze(0).chunk(2, dim=2)
        return first.contiguous(), second.contiguous()

    def forward(
        self, features: Tensor, halves: tuple[Tensor, ...], episode_starts: Tensor
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """SB3's padded sequences: features [n_seq * T, I] -> outputs [n_seq * T, O], state."""
        batch = halves[0].shape[1]
        sequence = features.reshape(batch, -1, self.input_size).swapaxes(0, 1)  # [T, B, I]
        reset = episode_starts.reshape(batch, -1).swapaxes(0, 1) > 0.5  # [T, B]
        outputs, state = self.core(sequence, self.unpack(halves), reset)
        return outputs.swapaxes(0, 1).flatten(0, 1), self.pack(state, batch)


class CorePolicy(RecurrentActorCriticPolicy):
    """sb3-contrib's recurrent policy with any of our cores in the place of its LSTMs.

    Args:
        core: a name in `s2lab.agents.cores.CORES`.
        core_options: the core's options.
        kwargs: as for sb3-contrib's policy: `shared_lstm` and `enable_critic_lstm` now speak of
            cores; by default actor and critic each have their own.

    Raises:
        ValueError: unknown core or option.
    """

    # sb3-contrib's annotations say nn.LSTM; it reads input_size, hidden_size and num_layers only.
    lstm_actor: FlatCore  # type: ignore[assignment]
    lstm_critic: FlatCore | None  # type: ignore[assignment]

    def __init__(
        self,
        observation_space: gym.Space[Any],
        action_space: gym.Space[Any],
        lr_schedule: Any,
        core: str = "rims",
        core_options: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        self.core_name = core
        self.core_options = dict(core_options or {})
        if isinstance(observation_space, gym.spaces.Dict):
            kwargs.setdefault("features_extractor_class", CombinedExtractor)
        else:
            kwargs.setdefault("features_extractor_class", FlattenExtractor)
        kwargs["lstm_hidden_size"] = 1  # sb3-contrib's own LSTMs are replaced below
        super().__init__(observation_space, action_space, lr_schedule, **kwargs)
        self.lstm_actor = self.actor_core
        if self.enable_critic_lstm:
            self.lstm_critic = FlatCore(core, self.features_dim, self.core_options)
        elif self.critic is not None:
            self.critic = nn.Linear(self.features_dim, self.lstm_output_dim)
        self.lstm_hidden_state_shape = (1, 1, self.actor_core.hidden_size)
        settings = {"lr": lr_schedule(1)} | self.optimizer_kwargs
        self.optimizer = self.optimizer_class(self.parameters(), **settings)

    def _build_mlp_extractor(self) -> None:
        self.actor_core = FlatCore(self.core_name, self.features_dim, self.core_options)
        self.lstm_output_dim = self.actor_core.core.output_size
        super()._build_mlp_extractor()

    @staticmethod
    def _process_sequence(
        features: Tensor, lstm_states: tuple[Tensor, ...], episode_starts: Tensor, lstm: Any
    ) -> Any:
        return lstm(features, lstm_states, episode_starts)

    def _get_constructor_parameters(self) -> dict[str, Any]:
        return super()._get_constructor_parameters() | {
            "core": self.core_name,
            "core_options": self.core_options,
            "shared_lstm": self.shared_lstm,
            "enable_critic_lstm": self.enable_critic_lstm,
        }
