"""One small network per variable that predicts it from any set of others. Knows no graph search.

All V networks are batched matrix products. A graph [V, V] (parent to child) masks their inputs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, leaky_relu, log_softmax, one_hot

from s2lab.causal.data import InterventionalData
from s2lab.causal.errors import InputError

SLOPE = 0.1
"""Of the leaky rectifier in both papers (SDI section 4, ENCO appendix C)."""
IMPOSSIBLE = -1e9
"""Logit of a category that a variable does not have."""
MAX_CATEGORIES = 64


class MaskedNetworks:
    """V networks: categories of the unmasked variables -> hidden -> categories of their own.

    `first` [V, V K, H] and `second` [V, H, K] hold the weights of all of them, index 0 the network.
    Rows are the last axis of every product: it is the long one, and all but the sums run along it.
    """

    def __init__(
        self, first: Tensor, first_bias: Tensor, second: Tensor, second_bias: Tensor, sizes: Tensor
    ) -> None:
        device = first.device
        self.categories = second.shape[2]
        self.parameters = [
            tensor.requires_grad_() for tensor in (first, first_bias, second, second_bias)
        ]
        exists = torch.arange(self.categories, device=device) < sizes.to(device)[:, None]  # [V, K]
        self.impossible = torch.where(exists, 0.0, IMPOSSIBLE)[:, None]  # [V, 1, K]

    def loss(self, codes: Tensor, graphs: Tensor) -> Tensor:
        """Mean cross-entropy of rows [B, V], each under its own graph [B or 1, V, V]."""
        first, first_bias, second, second_bias = self.parameters
        rows = rows_last(codes, self.categories, first.dtype)  # [V, K, B]
        parents = graphs.permute(2, 1, 0)[:, :, None]  # [V, V, 1, B or 1] first index the child
        if len(graphs) == 1:  # then it is cheaper to mask weights than rows
            first = first * parents.flatten(2).repeat_interleave(self.categories, dim=1)
            inputs = rows.flatten(0, 1).expand(len(rows), -1, -1)
        else:
            inputs = (rows * parents).flatten(1, 2)  # [V, V K, B]
        hidden = torch.baddbmm(first_bias.mT, first.mT, inputs)  # [V, H, B]
        logits = torch.baddbmm(second_bias.mT, second.mT, leaky_relu(hidden, SLOPE))
        return cross_entropy(logits + self.impossible.mT, codes.T)

    @torch.no_grad()
    def mean_nll(self, codes: Tensor, graphs: Tensor, skip: Tensor | None = None) -> Tensor:
        """Return every variable's negative log-likelihood [G, V] under graphs [G, V, V].

        The mean over the rows [B, V]; variables marked in `skip` [V] get 0. On a CPU a variable's
        repeated parent sets are computed once, variable by variable, to stay inside the cache.
        """
        result = torch.zeros(len(graphs), codes.shape[1], device=codes.device)
        rows = rows_last(codes, self.categories, graphs.dtype)
        if codes.device.type != "cpu":
            result[:] = self._nll(rows, graphs.permute(2, 0, 1), 0).T
            return result if skip is None else result * ~skip
        for child in range(codes.shape[1]):
            if skip is None or not skip[child]:
                masks, which = torch.unique(graphs[:, :, child], dim=0, return_inverse=True)
                result[:, child] = self._nll(rows, masks[None], child)[0][which]
        return result

    def _nll(self, rows: Tensor, masks: Tensor, start: int) -> Tensor:
        """Mean negative log-likelihood [J, G] of variables `start` on, masks [J, G, V] of parents.

        Rows [V, K, B], one-hot. A child is no parent of its own; its place holds the bias.
        """
        many, (size, categories, count) = len(masks), rows.shape
        chosen = slice(start, start + many)
        first, first_bias, second, second_bias = (p[chosen] for p in self.parameters)
        tables = first.view(many, size, categories, -1).mT  # [J, V, H, K]
        inputs = tables @ rows  # [J, V, H, B] what every input adds
        inputs.diagonal(start).copy_(first_bias.permute(2, 1, 0))
        masks = masks.clone()
        masks.diagonal(start, 0, 2).fill_(1.0)
        hidden = torch.bmm(masks, inputs.flatten(2)).view(many, -1, *inputs.shape[2:])
        leaky_relu(hidden, SLOPE, inplace=True)  # [J, G, H, B]
        constant = (second_bias + self.impossible[chosen]).mT  # [J, K, 1]
        logits = (second.mT[:, None] @ hidden).add_(constant[:, None])
        logs = log_softmax(logits, 2).flatten(2)  # [J, G, K B]
        return -torch.bmm(logs, rows[chosen].flatten(1)[..., None])[..., 0] / count


def rows_last(codes: Tensor, categories: int, dtype: torch.dtype) -> Tensor:
    """One-hot rows [V, K, B] of codes [B, V]."""
    return one_hot(codes.T, categories).to(dtype).mT.contiguous()


def sample_graphs(probabilities: Tensor, many: int, generator: torch.Generator) -> Tensor:
    """Draw graphs [many, V, V] whose edges are independent; nothing is its own parent."""
    apart = 1 - torch.eye(len(probabilities), device=probabilities.device)
    return torch.bernoulli((probabilities * apart).expand(many, -1, -1), generator=generator)


def draw_rows(rows: Tensor, many: int, generator: torch.Generator) -> Tensor:
    """Draw row numbers with replacement."""
    return rows[torch.randint(len(rows), (many,), generator=generator, device=rows.device)]


def check_categorical(data: InterventionalData, method: str) -> None:
    """Refuse what the networks cannot be fitted to."""
    for name, size in zip(data.variables, data.cardinalities, strict=True):
        if size > MAX_CATEGORIES:
            raise InputError(
                f"column {name!r} has {size} categories, at most {MAX_CATEGORIES} are taken; "
                "bin real numbers first"
            )
    if () not in data.regimes or not len(data.observational.codes):
        raise InputError(f"{method!r} fits its networks to observational rows; there are none")


def open_device(device: str) -> torch.device:
    """Return a torch device; one that is not there is refused."""
    try:
        chosen = torch.device(device)
        torch.zeros(1, device=chosen)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"device {device!r} cannot be used ({reason}); try 'cpu'") from None
    return chosen


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one CPU thread: these products are too small to share."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
