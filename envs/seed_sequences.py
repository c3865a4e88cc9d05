"""numpy's PCG64 seeded for many seeds at once: the same states as `numpy.random.PCG64(seed)`.

SeedSequence hashes a seed's 32-bit words into a pool of four and draws the generator's state and
increment from it (O'Neill's `seed_seq_fe`); here every step is done for all seeds together.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from s2lab.envs.grid.random import WORDS

Array = npt.NDArray[Any]

_POOL = 4
_MULTIPLIER = 2549297995355413924 << 64 | 4865540595714422341
_MASK32, _MASK64 = (1 << 32) - 1, (1 << 64) - 1


class _Hash:
    """One running hash constant."""

    def __init__(self, start: int, factor: int) -> None:
        self._constant, self._factor = start, factor

    def __call__(self, values: Array) -> Array:  # uint32 [N]
        hashed: Array = values ^ np.uint32(self._constant)
        self._constant = self._constant * self._factor & _MASK32
        hashed *= np.uint32(self._constant)
        hashed ^= hashed >> np.uint32(16)
        return hashed


def _mix(one: Array, other: Array) -> Array:
    mixed: Array = one * np.uint32(0xCA01F9DD) - other * np.uint32(0x4973F715)
    mixed ^= mixed >> np.uint32(16)
    return mixed


def generator_states(seeds: Array) -> Array:
    """Rows of `worlds.rng` for seeds below 2**64.

    Args:
        seeds: whole numbers [N]

    Returns:
        uint64 [N, 6], as `grid.random.load_state` writes them
    """
    whole = np.asarray(seeds).astype(np.uint64)
    zero = np.zeros(len(whole), np.uint32)
    words = [
        (whole & np.uint64(_MASK32)).astype(np.uint32),
        (whole >> np.uint64(32)).astype(np.uint32),
        zero,
        zero,
    ]
    absorb, draw = _Hash(0x43B0D7E5, 0x931E8875), _Hash(0x8B51F9DD, 0x58F38DED)
    pool = [absorb(word) for word in words]
    for source in range(_POOL):
        for target in range(_POOL):
            if source != target:
                pool[target] = _mix(pool[target], absorb(pool[source]))
    drawn = [draw(pool[i % _POOL]).astype(np.uint64) for i in range(8)]
    state_high, state_low, sequence_high, sequence_low = (
        drawn[2 * i] | drawn[2 * i + 1] << np.uint64(32) for i in range(4)
    )
    increment_high = sequence_high << np.uint64(1) | sequence_low >> np.uint64(63)
    increment_low = sequence_low << np.uint64(1) | np.uint64(1)
    # From state 0: step, add the drawn state, step.
    high, low = _add(increment_high, increment_low, state_high, state_low)
    high, low = _multiply(high, low)
    high, low = _add(high, low, increment_high, increment_low)
    rows = np.zeros((len(whole), WORDS), np.uint64)
    for column, values in enumerate((high, low, increment_high, increment_low)):
        rows[:, column] = values
    return rows


def _add(high: Array, low: Array, other_high: Array, other_low: Array) -> tuple[Array, Array]:
    total = low + other_low
    return high + other_high + (total < low).astype(np.uint64), total


def _multiply(high: Array, low: Array) -> tuple[Array, Array]:
    """The lower 128 bits of a number times PCG64's multiplier."""
    factor_high, factor_low = np.uint64(_MULTIPLIER >> 64), np.uint64(_MULTIPLIER & _MASK64)
    shift, mask = np.uint64(32), np.uint64(_MASK32)
    a_low, a_high, b_low, b_high = low & mask, low >> shift, factor_low & mask, factor_low >> shift
    lowest, cross, other = a_low * b_low, a_low * b_high, a_high * b_low
    middle = (lowest >> shift) + (cross & mask) + (other & mask)
    carried = a_high * b_high + (cross >> shift) + (other >> shift) + (middle >> shift)
    return carried + high * factor_low + low * factor_high, low * factor_low
