"""Encoder -> core -> policy and value. Knows no learning algorithm and no environment.

With `skip` the heads read the features beside the core's outputs: what is in sight need not pass
through a memory that has yet to learn to let it through.
"""

from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import torch
from torch import Tensor, nn

from s2lab.agents.actions import action_head
from s2lab.agents.cores import make_core
from s2lab.agents.encoders.config import EncoderConfig
from s2lab.agents.encoders.field import Observation
from s2lab.agents.encoders.observation import ObservationEncoder
from s2lab.agents.encoders.repeats import each_once
from s2lab.agents.heads import Heads

State = tuple[Tensor, ...]


class ActorCritic(nn.Module):
    """An agent's whole network; how each part is initialised is said there."""

    def __init__(
        self,
        observation_space: gym.spaces.Dict,
        action_space: gym.Space[Any],
        core: str,
        core_options: Mapping[str, Any] | None = None,
        encoder: EncoderConfig | None = None,
        *,
        skip: bool = False,
    ) -> None:
        super().__init__()
        self.encoder = ObservationEncoder(observation_space, encoder)
        self.core = make_core(core, self.encoder.output_size, core_options)
        self.actions = action_head(action_space)
        if skip and self.core.memoryless:
            raise ValueError(f"skip is for cores with a memory; {core!r} has none to go around")
        self.skip = skip
        beside = self.encoder.output_size if skip else 0
        self.heads = Heads(self.core.output_size + beside, self.actions.head_size)

    def initial_state(self, batch_size: int, device: torch.device | None = None) -> State:
        """The core's state at the start of an episode; tensors [batch_size, ...]."""
        state: State = self.core.initial_state(batch_size, device=device)
        return state

    def forward(
        self, observation: Observation, state: State, reset: Tensor
    ) -> tuple[Tensor, Tensor, State]:
        """Read a sequence of observations.

        Args:
            observation: fields [T, B, ...]
            state: the core's state before the first step, tensors [B, ...]
            reset: bool [T, B]; `reset[t]` clears a row's state before step t

        Returns:
            head: [T, B, head_size], the numbers that `actions` turns into a distribution
            values: [T, B]
            state: after the last step
        """
        time, batch = reset.shape
        flat = {name: field.flatten(0, 1) for name, field in observation.items()}
        names, weight = self.encoder.fields, self.encoder.bias
        if self.core.memoryless:
            numbers, values = each_once(self._react, flat, names, weight)
            return numbers.view(time, batch, -1), values.view(time, batch), state
        (features,) = each_once(lambda shown: (self.encoder(shown),), flat, names, weight)
        features = features.view(time, batch, -1)
        outputs, state = self.core(features, state, reset)
        numbers, values = self.heads(torch.cat([outputs, features], -1) if self.skip else outputs)
        return numbers, values, state

    def _react(self, shown: Observation) -> tuple[Tensor, Tensor]:  # [N, ...] -> [N, A], [N]
        features = self.encoder(shown)[None]
        no_reset = torch.zeros(features.shape[:2], dtype=torch.bool, device=features.device)
        numbers, values = self.heads(self.core(features, (), no_reset)[0])
        return numbers[0], values[0]
