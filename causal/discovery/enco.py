"""ENCO: edges as probabilities, learned from single-variable interventions. Knows no truth.

Lippe, Cohen & Gavves (2022), "Efficient neural causal discovery without acyclicity constraints",
ICLR. P(i -> j) = sigma(gamma_ij) sigma(theta_ij): is there an edge, and which way does it point?
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from s2lab.causal.data import InterventionalData
from s2lab.causal.discovery.acyclic import strongest_acyclic
from s2lab.causal.discovery.estimator import check_known_targets
from s2lab.causal.discovery.fitted import GraphEstimator
from s2lab.causal.discovery.masked_networks import (
    MaskedNetworks,
    check_categorical,
    draw_rows,
    one_thread,
    open_device,
    sample_graphs,
)
from s2lab.causal.discovery.pace import check_seconds, paced
from s2lab.causal.errors import InputError
from s2lab.causal.graph import CausalGraph

BETAS_GAMMA = (0.9, 0.9)
BETAS_THETA = (0.9, 0.999)
UNTOUCHED_RATE = 0.1
"""Share of theta's learning rate between two variables that are never intervened on."""


class EncoDiscovery(GraphEstimator):
    """Existence and direction of every edge, by gradients of the interventional likelihood.

    Parameters, defaults of the paper's appendix C.1 and its public code: `epochs` times `fit_steps`
    steps of the networks on observations and `graph_steps` of the graph's parameters on
    interventions; `batch_size` rows and `graphs` sampled graphs a step; `hidden` units per network;
    `sparsity`, nats that an edge must gain; learning rates `lr_networks`, `lr_gamma`, `lr_theta`;
    `seed`; `device`, a torch device; `max_seconds`, None for no limit; `show_progress` on stderr.
    Interventions are perfect, their targets known. Without any, directions rest on observations.

    After `fit`: `edge_probabilities_` [V, V] parent to child, `gamma_` and `theta_` [V, V],
    `causal_graph_` (pgmpy DAG) and `adjacency_matrix_`: edges with both factors above one half,
    the weakest of every cycle left out; `interventional_cpdag_`; `steps_`, how many steps ran.
    """

    def __init__(
        self,
        epochs: int = 30,
        fit_steps: int = 1000,
        graph_steps: int = 100,
        batch_size: int = 128,
        graphs: int = 100,
        hidden: int = 64,
        sparsity: float = 0.004,
        lr_networks: float = 5e-3,
        lr_gamma: float = 2e-2,
        lr_theta: float = 1e-1,
        seed: int = 0,
        device: str = "cpu",
        max_seconds: float | None = None,
        show_progress: bool = False,
    ) -> None:
        self.epochs = epochs
        self.fit_steps = fit_steps
        self.graph_steps = graph_steps
        self.batch_size = batch_size
        self.graphs = graphs
        self.hidden = hidden
        self.sparsity = sparsity
        self.lr_networks = lr_networks
        self.lr_gamma = lr_gamma
        self.lr_theta = lr_theta
        self.seed = seed
        self.device = device
        self.max_seconds = max_seconds
        self.show_progress = show_progress

    def fit(self, X: Any, y: Any = None, *, targets: Any = None) -> EncoDiscovery:
        """Learn from categorical rows X [N, V]; `targets` as in `InterventionalData.from_frame`.

        Raises `InputError` on bad options, no observational row, unknown targets, several worlds,
        more than 64 categories, and on what `InterventionalData.from_frame` refuses.
        """
        for name in ("epochs", "fit_steps", "graph_steps", "batch_size", "graphs", "hidden"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; it must be 1 or more")
        check_seconds(self.max_seconds)
        data = InterventionalData.from_frame(X, targets)
        check_known_targets(data, "enco")
        check_categorical(data, "enco")
        device = open_device(self.device)
        with one_thread():
            search = EncoSearch(self, data, device)
            self.steps_ = search.run()
        self.gamma_, self.theta_ = search.gamma.cpu().numpy(), search.theta.cpu().numpy()
        chance = search.probabilities().cpu().numpy().astype(np.float64)  # [V, V]
        np.fill_diagonal(chance, 0.0)
        arrows = strongest_acyclic(chance, (self.gamma_ > 0) & (self.theta_ > 0))
        self.store(CausalGraph(data.variables, arrows), None, data.regimes, chance)
        return self


class EncoSearch:
    """Networks, gamma and theta of one fit, and the steps that move them."""

    def __init__(self, options: EncoDiscovery, data: InterventionalData, device: torch.device):
        self.options, self.device = options, device
        self.random = torch.Generator(device).manual_seed(options.seed)
        self.codes = torch.as_tensor(data.codes.astype(np.int64), device=device)  # [N, V]
        size = self.codes.shape[1]
        regime_of_row = torch.as_tensor(data.regime_of_row, device=device)
        rows = [torch.nonzero(regime_of_row == r).flatten() for r in range(len(data.regimes))]
        targeted = torch.as_tensor(data.targeted, device=device)  # [R, V]
        self.observed = torch.cat([rows[r] for r, t in enumerate(targeted) if not t.any()])
        self.environments = [
            (rows[r], t) for r, t in enumerate(targeted) if t.any() and len(rows[r])
        ] or [(self.observed, targeted.new_zeros(size))]
        self.untouched = ~targeted.any(dim=0)  # [V]
        self.networks = enco_networks(
            torch.as_tensor(data.cardinalities), options.hidden, self.random, device
        )
        weights = self.networks.parameters
        self.fitting = torch.optim.Adam(weights, lr=options.lr_networks, fused=True)
        self.gamma = torch.zeros(size, size, device=device)  # [V, V]
        self.theta = torch.zeros(size, size, device=device)  # [V, V], antisymmetric
        self.gamma_adam = MaskedAdam(self.gamma, options.lr_gamma, BETAS_GAMMA)
        self.theta_adam = MaskedAdam(self.theta, options.lr_theta, BETAS_THETA)
        self.left: list[int] = []  # environments still to come before all are shuffled again

    def probabilities(self) -> Tensor:  # [V, V]
        """P(i -> j), the papers' equation 2."""
        return torch.sigmoid(self.gamma) * torch.sigmoid(self.theta)

    def run(self) -> int:
        """Alternate between the two kinds of steps and return how many were made."""
        options, done = self.options, 0
        period = options.fit_steps + options.graph_steps
        steps = options.epochs * period
        for step in paced(steps, "enco", options.show_progress, options.max_seconds):
            if step % period < options.fit_steps:
                self.fit_networks()
            else:
                self.fit_graph()
            done = step + 1
        return done

    def fit_networks(self) -> None:
        """Distribution fitting: every observed row is predicted under a graph of its own."""
        batch = self.codes[draw_rows(self.observed, self.options.batch_size, self.random)]
        graphs = sample_graphs(self.probabilities(), len(batch), self.random)
        loss = self.networks.loss(batch, graphs)
        self.fitting.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self.fitting.step()

    def fit_graph(self) -> None:
        """Graph fitting: one environment, one batch, many graphs."""
        if not self.left:
            many = len(self.environments)
            shuffled = torch.randperm(many, generator=self.random, device=self.device)
            self.left = shuffled.tolist()
        rows, inside = self.environments[self.left.pop()]
        chosen = torch.randperm(len(rows), generator=self.random, device=self.device)
        batch = self.codes[rows[chosen[: self.options.batch_size]]]
        graphs = sample_graphs(self.probabilities(), self.options.graphs, self.random)
        nll = self.networks.mean_nll(batch, graphs, inside)
        gamma_gradient, theta_gradient = graph_gradients(
            graphs, nll, self.gamma, self.theta, inside, self.untouched, self.options.sparsity
        )
        self.gamma_adam.step(gamma_gradient, torch.ones_like(self.gamma))
        self.theta_adam.step(theta_gradient, theta_rates(inside, self.untouched))


def enco_networks(
    sizes: Tensor, hidden: int, random: torch.Generator, device: torch.device
) -> MaskedNetworks:
    """Networks at the public code's start: normal embeddings scaled by 2 / sqrt(V), He's second."""
    many, most = len(sizes), int(sizes.max())

    def spread(*shape: int) -> Tensor:
        return 2 * torch.rand(*shape, generator=random, device=device) - 1

    embedding = torch.randn(many, many * most, hidden, generator=random, device=device)
    return MaskedNetworks(
        embedding * 2 / many**0.5,
        torch.zeros(many, 1, hidden, device=device),
        spread(many, hidden, most) * (6 / (hidden * most)) ** 0.5,
        torch.zeros(many, 1, most, device=device),
        sizes,
    )


def graph_gradients(
    graphs: Tensor,  # [G, V, V]
    nll: Tensor,  # [G, V]
    gamma: Tensor,  # [V, V]
    theta: Tensor,  # [V, V]
    inside: Tensor,  # [V] bool, what was intervened on
    untouched: Tensor,  # [V] bool, what no environment intervenes on
    sparsity: float,
) -> tuple[Tensor, Tensor]:  # [V, V], [V, V]
    """Return the low-variance gradients of gamma and theta (equations 5 and 6).

    An edge's worth is the child's mean loss over the graphs that have it minus over those that do
    not. Arrows into what was intervened on say nothing; theta moves only on arrows out of it, and
    between two variables that are never intervened on.
    """
    having = graphs.sum(dim=0)  # [V, V]
    lacking = len(graphs) - having
    total = torch.einsum("gij,gj->ij", graphs, nll)
    loss_with = total / having.clamp(min=1)
    loss_without = (nll.sum(dim=0) - total) / lacking.clamp(min=1)
    known = (having > 0) & (lacking > 0) & ~inside[None, :]
    worth = loss_with - loss_without
    edge, direction = torch.sigmoid(gamma), torch.sigmoid(theta)
    gamma_gradient = known * edge * (1 - edge) * direction * (worth + sparsity)
    theta_gradient = known * direction * (1 - direction) * edge * worth
    theta_gradient = theta_gradient * (inside[:, None] | (untouched[:, None] & untouched[None, :]))
    return gamma_gradient, theta_gradient - theta_gradient.T


def theta_rates(inside: Tensor, untouched: Tensor) -> Tensor:  # [V, V]
    """How fast every theta may move: fully where exactly one end was intervened on."""
    crossing = inside[:, None] ^ inside[None, :]
    both = untouched[:, None] & untouched[None, :]
    rates = torch.where(crossing, 1.0, torch.where(both, UNTOUCHED_RATE, 0.0))
    return rates.fill_diagonal_(0.0)


class MaskedAdam:
    """Adam (Kingma & Ba 2015) that leaves alone, moments and all, what a step does not touch."""

    def __init__(self, values: Tensor, lr: float, betas: tuple[float, float]) -> None:
        self.values, self.lr, self.betas = values, lr, betas
        self.count = torch.zeros_like(values)
        self.first = torch.zeros_like(values)
        self.second = torch.zeros_like(values)

    def step(self, gradient: Tensor, rates: Tensor) -> None:
        """Move every value by its rate times Adam's step; a rate of 0 leaves it as it is."""
        one, two = self.betas
        moved = rates > 0
        self.count += moved
        self.first = torch.where(moved, one * self.first + (1 - one) * gradient, self.first)
        self.second = torch.where(moved, two * self.second + (1 - two) * gradient**2, self.second)
        first = self.first / (1 - one**self.count).clamp(min=1e-12)
        second = self.second / (1 - two**self.count).clamp(min=1e-12)
        self.values -= rates * self.lr * first / (second.sqrt() + 1e-8)
