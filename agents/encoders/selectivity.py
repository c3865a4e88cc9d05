"""Objectives of independently controllable features: how much of a change is one feature's own.

`changes` are f(s') - f(s) for A actions and K features, [B, A, K]. Knows no network and no world.
"""

import math

import torch
from torch import Tensor

TINY = 1e-6  # keeps 0 / 0 at 0


def selectivity(changes: Tensor, directed: bool) -> Tensor:
    """How much of all change is feature k's: |d_k| / sum |d|, or d_k / sum |d|; [B, A, K].

    Thomas et al. 2017 (arXiv 1703.07718), section 3.
    """
    part = changes if directed else changes.abs()
    return part / (changes.abs().sum(-1, keepdim=True) + TINY)


def selectivity_objective(
    changes: Tensor, probabilities: Tensor, weights: Tensor, directed: bool
) -> Tensor:
    """sum_k E_a~pi_k log sel(s, a, k), averaged over states; directed, log(1 + sel).

    Args:
        changes: [B, A, K]
        probabilities: pi_k(a | s) of the same actions, [B, K, A]
        weights: [B, A], 1 for each action of an exact expectation; 1 / q(a) for one drawn from q;
            0 where an action is left out
        directed: whether the sign of a change counts
    """
    share = selectivity(changes, directed)
    gain = torch.log1p(share * (1 - TINY)) if directed else torch.log(share + 1e-3)
    expected = probabilities * gain.transpose(1, 2) * weights[:, None]  # [B, K, A]
    return expected.sum((1, 2)).mean()


def attribute_objective(
    before: Tensor,
    after: Tensor,
    attributes: Tensor,
    probabilities: Tensor,
    weights: Tensor,
    sigma: float,
) -> Tensor:
    """E log[ A(h', h, phi) / E_phi' A(h', h, phi') ] with A = exp(-|h' - (h + phi)|^2 / 2 sigma^2).

    Thomas et al. 2018 (arXiv 1708.01289), equation 2; the inner expectation is over the attributes
    that were drawn for the same state.

    Args:
        before: h, [B, K]
        after: h' after each action, [B, A, K]
        attributes: phi, [B, M, K]
        probabilities: pi(a | h, phi), [B, M, A]
        weights: [B, A], as in `selectivity_objective`
        sigma: width of the Gaussian
    """
    aim = before[:, None] + attributes  # [B, M, K]
    missed = (after[:, :, None] - aim[:, None]).square().sum(-1)  # [B, A, M]
    closeness = -missed / (2 * sigma**2)
    usual = closeness.logsumexp(-1, keepdim=True) - math.log(attributes.shape[1])
    gain = (closeness - usual).transpose(1, 2)  # [B, M, A]
    return (probabilities * gain * weights[:, None]).sum(-1).mean()


def entropy(probabilities: Tensor) -> Tensor:
    """Of distributions along the last axis, nats."""
    return -(probabilities * (probabilities + 1e-9).log()).sum(-1)
