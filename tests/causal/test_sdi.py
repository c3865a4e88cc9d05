"""SDI's estimates against enumeration of all graphs, and its three phases on small worlds."""

from typing import Any

import numpy as np
import pandas
import pytest
import torch

from s2lab.causal.data import InterventionalData
from s2lab.causal.discovery.masked_networks import sample_graphs
from s2lab.causal.discovery.sdi import (
    SdiDiscovery,
    SdiSearch,
    belief_gradient,
    penalty_gradient,
    sdi_networks,
)
from s2lab.causal.errors import InputError
from s2lab.causal.families import make_family
from s2lab.causal.scm import StructuralCausalModel, simulate

from .test_enco import all_masks


@pytest.mark.parametrize("size", [2, 3])
def test_with_one_graph_a_batch_the_gradient_is_prior_minus_posterior(size: int) -> None:
    """Ke et al. (2020), equation 1, with the posterior of every edge summed over all graphs."""
    random = torch.Generator().manual_seed(size)
    masks = all_masks(size)
    table = torch.randn(size, 2**size, generator=random)  # [V, 2^V] log-likelihood per parent set
    gamma = torch.randn(size, size, generator=random).fill_diagonal_(-torch.inf)
    belief = torch.sigmoid(gamma)
    apart = ~torch.eye(size, dtype=torch.bool)
    prior = torch.where(masks > 0, belief, 1 - belief)[:, apart].prod(dim=1)  # [G]

    def likelihoods(graphs: torch.Tensor) -> torch.Tensor:  # [G, V]
        sets = (graphs.transpose(1, 2) * 2 ** torch.arange(size)).sum(2).long()
        return torch.stack([table[j][sets[:, j]] for j in range(size)], dim=1)

    weight = prior[:, None] * likelihoods(masks).exp()  # [G, V]
    posterior = torch.einsum("gj,gij->ij", weight / weight.sum(dim=0), masks)
    graphs = sample_graphs(belief, 300_000, random)
    found = belief_gradient(graphs[:, None], likelihoods(graphs)[:, None], gamma)
    assert torch.allclose(found[apart], (belief - posterior)[apart], atol=6e-3)


def test_the_penalties_gradient_is_autograds() -> None:
    gamma = torch.randn(4, 4, generator=torch.Generator().manual_seed(0)).double().requires_grad_()
    belief = torch.sigmoid(gamma)
    cycles = torch.triu(torch.cosh(belief * belief.T) - 1, 1).sum()
    inside = 0.3 * belief.sum() + 0.7 * cycles
    exact = torch.autograd.grad(inside, gamma)[0]
    found = penalty_gradient(gamma.detach(), 0.3, 0.7)
    apart = ~torch.eye(4, dtype=torch.bool)
    assert torch.allclose(found[apart], exact[apart], atol=1e-12)


def test_networks_start_orthogonal_with_small_biases() -> None:
    random = torch.Generator().manual_seed(0)
    networks = sdi_networks(torch.tensor([2, 3]), 12, random, torch.device("cpu"))
    first, bias_1, second, bias_2 = (p.detach() for p in networks.parameters)
    assert [tuple(p.shape) for p in (first, bias_1, second, bias_2)] == [
        (2, 6, 12),
        (2, 1, 12),
        (2, 12, 3),
        (2, 1, 3),
    ]
    for network in range(2):
        assert torch.allclose(first[network] @ first[network].T, torch.eye(6), atol=1e-5)
        assert torch.allclose(second[network].T @ second[network], torch.eye(3), atol=1e-5)
    assert max(bias_1.abs().max(), bias_2.abs().max()) <= 0.1


@pytest.mark.slow
def test_a_chain_is_recovered_with_unknown_targets() -> None:
    graph = make_family("chain", 3)
    scm = StructuralCausalModel.random_tables(graph, np.random.default_rng([0, 1]))
    data = simulate(scm, 5000, 512, np.random.default_rng(0))
    told = data.hide_targets()
    learner = SdiDiscovery(
        rounds=1,
        fit_steps=2000,
        interventions=400,
        lr_gamma=0.02,
        prediction_batches=2,
        prediction_graphs=5,
    )
    learner.fit(told.to_frame(), targets=told.targets)
    assert learner.graph_ == graph
    assert np.array_equal(learner.interventional_cpdag_, graph.parent_to_child)
    assert learner.intervention_targets_ == {"?1": ("X0",), "?2": ("X1",), "?3": ("X2",)}


def test_a_step_keeps_beliefs_in_bounds_and_the_seed_decides() -> None:
    frame = pandas.DataFrame({"a": [0, 1] * 30, "b": [0, 1] * 30, "c": [0, 0, 1] * 20})
    targets = [None] * 40 + ["?1"] * 20
    data = InterventionalData.from_frame(frame, targets)
    options = SdiDiscovery(
        batches=2, graphs=3, prediction_batches=1, lr_gamma=100.0, fit_steps=1, rounds=1
    )
    search = SdiSearch(options, data, torch.device("cpu"))
    assert search.visited == [1]
    search.visit()
    apart = ~torch.eye(3, dtype=torch.bool)
    guess = search.guesses[1]
    assert search.gamma[apart].abs().max() <= 5
    assert torch.isneginf(search.gamma.diagonal()).all()
    assert guess in range(3)
    options.interventions = 2
    one, two = (options.fit(frame, targets=targets).edge_probabilities_ for _ in range(2))
    assert np.array_equal(one, two)
    assert options.steps_ == 3
    options.seed = 1
    assert not np.array_equal(one, options.fit(frame, targets=targets).edge_probabilities_)
    options.max_seconds = 1e-9
    assert options.fit(frame, targets=targets).steps_ == 1


def test_rounds_go_through_the_worlds_in_turn_and_read_no_other() -> None:
    codes = np.array([[0, 0], [0, 1], [1, 0], [1, 1]] * 2)
    worlds = ["m"] * 4 + ["n"] * 4
    data = InterventionalData.from_frame(codes, [None, "?1", None, "?1"] * 2, worlds)
    told = data.hide_targets()
    few = SdiDiscovery(rounds=3, fit_steps=1, interventions=1)
    search = SdiSearch(few, told, torch.device("cpu"))
    read: list[set[int]] = []
    search.fit_networks = lambda: read.append(set(search.observed.tolist()))  # type: ignore[method-assign]
    search.visit = lambda: read.append(  # type: ignore[method-assign]
        {row for regime in search.visited for row in search.rows[regime].tolist()}
    )
    assert search.run() == 6
    assert read == [{0, 2}, {1, 3}, {4, 6}, {5, 7}, {0, 2}, {1, 3}]
    few.fit(codes, targets=[None, "?1"] * 4, worlds=worlds)
    assert len(few.intervention_targets_) == 1
    with pytest.raises(InputError, match="observational rows of every world"):
        few.fit(codes, targets=[None] * 4 + ["?1"] * 4, worlds=worlds)


@pytest.mark.parametrize(
    ("targets", "options", "message"),
    [
        (None, {"rounds": 0}, "rounds is 0"),
        (None, {"device": "abacus"}, "device 'abacus' cannot be used"),
        (["a", "?1"], {}, "observational rows; there are none"),
    ],
)
def test_what_cannot_be_used_is_refused(
    targets: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        SdiDiscovery(**options).fit(pandas.DataFrame({"a": [0, 1], "b": [1, 0]}), targets=targets)
