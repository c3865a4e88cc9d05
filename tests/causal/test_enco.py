"""ENCO's gradients against enumeration of all graphs, its networks against a slow restatement."""

from itertools import product
from typing import Any

import numpy as np
import pandas
import pytest
import torch

from s2lab.causal.data import InterventionalData
from s2lab.causal.discovery.acyclic import strongest_acyclic
from s2lab.causal.discovery.enco import (
    EncoDiscovery,
    EncoSearch,
    MaskedAdam,
    enco_networks,
    graph_gradients,
    theta_rates,
)
from s2lab.causal.discovery.masked_networks import one_thread, rows_last, sample_graphs
from s2lab.causal.errors import InputError
from s2lab.causal.families import make_family
from s2lab.causal.graph import find_cycle
from s2lab.causal.scm import StructuralCausalModel, simulate
from s2lab.causal.testing import assert_recovers

SHORT: dict[str, Any] = {"epochs": 10, "fit_steps": 300, "graph_steps": 80, "graphs": 60}


def all_masks(size: int) -> torch.Tensor:  # [2^(V (V - 1)), V, V]
    pairs = [(i, j) for i in range(size) for j in range(size) if i != j]
    masks = torch.zeros(2 ** len(pairs), size, size)
    for at, bits in enumerate(product((0.0, 1.0), repeat=len(pairs))):
        for (i, j), bit in zip(pairs, bits, strict=True):
            masks[at, i, j] = bit
    return masks


@pytest.mark.parametrize(("size", "intervened"), [(2, 0), (3, 1)])
def test_gradients_are_those_of_the_expected_loss_over_all_graphs(
    size: int, intervened: int
) -> None:
    """Lippe et al. (2022), equation 4, by autograd through the probability of every graph."""
    random = torch.Generator().manual_seed(size)
    masks = all_masks(size)
    codes = (masks.transpose(1, 2) * 2 ** torch.arange(size)).sum(2).long()  # [G, V] parent sets
    table = torch.rand(size, 2**size, generator=random)  # [V, 2^V] loss of every parent set
    gamma = torch.randn(size, size, generator=random).requires_grad_()
    free = torch.randn(size, size, generator=random).requires_grad_()
    theta = torch.triu(free, 1) - torch.triu(free, 1).T
    edges = torch.sigmoid(gamma) * torch.sigmoid(theta)
    apart = ~torch.eye(size, dtype=torch.bool)
    chances = torch.where(masks > 0, edges, 1 - edges)[:, apart].prod(dim=1)  # [G]
    nll = torch.stack([table[j][codes[:, j]] for j in range(size)], dim=1)  # [G, V]
    inside = torch.zeros(size, dtype=torch.bool)
    inside[intervened] = True
    expected = (chances[:, None] * nll)[:, ~inside].sum()
    sparse = 0.1 * edges[apart & ~inside[None, :]].sum()
    exact_gamma = torch.autograd.grad(expected + sparse, gamma, retain_graph=True)[0]
    exact_theta = torch.autograd.grad(expected, free)[0]

    graphs = sample_graphs(edges.detach(), 400_000, random)
    at = (graphs.transpose(1, 2) * 2 ** torch.arange(size)).sum(2).long()
    sampled = torch.stack([table[j][at[:, j]] for j in range(size)], dim=1)
    sampled[:, intervened] = 0
    none = torch.zeros(size, dtype=torch.bool)
    found_gamma, found_theta = graph_gradients(
        graphs, sampled, gamma.detach(), theta.detach(), inside, none, 0.1
    )
    assert torch.allclose(found_gamma[apart], exact_gamma[apart], atol=1e-3)
    assert not found_gamma[:, intervened].any()
    crossing = torch.triu(inside[:, None] ^ inside[None, :], 1)
    assert torch.allclose(found_theta[crossing], exact_theta[crossing], atol=1e-3)
    assert torch.equal(found_theta, -found_theta.T)
    assert not found_theta[~(crossing | crossing.T)].any()


def test_networks_are_plain_loops_over_variables_and_rows() -> None:
    sizes = torch.tensor([2, 3, 4])
    random = torch.Generator().manual_seed(0)
    networks = enco_networks(sizes, 5, random, torch.device("cpu"))
    shapes = [tuple(p.shape) for p in networks.parameters]
    assert shapes == [(3, 12, 5), (3, 1, 5), (3, 5, 4), (3, 1, 4)]
    codes = torch.stack([torch.randint(int(k), (6,), generator=random) for k in sizes], dim=1)
    graphs = sample_graphs(torch.full((3, 3), 0.5), 6, random)
    first, bias_1, second, bias_2 = (p.detach().double() for p in networks.parameters)

    def loss(row: int, graph: int, j: int) -> float:
        hidden = bias_1[j, 0].clone()
        for i in range(3):
            hidden += graphs[graph, i, j] * first[j, i * 4 + codes[row, i]]
        logits = torch.where(hidden > 0, hidden, 0.1 * hidden) @ second[j] + bias_2[j, 0]
        chances = torch.exp(logits[: sizes[j]])
        return -float(torch.log(chances[codes[row, j]] / chances.sum()))

    per_row = np.mean([loss(b, b, j) for b in range(6) for j in range(3)])
    assert networks.loss(codes, graphs).item() == pytest.approx(per_row, abs=1e-5)
    shared = np.mean([loss(b, 0, j) for b in range(6) for j in range(3)])
    assert networks.loss(codes, graphs[:1]).item() == pytest.approx(shared, abs=1e-5)
    expected = [[np.mean([loss(b, g, j) for b in range(6)]) for j in range(3)] for g in range(6)]
    found = networks.mean_nll(codes, graphs)
    assert found.numpy() == pytest.approx(np.array(expected), abs=1e-5)
    rows = rows_last(codes, 4, torch.float32)
    batched = networks._nll(rows, graphs.permute(2, 0, 1), 0).T  # the way of the GPU
    assert torch.allclose(batched, found, atol=1e-6)
    skipped = networks.mean_nll(codes, graphs, torch.tensor([False, True, False]))
    assert not skipped[:, 1].any()
    assert torch.equal(skipped[:, ::2], found[:, ::2])


