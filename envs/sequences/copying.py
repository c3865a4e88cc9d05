"""Copying: ten symbols, a long blank, then say them again.

Hochreiter & Schmidhuber 1997 as used by Goyal et al. 2019 (arXiv 1909.10893): trained with a blank
of 50 steps, tested with 200. Scored on the last ten steps only, where chance is ln 8 = 2.079 nats;
averaged over all steps chance would look like a result.
"""

import numpy as np

from s2lab.envs.sequences.batch import Sequences, require

SYMBOLS = 8
LENGTH = 10


def copying(rng: np.random.Generator, count: int, blank: int) -> Sequences:
    """`count` sequences of `blank` + 20 steps.

    Inputs [T, N, 10]: one-hot of 8 symbols, blank, and the signal to speak (once, at the end of the
    blank). Targets [10, N]: the symbols.

    Raises:
        ValueError: a blank without room for the signal.
    """
    require(blank >= 1, f"blank is {blank}; it must be at least 1 step")
    symbols = rng.integers(SYMBOLS, size=(LENGTH, count))
    shown = np.full((blank + 2 * LENGTH, count), SYMBOLS)
    shown[:LENGTH] = symbols
    shown[LENGTH + blank - 1] = SYMBOLS + 1
    return Sequences(np.eye(SYMBOLS + 2, dtype=np.float32)[shown], symbols)
