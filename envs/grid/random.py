"""numpy's PCG64 generator, one per world, inside the kernels.

Every draw consumes the stream exactly as `numpy.random.Generator` does, so that layouts equal those
of environments that draw from numpy. The generator is XSL-RR 128/64 (O'Neill 2014); bounded
integers are Lemire's multiply-and-reject (2019) on 32-bit halves, of which the unused half waits
for the next draw; shuffles mask bits and reject instead. Seeding is numpy's SeedSequence and
happens on the host. Knows nothing of worlds: `rng` is uint64 [N, 6] (state high and low, increment
high and low, half waiting, the half).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from s2lab.envs.grid.compiled import pure

Array = npt.NDArray[Any]

STATE_HIGH, STATE_LOW, INCREMENT_HIGH, INCREMENT_LOW, HALF_WAITS, HALF = range(6)
WORDS = 6

_MULTIPLIER_HIGH = np.uint64(2549297995355413924)
_MULTIPLIER_LOW = np.uint64(4865540595714422341)
_MASK32 = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)
_0 = np.uint64(0)
_1 = np.uint64(1)


def seed_world(rng: Array, n: int, seed: int | None) -> None:
    """Seed world `n` as `numpy.random.PCG64(seed)`; None takes entropy from the machine."""
    load_state(rng, n, np.random.PCG64(seed).state)


def load_state(rng: Array, n: int, state: Any) -> None:
    """Write the state dictionary of a numpy PCG64 into row `n`."""
    inner, mask = state["state"], (1 << 64) - 1
    rng[n] = [
        inner["state"] >> 64,
        inner["state"] & mask,
        inner["inc"] >> 64,
        inner["inc"] & mask,
        state["has_uint32"],
        state["uinteger"],
    ]


def dump_state(rng: Array, n: int) -> dict[str, Any]:
    """Row `n` as the state dictionary of a numpy PCG64."""
    row: Sequence[int] = rng[n].tolist()
    return {
        "bit_generator": "PCG64",
        "state": {
            "state": row[STATE_HIGH] << 64 | row[STATE_LOW],
            "inc": row[INCREMENT_HIGH] << 64 | row[INCREMENT_LOW],
        },
        "has_uint32": row[HALF_WAITS],
        "uinteger": row[HALF],
    }


@pure
def _multiply_high(a: Any, b: Any) -> Any:
    """The upper 64 bits of a 64 x 64 bit product."""
    a_low, a_high, b_low, b_high = a & _MASK32, a >> _32, b & _MASK32, b >> _32
    low, cross, other = a_low * b_low, a_low * b_high, a_high * b_low
    middle = (low >> _32) + (cross & _MASK32) + (other & _MASK32)
    return a_high * b_high + (cross >> _32) + (other >> _32) + (middle >> _32)


@pure
def next_uint64(rng: Array, n: int) -> Any:
    """The next 64 random bits. A half that waits stays, as in numpy."""
    high, low = rng[n, STATE_HIGH], rng[n, STATE_LOW]
    product_high = _multiply_high(low, _MULTIPLIER_LOW)
    product_high = product_high + high * _MULTIPLIER_LOW + low * _MULTIPLIER_HIGH
    new_low = low * _MULTIPLIER_LOW + rng[n, INCREMENT_LOW]
    carry = _1 if new_low < rng[n, INCREMENT_LOW] else _0
    new_high = product_high + rng[n, INCREMENT_HIGH] + carry
    rng[n, STATE_HIGH], rng[n, STATE_LOW] = new_high, new_low
    mixed, turn = new_high ^ new_low, new_high >> np.uint64(58)
    return (mixed >> turn) | (mixed << ((np.uint64(64) - turn) & np.uint64(63)))


@pure
def next_uint32(rng: Array, n: int) -> Any:
    """The next 32 random bits: the half that waits, or a new word whose upper half then waits."""
    if rng[n, HALF_WAITS] != _0:
        rng[n, HALF_WAITS] = _0
        return rng[n, HALF]
    word = next_uint64(rng, n)
    rng[n, HALF_WAITS] = _1
    rng[n, HALF] = word >> _32
    return word & _MASK32


@pure
def integers(rng: Array, n: int, low: int, high: int) -> Any:
    """`Generator.integers(low, high)` for high - low in 1 ... 2**32 - 1; a span of 1 draws nothing.

    The same draw serves `Generator.choice` of a sequence without probabilities.
    """
    span = np.uint64(high - low)
    if span == _1:
        return np.int64(low)
    product = next_uint32(rng, n) * span
    rest = product & _MASK32
    if rest < span:
        threshold = (_MASK32 + _1 - span) % span
        while rest < threshold:
            product = next_uint32(rng, n) * span
            rest = product & _MASK32
    return np.int64(low) + np.int64(product >> _32)


@pure
def random(rng: Array, n: int) -> Any:
    """`Generator.random()`: 53 bits in [0, 1)."""
    return np.float64(next_uint64(rng, n) >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@pure
def uniform(rng: Array, n: int, low: float, high: float) -> Any:
    """`Generator.uniform(low, high)`."""
    return low + (high - low) * random(rng, n)


@pure
def weighted(rng: Array, n: int, cumulative: Array) -> Any:
    """`Generator.choice(len(p), p=p)`, given numpy's `cumulative = p.cumsum() / p.cumsum()[-1]`."""
    point = random(rng, n)
    index = 0
    while index < cumulative.shape[0] - 1 and cumulative[index] <= point:
        index += 1
    return index


@pure
def interval(rng: Array, n: int, last: int) -> Any:
    """A draw from 0 ... last as numpy's shuffle makes it: masked bits, redrawn while too large."""
    if last == 0:
        return np.int64(0)
    mask = np.uint64(last)
    mask |= mask >> _1
    mask |= mask >> np.uint64(2)
    mask |= mask >> np.uint64(4)
    mask |= mask >> np.uint64(8)
    mask |= mask >> np.uint64(16)
    drawn = next_uint32(rng, n) & mask
    while drawn > np.uint64(last):
        drawn = next_uint32(rng, n) & mask
    return np.int64(drawn)


@pure
def shuffle(rng: Array, n: int, items: Array, start: int, count: int) -> None:
    """`Generator.shuffle` of `items[n, start : start + count]`, in place."""
    for last in range(count - 1, 0, -1):
        other = interval(rng, n, last)
        kept = items[n, start + last]
        items[n, start + last] = items[n, start + other]
        items[n, start + other] = kept


@pure
def permutation(rng: Array, n: int, items: Array, start: int, count: int) -> None:
    """`Generator.permutation(count)`, written to `items[n, start : start + count]`."""
    for i in range(count):
        items[n, start + i] = i
    shuffle(rng, n, items, start, count)
