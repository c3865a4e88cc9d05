"""PPO's loss of a batch of steps (Schulman et al. 2017, equation 9). Knows no network.

    loss = policy_gradient_loss + value_coef * value_loss + entropy_coef * entropy_loss

For a categorical policy on the CPU it is one autograd node; `plain_loss` says the same in torch.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from s2lab.agents.actions import ActionHead, CategoricalHead
from s2lab.agents.cores.contract import use_fused
from s2lab.agents.cores.fused.elementary import exponential, kernel
from s2lab.agents.rollout import Sequences

TERMS = (
    "loss", "policy_gradient_loss", "value_loss", "entropy_loss", "approx_kl", "clip_fraction",
)  # fmt: skip


@dataclass(frozen=True)
class LossWeights:
    """What the terms weigh."""

    clip: float
    """How far the probability ratio and the value may move."""
    value_coef: float
    """Weight of the value loss."""
    entropy_coef: float
    """Weight of the entropy bonus."""


def ppo_loss(
    head: ActionHead, numbers: Tensor, values: Tensor, batch: Sequences, weights: LossWeights
) -> tuple[Tensor, Tensor]:
    """The loss, and the terms named in TERMS.

    Args:
        head: the distribution of the policy's numbers
        numbers: [U, n, A], of the policy that learns
        values: [U, n]
        batch: what the policy that acted did and got
        weights: of the terms

    Returns:
        loss: scalar, to be differentiated
        terms: [6], means over the batch, without gradient
    """
    if not (isinstance(head, CategoricalHead) and use_fused("auto", numbers)):
        return plain_loss(head, numbers, values, batch, weights)
    loss, terms = _CategoricalLoss.apply(numbers, values, batch, weights)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return loss, terms


def plain_loss(
    head: ActionHead, numbers: Tensor, values: Tensor, batch: Sequences, weights: LossWeights
) -> tuple[Tensor, Tensor]:
    """`ppo_loss` by torch alone."""
    log_probs, entropies = head.log_prob_and_entropy(numbers, batch.actions)
    log_ratio = log_probs - batch.log_probs  # [U, n]
    ratio = log_ratio.exp()
    clipped = ratio.clamp(1 - weights.clip, 1 + weights.clip)
    policy_loss = -torch.min(ratio * batch.advantages, clipped * batch.advantages).mean()
    value_loss = clipped_value_loss(values, batch.values, batch.returns, weights.clip)
    entropy = entropies.mean()
    loss = policy_loss + weights.value_coef * value_loss - weights.entropy_coef * entropy
    with torch.no_grad():
        kl = ((ratio - 1) - log_ratio).mean()
        fraction = ((ratio - 1).abs() > weights.clip).to(ratio.dtype).mean()
        terms = torch.stack([loss, policy_loss, value_loss, -entropy, kl, fraction])
    return loss, terms


def clipped_value_loss(values: Tensor, old: Tensor, returns: Tensor, clip: float) -> Tensor:
    """Half the mean squared error; a move of more than `clip` from the old value earns nothing."""
    moved = old + (values - old).clamp(-clip, clip)
    return 0.5 * torch.max((values - returns) ** 2, (moved - returns) ** 2).mean()


class _CategoricalLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, numbers: Tensor, values: Tensor, batch: Sequences, weights: LossWeights
    ) -> tuple[Tensor, Tensor]:
        d_numbers, d_values = torch.empty_like(numbers), torch.empty_like(values)
        terms = np.zeros(len(TERMS))
        old = (batch.actions, batch.log_probs, batch.advantages, batch.values, batch.returns)
        parts = (numbers.detach(), values.detach(), *old, d_numbers, d_values)
        bounds = np.array([weights.clip, weights.value_coef, weights.entropy_coef])
        arrays: list[Any] = [*(part.numpy() for part in parts), bounds, terms]
        categorical_loss(*arrays)
        ctx.slopes = d_numbers, d_values
        kept = torch.from_numpy(terms).to(numbers.dtype)
        ctx.mark_non_differentiable(kept)
        return kept[0].clone(), kept

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, slope: Tensor, _: Tensor) -> Any:
        return *(part * slope for part in ctx.slopes), None, None


@kernel
def categorical_loss(
    numbers: Any, values: Any, actions: Any, old_log_probs: Any, advantages: Any, old_values: Any,
    returns: Any, d_numbers: Any, d_values: Any, bounds: Any, terms: Any,
) -> None:  # fmt: skip
    """Slopes of the loss are written, the terms added up in double precision.

    numbers and d_numbers [U, n, A]; bounds float64 [3] are the fields of LossWeights; terms
    float64 [6], zeros; everything else [U, n].
    """
    clip, value_coef, entropy_coef = bounds[0], bounds[1], bounds[2]
    steps, rows, choices = numbers.shape
    share = 1.0 / (steps * rows)
    for t in range(steps):
        for n in range(rows):
            most = numbers[t, n, 0]
            for a in range(1, choices):
                most = max(most, numbers[t, n, a])
            total = 0.0
            for a in range(choices):
                d_numbers[t, n, a] = exponential(numbers[t, n, a] - most)
                total += d_numbers[t, n, a]
            log_total = np.log(total) + most
            entropy = 0.0
            for a in range(choices):
                d_numbers[t, n, a] /= total  # the probability, for now
                entropy -= d_numbers[t, n, a] * (numbers[t, n, a] - log_total)
            action, gain = actions[t, n], advantages[t, n]
            log_ratio = numbers[t, n, action] - log_total - old_log_probs[t, n]
            ratio = np.exp(log_ratio)
            bounded = ratio
            if ratio < 1 - clip:
                bounded = 1 - clip
            elif ratio > 1 + clip:
                bounded = 1 + clip
            d_log_prob = 0.0
            objective = bounded * gain
            if not ratio * gain > objective:  # no number counts as the smaller one
                objective = ratio * gain
                d_log_prob = -share * objective
            for a in range(choices):
                probability = d_numbers[t, n, a]
                bonus = probability * (numbers[t, n, a] - log_total + entropy)
                d_numbers[t, n, a] = entropy_coef * share * bonus - d_log_prob * probability
            d_numbers[t, n, action] += d_log_prob
            error = values[t, n] - returns[t, n]
            moved = values[t, n] - old_values[t, n]
            square = error * error
            d_values[t, n] = value_coef * share * error
            if abs(moved) > clip:
                bound = clip if moved > 0 else -clip
                other = old_values[t, n] + bound - returns[t, n]
                if other * other > square:
                    square = other * other
                    d_values[t, n] = 0.0
            terms[1] -= share * objective
            terms[2] += 0.5 * share * square
            terms[3] -= share * entropy
            terms[4] += share * (ratio - 1 - log_ratio)
            terms[5] += share * (abs(ratio - 1) > clip)
    terms[0] = terms[1] + value_coef * terms[2] + entropy_coef * terms[3]
