"""The learner's own kernels against torch: heads, loss, optimiser, reading of missions.

In double precision, where only another formula differs.
"""

import math
from typing import Any

import gymnasium as gym
import pytest
import torch
from torch import Tensor, nn

from s2lab.agents.actions import CategoricalHead
from s2lab.agents.encoders.config import EncoderConfig
from s2lab.agents.encoders.mission import Mission
from s2lab.agents.heads import Heads
from s2lab.agents.ppo_adam import FlatAdam
from s2lab.agents.ppo_loss import TERMS, LossWeights, plain_loss, ppo_loss
from s2lab.agents.rollout import Sequences
from s2lab.agents.towers import Towers

WEIGHTS = LossWeights(clip=0.2, value_coef=0.7, entropy_coef=0.03)
HEAD = CategoricalHead(gym.spaces.Discrete(4))


def close(found: Any, expected: Any) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-11)


def test_both_heads_in_one_node_are_the_layers_one_by_one() -> None:
    torch.manual_seed(0)
    heads = Heads(9, 4).double()
    nn.init.normal_(heads.policy.weight)
    nn.init.normal_(heads.hidden.bias)
    features = torch.randn(5, 3, 9, dtype=torch.float64, requires_grad=True)
    slopes = torch.randn(5, 3, 4).double(), torch.randn(5, 3).double()
    found, expected = heads(features), heads.plain(features)
    close(found, expected)
    inputs = (features, *heads.parameters())
    gradients = [torch.autograd.grad(outputs, inputs, slopes) for outputs in (found, expected)]
    close(*gradients)


def test_both_towers_in_one_node_are_the_layers_one_by_one() -> None:
    torch.manual_seed(0)
    space = gym.spaces.Dict(
        {"numbers": gym.spaces.Box(-9, 9, (3, 2)), "one": gym.spaces.Discrete(3, start=1)}
    )
    towers = Towers(space, gym.spaces.Discrete(4)).double()
    for part in (towers.policy.weight, towers.first.bias, towers.second_bias):
        nn.init.normal_(part)
    shown = {"numbers": torch.randn(5, 3, 2), "one": torch.tensor([1, 3, 2, 2, 1])}
    inputs = towers.encoder(shown)
    assert inputs[1].tolist() == [*shown["numbers"][1].flatten().tolist(), 0, 0, 1]
    slopes = torch.randn(5, 4).double(), torch.randn(5).double()
    found, expected = towers.fused(inputs.double()), towers.plain(inputs.double())
    close(found, expected)
    weights = list(towers.parameters())
    close(*(torch.autograd.grad(outputs, weights, slopes) for outputs in (found, expected)))


def a_batch(spread: float) -> tuple[Tensor, Tensor, Sequences]:
    generator = torch.Generator().manual_seed(1)

    def random(*shape: int) -> Tensor:
        return spread * torch.randn(6, 5, *shape, generator=generator, dtype=torch.float64)

    numbers, values = random(4).requires_grad_(), random().requires_grad_()
    actions = torch.randint(4, (6, 5), generator=generator)
    log_probs = HEAD.log_prob_and_entropy(random(4), actions)[0]
    fields = (actions, log_probs, random(), random(), random(), torch.zeros(6, 5).bool())
    return numbers, values, Sequences({}, *fields, ())


@pytest.mark.parametrize("spread", [0.1, 1.0, 30.0])
def test_the_loss_in_one_node_is_that_of_torch(spread: float) -> None:
    numbers, values, batch = a_batch(spread)
    found, terms = ppo_loss(HEAD, numbers, values, batch, WEIGHTS)
    expected, plain_terms = plain_loss(HEAD, numbers, values, batch, WEIGHTS)
    close(terms, plain_terms)
    assert 0 < float(terms[TERMS.index("clip_fraction")]) < 1 or spread == 0.1
    inputs = (numbers, values)
    first, second = (torch.autograd.grad(2 * loss, inputs) for loss in (found, expected))
    close(first, second)


@pytest.mark.parametrize("field", ["numbers", "values", "advantages", "returns", "log_probs"])
def test_one_nan_anywhere_is_a_nan_in_the_loss(field: str) -> None:
    numbers, values, batch = a_batch(1.0)
    spoiled = {"numbers": numbers, "values": values}.get(field)
    with torch.no_grad():
        (getattr(batch, field) if spoiled is None else spoiled)[2, 3] = math.nan
    assert math.isnan(ppo_loss(HEAD, numbers, values, batch, WEIGHTS)[0].item())


def test_a_hundred_steps_of_the_optimiser_are_those_of_torch() -> None:
    torch.manual_seed(0)
    ours, theirs = (nn.Linear(7, 5) for _ in range(2))
    theirs.load_state_dict(ours.state_dict())
    flat = FlatAdam(ours.parameters(), eps=1e-5, max_norm=0.5)
    adam = torch.optim.Adam(theirs.parameters(), lr=0.01, eps=1e-5)
    for step in range(100):
        inputs = torch.randn(3, 7) * (0.01 if step % 3 else 3)  # below and above the bound
        flat.clear()
        adam.zero_grad()
        for layer in (ours, theirs):
            layer(inputs).square().sum().backward()
        norm = float(nn.utils.clip_grad_norm_(theirs.parameters(), 0.5))
        assert flat.norm() == pytest.approx(norm, rel=1e-5)
        before = [weight._version for weight in ours.parameters()]
        flat.step(0.01, flat.norm())
        adam.step()
        assert all(w._version > v for w, v in zip(ours.parameters(), before, strict=True))
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-6)


def test_few_missions_are_read_as_torch_reads_them() -> None:
    torch.manual_seed(0)
    encoder = Mission(30, EncoderConfig(mission_size=8)).double()
    tokens = torch.tensor([[3, 4, 5, 0, 0], [7, 0, 0, 0, 0], [9, 29, 3, 4, 4]], dtype=torch.int16)
    found = encoder(tokens)
    states = [
        encoder.gru(encoder.embedding(row[None, : int((row > 0).sum())].int()))[0][0, -1]
        for row in tokens
    ]
    expected = torch.stack(states)
    close(found, expected)
    weights, slope = list(encoder.parameters()), torch.randn(3, 8, dtype=torch.float64)
    gradients = [torch.autograd.grad(outputs, weights, slope) for outputs in (found, expected)]
    close(*gradients)


def test_shares_hold_the_chosen_columns_and_nothing_else() -> None:
    batch = a_batch(1.0)[2]
    image = torch.arange(6 * 5 * 2).view(6, 5, 2)
    whole = Sequences(
        {"image": image}, batch.actions, batch.log_probs, batch.values, batch.advantages,
        batch.returns, batch.resets, (torch.arange(5.0)[:, None],),
    )  # fmt: skip
    order = torch.tensor([4, 1, 0, 3])
    for share, columns in zip(whole.shares(order, 2), ([4, 1], [0, 3]), strict=True):
        assert torch.equal(share.observation["image"], image[:, columns])
        assert torch.equal(share.returns, batch.returns[:, columns])
        assert share.state[0].flatten().tolist() == columns
