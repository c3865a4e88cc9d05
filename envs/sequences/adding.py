"""Adding: the sum of the marked numbers of a sequence, asked for at its last step.

Hochreiter & Schmidhuber 1997, with any number of addends as in Goyal et al. 2020 (arXiv 2006.16225,
trained on 2 and 4 addends at length 50, tested on 2 to 10 at length 200). Predicting the mean gives
a squared error of n / 12 for n addends: the variance of a sum of n uniform numbers.
"""

from collections.abc import Sequence

import numpy as np

from s2lab.envs.sequences.batch import Sequences, require


def adding(rng: np.random.Generator, count: int, length: int, addends: Sequence[int]) -> Sequences:
    """`count` sequences whose numbers of addends are drawn evenly from `addends`.

    Inputs [T, N, 2]: a number from U(0, 1) and a 0/1 mark. Targets [1, N, 1]: the marked sum.

    Raises:
        ValueError: more addends than steps, or none.
    """
    require(len(addends) > 0, "addends is empty; give at least one number of addends")
    low, high = min(addends), max(addends)
    require(
        low >= 1 and high <= length,
        f"addends are {list(addends)}; each must be between 1 and length ({length})",
    )
    numbers = rng.random((length, count), dtype=np.float32)
    wanted = rng.choice(np.asarray(addends), size=count)  # [N]
    rank = rng.random((length, count)).argsort(axis=0).argsort(axis=0)  # a permutation per column
    marks = (rank < wanted).astype(np.float32)  # [T, N]
    total = (numbers * marks).sum(axis=0)  # [N]
    return Sequences(np.stack([numbers, marks], axis=2), total[None, :, None])
