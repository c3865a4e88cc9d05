"""Reading what repeats once changes no output and no gradient, and finds just what repeats."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from torch import Tensor

from s2lab.agents.actor_critic import ActorCritic
from s2lab.agents.encoders import repeats
from s2lab.agents.encoders.config import EncoderConfig
from s2lab.agents.encoders.repeats import first_of_each
from s2lab.agents.towers import Towers

SPACE = gym.spaces.Dict(
    {
        "image": gym.spaces.Box(0, 10, (4, 3, 3), np.uint8),
        "direction": gym.spaces.Discrete(4),
        "mission": gym.spaces.Box(0, 30, (5,), np.int16),
    }
)
STEPS, WORLDS = 8, 25


def shown(distinct: int) -> dict[str, Tensor]:
    """Fields [STEPS, WORLDS, ...] of which so many rows are distinct."""
    generator = torch.Generator().manual_seed(distinct)

    def random(high: int, *shape: int, dtype: torch.dtype) -> Tensor:
        return torch.randint(high, (distinct, *shape), generator=generator).to(dtype)

    rows = {
        "image": random(11, 4, 3, 3, dtype=torch.uint8),
        "direction": random(4, dtype=torch.int64),
        "mission": random(31, 5, dtype=torch.int16),
    }
    which = torch.randint(distinct, (STEPS, WORLDS), generator=generator)
    return {name: field[which] for name, field in rows.items()}


@pytest.mark.parametrize("high", [1, 2, 3, 200])
def test_rows_are_told_apart_as_numpy_does(high: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "MOST", 1.0)
    rng = np.random.default_rng(high)
    fields = [
        torch.from_numpy(rng.integers(0, high, (1000, 3)).astype(np.uint8)),
        torch.from_numpy(rng.integers(0, high, 1000)),
        torch.from_numpy(rng.integers(0, high, (1000, 2)).astype(np.float32)),
    ]
    rows, places = first_of_each(fields)
    table = np.column_stack([field.numpy() for field in fields])
    _, first, inverse = np.unique(table, axis=0, return_index=True, return_inverse=True)
    assert rows.tolist() == sorted(first.tolist())
    assert np.array_equal(rows[places], first[inverse.reshape(-1)])


@pytest.mark.parametrize("who", ["none", "lstm", "film", "towers"])
def test_what_repeats_is_read_once_to_the_same_effect(
    who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    actions = gym.spaces.Discrete(5)
    encoder = EncoderConfig("film" if who == "film" else "table")
    core = "lstm" if who == "lstm" else "none"
    agents = {"towers": Towers(SPACE, actions)}
    model: Any = agents.get(who) or ActorCritic(SPACE, actions, core, encoder=encoder)
    precision = torch.float32 if who == "towers" else torch.float64  # towers know one only
    model.to(precision)
    seen = shown(40)
    reset = torch.zeros(STEPS, WORLDS, dtype=torch.bool)
    slopes = tuple(torch.randn(STEPS, WORLDS, *size).to(precision) for size in ((5,), ()))
    read = list[int]()
    model.encoder.register_forward_hook(lambda _, given, __: read.append(len(given[0]["image"])))

    def outcome() -> tuple[Any, ...]:
        state = tuple(part.to(precision) for part in model.initial_state(WORLDS))
        numbers, values, _ = model(seen, state, reset)
        weights = list(model.parameters())
        return numbers, values, *torch.autograd.grad((numbers, values), weights, slopes)

    found = outcome()
    monkeypatch.setattr(repeats, "FEWEST", STEPS * WORLDS + 1)
    expected = outcome()
    assert read[0] <= 40
    assert read[1] == STEPS * WORLDS
    tolerance = 1e-4 if precision == torch.float32 else 1e-9
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)


def test_what_hardly_repeats_is_read_as_it_is() -> None:
    fields = [torch.arange(1000)]
    rows, places = first_of_each(fields)
    assert rows.tolist() == places.tolist() == list(range(1000))
    assert len(first_of_each([torch.zeros(5)])[0]) == 5
