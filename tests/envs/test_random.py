"""The generator inside the kernels against numpy's own, draw by draw."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numba import njit

from s2lab.envs.grid import random

DRAWS = 200_000


@njit
def draw_integers(rng: Any, lows: Any, highs: Any, out: Any) -> None:
    for i in range(out.shape[0]):
        out[i] = random.integers(rng, 0, lows[i], highs[i])


@njit
def draw_uniform(rng: Any, lows: Any, highs: Any, out: Any) -> None:
    for i in range(out.shape[0]):
        out[i] = random.uniform(rng, 0, lows[i], highs[i])


@njit
def draw_mixed(rng: Any, highs: Any, out: Any) -> None:
    for i in range(out.shape[0]):
        out[i] = random.random(rng, 0) if highs[i] < 4 else random.integers(rng, 0, 0, highs[i])


@njit
def draw_weighted(rng: Any, cumulative: Any, out: Any) -> None:
    for i in range(out.shape[0]):
        out[i] = random.weighted(rng, 0, cumulative)


@njit
def draw_orders(rng: Any, counts: Any, items: Any, fresh: bool) -> None:
    for i in range(counts.shape[0]):
        if fresh:
            random.permutation(rng, 0, items[i : i + 1], 0, counts[i])
        else:
            random.shuffle(rng, 0, items[i : i + 1], 0, counts[i])


def seeded(seed: int) -> tuple[Any, np.random.Generator]:
    rng = np.zeros((1, random.WORDS), np.uint64)
    random.seed_world(rng, 0, seed)
    return rng, np.random.Generator(np.random.PCG64(seed))


def assert_same_state(rng: Any, generator: np.random.Generator) -> None:
    ours, theirs = random.dump_state(rng, 0), generator.bit_generator.state
    assert ours["state"] == theirs["state"]
    assert ours["has_uint32"] == theirs["has_uint32"]
    if theirs["has_uint32"]:
        assert ours["uinteger"] == theirs["uinteger"]


@pytest.mark.parametrize("largest", [3, 40, 3_000_000_000])
def test_integers_equal_numpys(largest: int) -> None:
    rng, generator = seeded(7)
    source = np.random.default_rng(largest)
    lows = source.integers(-20, 20, DRAWS)
    highs = lows + source.integers(1, largest, DRAWS)
    out = np.zeros(DRAWS, np.int64)
    draw_integers(rng, lows, highs, out)
    expected = [generator.integers(lo, hi) for lo, hi in zip(lows, highs, strict=True)]
    np.testing.assert_array_equal(out, expected)
    assert_same_state(rng, generator)


def test_uniform_equals_numpys() -> None:
    rng, generator = seeded(8)
    source = np.random.default_rng(0)
    lows = source.normal(size=DRAWS)
    highs = lows + source.exponential(size=DRAWS)
    out = np.zeros(DRAWS)
    draw_uniform(rng, lows, highs, out)
    expected = [generator.uniform(lo, hi) for lo, hi in zip(lows, highs, strict=True)]
    np.testing.assert_array_equal(out, expected)
    assert_same_state(rng, generator)


def test_the_waiting_half_survives_floats() -> None:
    rng, generator = seeded(9)
    highs = np.random.default_rng(1).integers(1, 9, DRAWS)
    out = np.zeros(DRAWS)
    draw_mixed(rng, highs, out)
    expected = [generator.random() if h < 4 else generator.integers(0, h) for h in highs]
    np.testing.assert_array_equal(out, expected)
    assert_same_state(rng, generator)


def test_choice_of_a_sequence_is_one_bounded_integer() -> None:
    rng, generator = seeded(10)
    highs = np.random.default_rng(2).integers(1, 30, DRAWS)
    out = np.zeros(DRAWS, np.int64)
    draw_integers(rng, np.zeros_like(highs), highs, out)
    np.testing.assert_array_equal(out, [generator.choice(range(h)) for h in highs])
    assert_same_state(rng, generator)


def test_weighted_choice_equals_numpys() -> None:
    rng, generator = seeded(11)
    weights = np.random.default_rng(3).exponential(size=11)
    weights[[2, 7]] = 0
    weights /= weights.sum()
    cumulative = weights.cumsum()
    cumulative /= cumulative[-1]
    out = np.zeros(DRAWS, np.int64)
    draw_weighted(rng, cumulative, out)
    np.testing.assert_array_equal(out, [generator.choice(11, p=weights) for _ in range(DRAWS)])
    assert_same_state(rng, generator)


def shuffled_list(generator: np.random.Generator, count: int) -> list[int]:
    items = list(range(count))
    generator.shuffle(items)
    return items


def permuted(generator: np.random.Generator, count: int) -> list[int]:
    return [int(i) for i in generator.permutation(count)]


@pytest.mark.parametrize(("fresh", "reference"), [(False, shuffled_list), (True, permuted)])
def test_shuffle_and_permutation_equal_numpys(
    fresh: bool, reference: Callable[[np.random.Generator, int], list[int]]
) -> None:
    rng, generator = seeded(12)
    counts = np.random.default_rng(4).integers(0, 17, DRAWS // 8)
    items = np.tile(np.arange(16, dtype=np.int32), (counts.size, 1))
    draw_orders(rng, counts, items, fresh)
    for row, count in zip(items.tolist(), counts.tolist(), strict=True):
        assert row[:count] == reference(generator, count)
    assert_same_state(rng, generator)