def test_masked_adam_is_torchs_where_every_step_moves_everything() -> None:
    random = torch.Generator().manual_seed(1)
    ours = torch.zeros(3, 3)
    theirs = torch.zeros(3, 3, requires_grad=True)
    one = MaskedAdam(ours, 0.1, (0.9, 0.99))
    two = torch.optim.Adam([theirs], lr=0.1, betas=(0.9, 0.99))
    for _ in range(20):
        gradient = torch.randn(3, 3, generator=random)
        one.step(gradient, torch.ones(3, 3))
        theirs.grad = gradient.clone()
        two.step()
    assert torch.allclose(ours, theirs.detach(), atol=1e-5)
    before = ours.clone()
    rates = torch.zeros(3, 3)
    rates[0, 1] = 1
    one.step(torch.ones(3, 3), rates)
    changed = ours != before
    assert changed[0, 1]
    assert changed.sum() == 1


def test_directions_move_only_where_exactly_one_end_was_intervened_on() -> None:
    inside, untouched = torch.tensor([True, False, False]), torch.tensor([False, True, True])
    expected = torch.tensor([[0, 1, 1], [1, 0, 0.1], [1, 0.1, 0]])
    assert torch.equal(theta_rates(inside, untouched), expected)


def test_cycles_lose_their_weakest_edge() -> None:
    chances = np.array([[0, 0.9, 0.1], [0.2, 0, 0.8], [0.7, 0.3, 0]])
    arrows = strongest_acyclic(chances, chances > 0.5)
    assert np.argwhere(arrows).tolist() == [[0, 1], [1, 2]]
    rng = np.random.default_rng(0)
    for _ in range(50):
        chances, wanted = rng.random((6, 6)), rng.random((6, 6)) < 0.5
        arrows = strongest_acyclic(chances, wanted)
        assert not find_cycle(arrows)
        assert not (arrows & ~wanted).any()
        for parent, child in np.argwhere(wanted & ~arrows & ~np.eye(6, dtype=bool)):
            stronger = arrows & (chances >= chances[parent, child])
            stronger[parent, child] = True
            assert find_cycle(stronger)  # each edge that is left out closes a cycle of better ones


@pytest.mark.slow
@pytest.mark.parametrize(("family", "size"), [("collider", 4), ("chain", 5)])
def test_small_worlds_are_recovered(family: str, size: int) -> None:
    graph = make_family(family, size)
    assert_recovers(EncoDiscovery(**SHORT), graph, seeds=[0])


def test_the_seed_decides_and_time_ends_the_search() -> None:
    graph = make_family("chain", 3)
    scm = StructuralCausalModel.random_tables(graph, np.random.default_rng(0))
    data = simulate(scm, 300, 100, np.random.default_rng(1))
    options: dict[str, Any] = {"epochs": 2, "fit_steps": 5, "graph_steps": 5}
    one, two, other = (
        EncoDiscovery(**options, seed=seed).fit(data.to_frame(), targets=data.targets)
        for seed in (3, 3, 4)
    )
    assert np.array_equal(one.edge_probabilities_, two.edge_probabilities_)
    assert not np.array_equal(one.edge_probabilities_, other.edge_probabilities_)
    assert one.steps_ == 20
    cut = EncoDiscovery(max_seconds=1e-9).fit(data.to_frame(), targets=data.targets)
    assert cut.steps_ == 1
    assert cut.edge_probabilities_.shape == (3, 3)


def test_one_thread_is_enough_and_the_setting_is_put_back() -> None:
    before = torch.get_num_threads()
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


def test_several_targets_at_once_count_as_one_environment() -> None:
    frame = pandas.DataFrame({"a": [0, 1] * 30, "b": [0, 1] * 30, "c": [0, 0, 1] * 20})
    targets = [None] * 40 + [("a", "b")] * 20
    search = EncoSearch(
        EncoDiscovery(), InterventionalData.from_frame(frame, targets), torch.device("cpu")
    )
    assert len(search.observed) == 40
    ((rows, inside),) = search.environments
    assert (rows.tolist(), inside.tolist()) == (list(range(40, 60)), [True, True, False])
    assert search.untouched.tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("targets", "options", "message"),
    [
        (None, {"graphs": 0}, "graphs is 0"),
        (None, {"max_seconds": -1}, "max_seconds is -1"),
        (None, {"device": "abacus"}, "device 'abacus' cannot be used"),
        (["a", "a"], {}, "observational rows; there are none"),
        ([None, "?x"], {}, "are not known"),
    ],
)
def test_what_cannot_be_used_is_refused(
    targets: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        EncoDiscovery(**options).fit(pandas.DataFrame({"a": [0, 1], "b": [1, 0]}), targets=targets)
