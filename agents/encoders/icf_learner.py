"""Learning controllable features from transitions: one gradient step at a time, resumable.

Knows no files. A transition batch is states and what each action makes of them; equal states are
encoded once, which for the single square is all 121 of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from s2lab.agents.encoders.icf import ControllableFeatures
from s2lab.agents.encoders.icf_config import ICFConfig
from s2lab.agents.encoders.selectivity import (
    action_information,
    attribute_objective,
    entropy,
    selectivity_objective,
)
from s2lab.envs.squares import Squares

Array = NDArray[Any]


@dataclass(frozen=True)
class Transitions:
    """States and their successors, as images that each occur once."""

    images: Tensor
    """[U, C, H, W], different states."""
    before: Tensor
    """int64 [B], rows of `images`."""
    after: Tensor
    """int64 [B, A], rows of `images` after each action."""
    blocked: Tensor
    """bool [B, A], actions that change nothing."""


def transitions(world: Squares, states: Array, rng: np.random.Generator) -> Transitions:
    """What every action makes of `states`, [B, F]."""
    following = world.successors(states, rng)  # [B, A, F]
    together = np.concatenate([states, following.reshape(-1, states.shape[1])])
    different, place = np.unique(together, axis=0, return_inverse=True)
    rows = torch.from_numpy(place.reshape(-1))
    return Transitions(
        torch.from_numpy(world.images(different)),
        rows[: len(states)],
        rows[len(states) :].view(len(states), -1),
        torch.from_numpy(world.blocked(states)),
    )


class ICFLearner:
    """The network, its optimiser and its random numbers."""

    def __init__(
        self,
        world: Squares,
        config: ICFConfig,
        rng: np.random.Generator,
        seed: int,
        device: str = "cpu",
    ) -> None:
        """Draw the initial weights from `seed`."""
        torch.manual_seed(seed)
        self.world, self.config, self.rng = world, config, rng
        self.device = torch.device(device)
        shape = (1, world.size, world.size)
        self.model = ControllableFeatures(shape, len(world.action_names), config).to(self.device)
        self.optimizer = torch.optim.Adam(self.model.parameters(), config.lr)
        self.update_count = 0
        places = world.places ** (2 * (world.squares + world.distractors)) * (1 + world.toggle)
        self._all = world.every() if places <= config.batch else None

    def update(self) -> dict[str, float]:
        """One gradient step; returns the terms of the loss."""
        done = self.update_count / self.config.updates
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.lr * min(1.0, 2 * (1 - done))
        states = self._all if self._all is not None else self.world.sample(
            self.rng, self.config.batch
        )  # fmt: skip
        loss, terms = self.loss(transitions(self.world, states, self.rng))
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self.optimizer.step()
        self.update_count += 1
        return terms

    def loss(self, batch: Transitions) -> tuple[Tensor, dict[str, float]]:
        """Reconstruction error less the weighted objective."""
        config, model = self.config, self.model
        images = batch.images.to(self.device)
        hidden = model.hidden(images)
        mean = model.code(hidden)
        code, divergence = mean, mean.new_zeros(())
        if model.spread is not None:
            log_variance = model.spread(hidden)
            noise = torch.from_numpy(self.rng.standard_normal(mean.shape, np.float32))
            code = mean + (0.5 * log_variance).exp() * noise.to(self.device)
            divergence = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(1).mean()
        seen = torch.tanh(code)
        error = 0.5 * (model.decode(seen) - images).square().sum((1, 2, 3)).mean()
        loss = error + config.beta * divergence
        terms = {"reconstruction": error, "divergence": divergence}
        if config.weight:
            features = torch.tanh(mean)
            objective, policies = self.objective(batch, images, hidden, features)
            weight = config.weight
            if config.warm_up:
                weight *= min(1.0, self.update_count / config.warm_up)
            told = action_information(policies)
            if config.objective == "continuous":  # an attribute has no name to keep
                told = torch.zeros_like(told)
            spread = entropy(policies).sum(1).mean()
            left = max(0.0, 1 - 2 * self.update_count / config.updates)
            bonus = config.diversity * told + config.entropy * left * spread
            loss = loss - weight * (objective + bonus)
            terms |= {"objective": objective, "action_information": told}
        return loss, {name: float(term.detach()) for name, term in terms.items()}

    def objective(
        self, batch: Transitions, images: Tensor, hidden: Tensor, features: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The objective and the policies [B, K or M, A] that it was taken under."""
        config = self.config
        before, after = features[batch.before], features[batch.after]  # [B, K], [B, A, K]
        blocked = batch.blocked.to(self.device)
        weights = torch.ones_like(blocked, dtype=features.dtype)
        if config.objective == "continuous":
            shape = (len(before), config.attributes, config.noise)
            noise = torch.from_numpy(self.rng.standard_normal(shape, np.float32))
            attributes, logits = self.model.draw_attributes(before, noise.to(self.device))
            policies = self.masked(logits, blocked)
            gain = attribute_objective(before, after, attributes, policies, weights, config.sigma)
            return gain, policies
        logits = self.model.policies(images, hidden)[batch.before]
        policies = self.masked(logits, blocked)
        directed = config.objective == "directed"
        return (
            selectivity_objective(after - before[:, None], policies, weights, directed),
            policies,
        )

    def masked(self, logits: Tensor, blocked: Tensor) -> Tensor:
        """Probabilities [B, K, A] of logits, over the actions that change something."""
        if self.config.mask_blocked:
            logits = logits.masked_fill(blocked[:, None], -1e9)
        return logits.softmax(-1)

    @torch.no_grad()
    def codes(self, states: Array) -> tuple[Array, Array]:
        """Features [N, K] and, unless attributes are drawn, policies [N, K, A] of states."""
        images = torch.from_numpy(self.world.images(states)).to(self.device)
        features = self.model.features(images).cpu().numpy()
        if self.config.objective == "continuous":
            return features, np.zeros((len(states), 0, self.model.actions), np.float32)
        blocked = torch.from_numpy(self.world.blocked(states)).to(self.device)
        return features, self.masked(self.model.policies(images), blocked).cpu().numpy()

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next update depends on but the weights."""
        return {
            "optimizer": self.optimizer.state_dict(),
            "update": self.update_count,
            "rng": self.rng.bit_generator.state,
        }

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Go on exactly there."""
        self.optimizer.load_state_dict(dict(saved["optimizer"]))
        self.update_count = int(saved["update"])
        self.rng.bit_generator.state = saved["rng"]
