"""Which world gets which seed. Knows no generators."""

from collections.abc import Sequence

import numpy as np


def seeds_of(seed: int | Sequence[int | None], count: int) -> list[int | None]:
    """A seed for each of `count` worlds: `seed + i` for world i, or the i-th of a sequence.

    Raises:
        ValueError: not a seed for each world, or one that is negative or no whole number.
    """
    if isinstance(seed, int | np.integer):
        seeds: list[int | None] = [int(seed) + i for i in range(count)]
    elif isinstance(seed, Sequence | np.ndarray) and all(map(_is_seed, seed)):
        seeds = [None if one is None else int(one) for one in seed]
    else:
        raise ValueError(f"seed is {seed!r}; give a whole number, or one for each world")
    if len(seeds) != count:
        raise ValueError(f"{len(seeds)} seeds for {count} worlds; give one for each")
    for one in seeds:
        if one is not None and one < 0:
            raise ValueError(f"seed is {one}; give a whole number from 0")
    return seeds


def _is_seed(one: object) -> bool:
    return one is None or isinstance(one, int | np.integer)
