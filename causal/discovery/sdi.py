"""SDI: a graph's edges as beliefs, learned from interventions with unknown targets. Knows no truth.

Ke et al. (2019/2020), "Learning neural causal models from unknown interventions", arXiv 1910.01075.
Phase 1 fits networks to observations under sampled graphs, phase 2 guesses an intervention's
target, phase 3 moves the edges' beliefs towards the graphs that predict the intervened rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from s2lab.causal.data import InterventionalData
from s2lab.causal.discovery.acyclic import strongest_acyclic
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
from s2lab.causal.regimes import UNKNOWN

BETAS_GAMMA = (0.1, 0.999)
MOST_GAMMA = 5.0
"""Beliefs stay within sigma(-5) and sigma(5)."""


class SdiDiscovery(GraphEstimator):
    """Beliefs about edges from score-function gradients of the interventional likelihood.

    Parameters, defaults of the paper and its public code but for the first two: `rounds` of
    `fit_steps` observational batches (phase 1) and `interventions` (phases 2 and 3); `batch_size`
    rows; `batches` times `graphs` sampled graphs per intervention, `prediction_batches` times
    `prediction_graphs` to guess its target; `hidden` units per network, None for 4 max(V, K);
    penalties `sparsity` and `acyclicity`; learning rates `lr_networks`, `lr_gamma`; `seed`;
    `device`, a torch device; `max_seconds`, None for no limit; `show_progress` on stderr. The
    public code draws a new world every round and makes 2000 rounds of 10,000 batches; rows are
    given, so rounds go through the given worlds in turn, fewer and shorter ones by default.

    After `fit`: `edge_probabilities_` [V, V] parent to child, `causal_graph_` (pgmpy DAG) and
    `adjacency_matrix_`: beliefs above one half, the weakest of every cycle left out;
    `interventional_cpdag_`; `intervention_targets_`, per unknown label of `targets` the
    variable that was guessed last; `steps_`, how many steps ran.
    """

    def __init__(
        self,
        rounds: int = 100,
        fit_steps: int = 2000,
        interventions: int = 100,
        batch_size: int = 256,
        batches: int = 10,
        graphs: int = 20,
        prediction_batches: int = 100,
        prediction_graphs: int = 10,
        hidden: int | None = None,
        sparsity: float = 0.1,
        acyclicity: float = 0.5,
        lr_networks: float = 5e-2,
        lr_gamma: float = 5e-3,
        seed: int = 0,
        device: str = "cpu",
        max_seconds: float | None = None,
        show_progress: bool = False,
    ) -> None:
        self.rounds = rounds
        self.fit_steps = fit_steps
        self.interventions = interventions
        self.batch_size = batch_size
        self.batches = batches
        self.graphs = graphs
        self.prediction_batches = prediction_batches
        self.prediction_graphs = prediction_graphs
        self.hidden = hidden
        self.sparsity = sparsity
        self.acyclicity = acyclicity
        self.lr_networks = lr_networks
        self.lr_gamma = lr_gamma
        self.seed = seed
        self.device = device
        self.max_seconds = max_seconds
        self.show_progress = show_progress

    def fit(
        self, X: Any, y: Any = None, *, targets: Any = None, worlds: Any = None
    ) -> SdiDiscovery:
        """Learn from categorical rows X [N, V]; `targets` and `worlds` as in
        `InterventionalData.from_frame`.

        An unknown target ("?1") is guessed at every visit, as one variable. Raises `InputError` on
        bad options, a world without observational rows, more than 64 categories, and on what
        `InterventionalData.from_frame` refuses.
        """
        return self.fit_data(InterventionalData.from_frame(X, targets, worlds))

    def fit_data(self, data: InterventionalData) -> SdiDiscovery:
        """Learn from data that is already coded."""
        for name in ("rounds", "fit_steps", "interventions", "batch_size", "batches", "graphs"):
            value = getattr(self, name)
            if not (isinstance(value, (int, np.integer)) and value >= 1):
                raise InputError(f"{name} is {value!r}; it must be a whole number from 1 on")
        check_seconds(self.max_seconds)
        check_categorical(data, "sdi")
        device = open_device(self.device)
        with one_thread():
            search = SdiSearch(self, data, device)
            self.steps_ = search.run()
        chance = torch.sigmoid(search.gamma).cpu().numpy().astype(np.float64)  # [V, V]
        arrows = strongest_acyclic(chance, chance > 0.5)
        self.intervention_targets_ = {
            next(t for t in data.regimes[regime] if t.startswith(UNKNOWN)): (data.variables[guess],)
            for regime, guess in sorted(search.guesses.items())
        }
        regimes = [
            (data.variables[search.guesses[r]],) if r in search.guesses else known_part(regime)
            for r, regime in enumerate(data.regimes)
        ]
        self.store(CausalGraph(data.variables, arrows), None, regimes, chance)
        return self


class SdiSearch:
    """Networks and beliefs of one fit, and the three phases that move them."""

    def __init__(self, options: SdiDiscovery, data: InterventionalData, device: torch.device):
        self.options = options
        self.random = torch.Generator(device).manual_seed(options.seed)
        self.codes = torch.as_tensor(data.codes.astype(np.int64), device=device)  # [N, V]
        size = self.codes.shape[1]
        self.worlds = rows_by_world(data, device)
        self.rows = self.worlds[0]  # of the world that is visited, by regime
        self.targeted = torch.as_tensor(data.targeted, device=device)  # [R, V]
        self.unknown = data.unknown  # [R]
        self.watching = data.regimes.index(())
        sizes = torch.as_tensor(data.cardinalities)
        hidden = options.hidden or 4 * max(size, int(sizes.max()))
        self.networks = sdi_networks(sizes, hidden, self.random, device)
        weights = self.networks.parameters
        self.fitting = torch.optim.Adam(weights, lr=options.lr_networks, fused=True)
        start = 0.2 * torch.rand(size, size, generator=self.random, device=device) - 0.1
        self.gamma = start.fill_diagonal_(-torch.inf)  # [V, V] parent to child
        self.moving = torch.optim.Adam([self.gamma], lr=options.lr_gamma, betas=BETAS_GAMMA)
        self.guesses: dict[int, int] = {}  # regime -> variable

    @property
    def observed(self) -> Tensor:
        """Observational rows of the world that is visited."""
        return self.rows[self.watching]

    @property
    def visited(self) -> list[int]:
        """Its environments."""
        return [regime for regime in self.rows if regime != self.watching]

    def run(self) -> int:
        """Go through the rounds, a world each, and return how many steps were made.

        Without interventions the third phase has only observations to learn from.
        """
        options, done = self.options, 0
        period = options.fit_steps + options.interventions
        for step in paced(
            options.rounds * period, "sdi", options.show_progress, options.max_seconds
        ):
            self.rows = self.worlds[step // period % len(self.worlds)]
            if step % period < options.fit_steps:
                self.fit_networks()
            else:
                self.visit()
            done = step + 1
        return done

    def fit_networks(self) -> None:
        """Phase 1: one observational batch under one sampled graph."""
        batch = self.codes[draw_rows(self.observed, self.options.batch_size, self.random)]
        loss = self.networks.loss(batch, sample_graphs(torch.sigmoid(self.gamma), 1, self.random))
        self.fitting.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self.fitting.step()

    def visit(self) -> None:
        """Phases 2 and 3: one environment, its target guessed where it is unknown."""
        rows, inside = self.observed, self.targeted.new_zeros(len(self.gamma))
        if self.visited:
            at = torch.randint(len(self.visited), (), generator=self.random, device=rows.device)
            regime = self.visited[int(at)]
            rows, inside = self.rows[regime], self.targeted[regime].clone()
            if self.unknown[regime]:
                self.guesses[regime] = self.guess_target(rows)
                inside[self.guesses[regime]] = True
        options, graphs, losses = self.options, [], []
        for _ in range(options.batches):
            batch = self.codes[draw_rows(rows, options.batch_size, self.random)]
            graphs.append(sample_graphs(torch.sigmoid(self.gamma), options.graphs, self.random))
            losses.append(self.networks.mean_nll(batch, graphs[-1], inside))
        likelihood = belief_gradient(torch.stack(graphs), -torch.stack(losses), self.gamma)
        prior = penalty_gradient(self.gamma, options.sparsity, options.acyclicity)
        self.gamma.grad = (likelihood + prior).fill_diagonal_(0.0)
        self.moving.step()
        self.gamma.clamp_(-MOST_GAMMA, MOST_GAMMA).fill_diagonal_(-torch.inf)

    def guess_target(self, rows: Tensor) -> int:
        """Phase 2: the variable whose prediction an environment spoils the most.

        The public code compares the environment's losses alone; then the noisiest variable of a
        fixed world is always blamed, so the loss on observations is taken off here.
        """
        options, worse = self.options, torch.zeros(len(self.gamma), device=rows.device)
        for _ in range(options.prediction_batches):
            graphs = sample_graphs(
                torch.sigmoid(self.gamma), options.prediction_graphs, self.random
            )
            for source, sign in ((rows, 1.0), (self.observed, -1.0)):
                batch = self.codes[draw_rows(source, options.batch_size, self.random)]
                worse += sign * self.networks.mean_nll(batch, graphs).sum(dim=0)
        return int(worse.argmax())


def rows_by_world(data: InterventionalData, device: torch.device) -> list[dict[int, Tensor]]:
    """Of each world, the places of the rows of each of its regimes.

    Raises `InputError` for a world that was never only observed.
    """
    found = []
    for world in np.unique(data.worlds):
        inside = data.worlds == world
        places = {
            int(r): np.flatnonzero(inside & (data.regime_of_row == r))
            for r in np.unique(data.regime_of_row[inside])
        }
        if data.regimes.index(()) not in places:
            raise InputError("'sdi' needs observational rows of every world; one has none")
        found.append({r: torch.as_tensor(rows, device=device) for r, rows in places.items()})
    return found


def known_part(regime: tuple[str, ...]) -> tuple[str, ...]:
    """The targets of a regime that are columns."""
    return tuple(name for name in regime if not name.startswith(UNKNOWN))


def belief_gradient(graphs: Tensor, likelihood: Tensor, gamma: Tensor) -> Tensor:  # [V, V]
    """Return SDI's estimate of the gradient of the negative log-likelihood of the beliefs.

    `graphs` [B, G, V, V] were tried on B batches with mean log-likelihoods [B, G, V]. Batch b
    counts for variable j with weight softmax_b(sum over its graphs); with one graph a batch the
    estimate tends to sigma(gamma) minus the edge's posterior probability (their equation 1).
    """
    weights = likelihood.sum(dim=1).softmax(dim=0)  # [B, V]
    surprise = graphs.shape[1] * torch.sigmoid(gamma) - graphs.sum(dim=1)  # [B, V, V]
    return torch.einsum("bij,bj->ij", surprise, weights)


def penalty_gradient(gamma: Tensor, sparsity: float, acyclicity: float) -> Tensor:  # [V, V]
    """Gradient of sparsity sum_ij s_ij + acyclicity sum_(i<j) (cosh(s_ij s_ji) - 1), s = sigma."""
    belief = torch.sigmoid(gamma)
    pairs = torch.sinh(belief * belief.T) * belief.T
    return (sparsity + acyclicity * pairs) * belief * (1 - belief)


def sdi_networks(
    sizes: Tensor, hidden: int, random: torch.Generator, device: torch.device
) -> MaskedNetworks:
    """Networks at the public code's start: orthogonal weights, biases uniform within 0.1."""
    many, most = len(sizes), int(sizes.max())
    first = torch.empty(many, many * most, hidden, device=device)
    second = torch.empty(many, hidden, most, device=device)
    for network in range(many):
        torch.nn.init.orthogonal_(first[network], generator=random)
        torch.nn.init.orthogonal_(second[network], generator=random)
    biases = [
        0.2 * torch.rand(many, 1, width, generator=random, device=device) - 0.1
        for width in (hidden, most)
    ]
    return MaskedNetworks(first, biases[0], second, biases[1], sizes)
