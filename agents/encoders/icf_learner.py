"""Learning controllable features from transitions: one gradient step at a time, resumable.

Knows no files and no world but through `ControllableWorld`.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from s2lab.agents.encoders.icf import ControllableFeatures
from s2lab.agents.encoders.icf_config import ICFConfig
from s2lab.agents.encoders.selectivity import (
    attribute_objective,
    entropy,
    selectivity_objective,
)
from s2lab.agents.encoders.transitions import (
    ControllableWorld,
    Transitions,
    all_transitions,
    transitions,
)

Array = NDArray[Any]
MEAN = 500  # states behind the image that the decoder adds to, at the start


class ICFLearner:
    """The network, its optimiser and its random numbers."""

    def __init__(
        self,
        world: ControllableWorld,
        config: ICFConfig,
        rng: np.random.Generator,
        seed: int,
        device: str = "cpu",
    ) -> None:
        """Draw the initial weights from `seed`."""
        torch.manual_seed(seed)
        self.world, self.config, self.rng = world, config, rng
        self.device = torch.device(device)
        self.model = ControllableFeatures(world.shape, len(world.action_names), config)
        if self.model.base is not None:
            some = world.images(world.sample(np.random.default_rng(seed), MEAN))
            self.model.base.data = torch.from_numpy(some.mean(0))
        self.model.to(self.device)
        self.optimizer = torch.optim.Adam(self.model.parameters(), config.lr, fused=True)
        self.update_count = 0
        self.drawn = config.drawn(len(world.action_names))
        states = world.every()
        whole = states is not None and len(states) <= config.batch and not self.drawn
        self._all = all_transitions(world, states).to(self.device) if whole else None  # type: ignore[arg-type]  # `whole` says that there are states

    @property
    def progress(self) -> float:
        """Share of the updates that are done."""
        return self.update_count / self.config.updates

    def update(self) -> dict[str, Tensor]:
        """One gradient step; returns the terms of the loss."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.lr * min(1.0, 2 * (1 - self.progress))
        loss, terms = self.loss(self.draw() if self._all is None else self._all)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self.optimizer.step()
        self.update_count += 1
        return terms

    def draw(self) -> Transitions:
        """A batch of transitions from states drawn by the world."""
        states = self.world.sample(self.rng, self.config.batch)
        return transitions(self.world, states, self.rng, self.drawn).to(self.device)

    def loss(self, batch: Transitions) -> tuple[Tensor, dict[str, Tensor]]:
        """Reconstruction error less the weighted objective."""
        config, model = self.config, self.model
        images = batch.images
        hidden = model.hidden(images)
        mean = model.code(hidden)
        code, divergence = mean, mean.new_zeros(())
        if model.spread is not None:
            log_variance = model.spread(hidden)
            noise = torch.from_numpy(self.rng.standard_normal(mean.shape, np.float32))
            code = mean + (0.5 * log_variance).exp() * noise.to(self.device)
            divergence = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(1).mean()
        seen = torch.tanh(code)
        missed = (model.decode(seen) - images).square()
        if config.changing:
            missed = missed * self.importance(batch)
        error = 0.5 * missed.sum((1, 2, 3)).mean()
        begin, end = config.reconstruction, config.reconstruction_end
        loss = (begin + (end - begin) * self.progress) * error + config.beta * divergence
        terms = {"reconstruction": error, "divergence": divergence}
        if config.weight:
            objective, policies = self.objective(batch, images, hidden, torch.tanh(mean))
            weight = config.weight
            if config.warm_up:
                weight *= min(1.0, self.update_count / config.warm_up)
            bonus = config.entropy * max(0.0, 1 - 2 * self.progress) * entropy(policies).sum(1)
            gain = config.selectivity * objective + bonus.mean()
            loss = loss - weight * gain
            terms["objective"] = objective
        return loss, {name: term.detach() for name, term in terms.items()}

    def importance(self, batch: Transitions) -> Tensor:
        """Weights [U, C, H, W] of pixels: more where an action changes the image before it."""
        now = batch.images[batch.before]  # [B, C, H, W]
        changes = (batch.images[batch.after] != now[:, None]).any(1)
        weights = torch.ones_like(batch.images)
        weights[batch.before] += self.config.changing * changes
        return weights

    def objective(
        self, batch: Transitions, images: Tensor, hidden: Tensor, features: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The objective and the policies [B, K or M, A] that it was taken under."""
        config = self.config
        before, after = features[batch.before], features[batch.after]  # [B, K], [B, D, K]
        scale = batch.blocked.shape[1] / batch.actions.shape[1] if self.drawn else 1.0
        weights = features.new_full(batch.actions.shape, scale)  # 1 / q of a uniform draw, over D
        if config.objective == "continuous":
            shape = (len(before), config.attributes, config.noise)
            noise = torch.from_numpy(self.rng.standard_normal(shape, np.float32))
            attributes, logits = self.model.draw_attributes(before, noise.to(self.device))
            policies = self.masked(logits, batch.blocked)
            tried = chosen(policies, batch.actions)
            sigma = config.sigma
            return attribute_objective(before, after, attributes, tried, weights, sigma), policies
        if self.progress < config.stateless:
            logits = self.model.stateless_policies(len(before))
        else:
            logits = self.model.policies(images, hidden)[batch.before]
        policies = self.masked(logits, batch.blocked)
        changes, directed = after - before[:, None], config.objective == "directed"
        tried = chosen(policies, batch.actions)
        return selectivity_objective(changes, tried, weights, directed), policies

    def masked(self, logits: Tensor, blocked: Tensor) -> Tensor:
        """Probabilities [B, K, A] of logits, over the actions that change something."""
        if self.config.policies == "uniform":
            logits = torch.zeros_like(logits)
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


def chosen(policies: Tensor, actions: Tensor) -> Tensor:
    """Probabilities [B, K, D] of the actions [B, D] that were tried, of all [B, K, A]."""
    return policies.gather(2, actions[:, None].expand(-1, policies.shape[1], -1))
