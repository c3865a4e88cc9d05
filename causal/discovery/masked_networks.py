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
        size = codes.shape[1]
        inputs = one_hot(codes, self.categories).to(first.dtype)  # [B, V, K]
        masked = inputs * graphs.permute(2, 0, 1)[..., None]  # [V, B, V, K] first index the child
        hidden = torch.baddbmm(first_bias, masked.reshape(size, len(codes), -1), first)
        logits = torch.baddbmm(second_bias, leaky_relu(hidden, SLOPE), second) + self.impossible
        return cross_entropy(logits.flatten(0, 1), codes.T.flatten())

    @torch.no_grad()
    def mean_nll(self, codes: Tensor, graphs: Tensor, skip: Tensor | None = None) -> Tensor:
        """Return every variable's negative log-likelihood [G, V] under graphs [G, V, V].

        The mean over the rows [B, V]; variables marked in `skip` [V] get 0. On a CPU a variable's
        repeated parent sets are computed once, variable by variable, to stay inside the cache.
        """
        result = torch.zeros(len(graphs), codes.shape[1], device=codes.device)
        children = [j for j in range(codes.shape[1]) if skip is None or not skip[j]]
        if codes.device.type != "cpu":
            result[:, children] = self._nll(codes, graphs.permute(2, 0, 1), children).T
            return result
        for child in children:
            masks, which = torch.unique(graphs[:, :, child], dim=0, return_inverse=True)
            result[:, child] = self._nll(codes, masks[None], [child])[0][which]
        return result

    def _nll(self, codes: Tensor, masks: Tensor, children: list[int]) -> Tensor:
        """Mean negative log-likelihood [J, G] of J children under parent sets, masks [., G, V]."""
        first, first_bias, second, second_bias = (p[children] for p in self.parameters)
        many, rows, size = len(children), len(codes), codes.shape[1]
        masks = masks if len(masks) == many else masks[children]
        by_input = first.view(many, size, self.categories, -1)  # [J, V, K, H]
        places = torch.arange(size, device=codes.device)[:, None]
        inputs = by_input[:, places, codes.T]  # [J, V, B, H] what every input adds
        hidden = torch.bmm(masks, inputs.flatten(2))  # [J, G, B H]
        hidden = hidden.view(many, -1, first.shape[2]).add_(first_bias)  # [J, G B, H]
        leaky_relu(hidden, SLOPE, inplace=True)
        logits = torch.baddbmm(second_bias + self.impossible[children], hidden, second)
        logs = log_softmax(logits, 2).view(many, -1, rows, self.categories)  # [J, G, B, K]
        answers = codes.T[children][:, None, :, None].expand(-1, logs.shape[1], -1, -1)
        return -logs.gather(3, answers).mean(dim=(2, 3))


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
