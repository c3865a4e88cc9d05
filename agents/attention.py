"""The pieces of attention that cores share. Knows no core, no state, no time."""

import torch
from torch import Tensor


def top_k_mask(scores: Tensor, k: int) -> Tensor:
    """True at the k highest scores along the last dimension; of equal scores the lower index wins.

    Args:
        scores: [..., N].
        k: how many to keep; k >= N keeps all.

    Returns:
        bool [..., N] with exactly min(k, N) true entries in each row of finite scores. No gradient.
    """
    rivals, own = (
        scores.detach().unsqueeze(-2),
        scores.detach().unsqueeze(-1),
    )  # [.., 1, N], [.., N, 1]
    index = torch.arange(scores.shape[-1], device=scores.device)  # [N]
    earlier = index.unsqueeze(0) < index.unsqueeze(1)  # [N, N]
    beaten_by = (rivals > own) | ((rivals == own) & earlier)  # [..., N, N]
    return beaten_by.sum(-1) < k


def block_gradient(values: Tensor, pass_through: Tensor) -> Tensor:
    """The same values; gradient flows only where `pass_through` (broadcastable bool) is true."""
    return torch.where(pass_through, values, values.detach())


def attend(
    query: Tensor, key: Tensor, value: Tensor, heads: int, writers: int | None = None
) -> tuple[Tensor, Tensor]:
    """Multi-head scaled dot-product attention (Vaswani et al. 2017, eq. 1).

    Args:
        query: [..., N, D].
        key: [..., M, D].
        value: [..., M, E].
        heads: divides D and E.
        writers: when given, each query attends only to its `writers` best keys by the score summed
            over heads (the hard competition of the shared workspace).

    Returns:
        (output [..., N, E], weights [..., heads, N, M]).
    """
    q, k, v = (x.view(*x.shape[:-1], heads, -1).transpose(-2, -3) for x in (query, key, value))
    scores = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5  # [..., heads, N, M]
    if writers is not None and writers < scores.shape[-1]:
        chosen = top_k_mask(scores.sum(-3), writers).unsqueeze(-3)  # [..., 1, N, M]
        scores = scores.masked_fill(~chosen, float("-inf"))
    weights = torch.softmax(scores, dim=-1)
    return (weights @ v).transpose(-2, -3).flatten(-2), weights
