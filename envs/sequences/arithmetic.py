"""Arithmetic: a running result under +, - and x with numbers from U(0, 1), rounded to 0.01.

After Goyal, Didolkar et al. 2021 (arXiv 2103.01937). The first operation of every sequence is an
addition to zero.
"""

import numpy as np

from s2lab.envs.sequences.batch import Sequences, require


def arithmetic(rng: np.random.Generator, count: int, length: int) -> Sequences:
    """Inputs [T, N, 4]: a number and one-hot of + - x. Targets [T, N, 1]: the result so far.

    Raises:
        ValueError: a length below 1.
    """
    require(length >= 1, f"length is {length}; it must be at least 1")
    numbers = np.round(rng.random((length, count)), 2)
    operations = rng.integers(3, size=(length, count))
    operations[0] = 0
    result = np.zeros(count)
    results = np.empty((length, count, 1), dtype=np.float32)
    for t in range(length):
        choices = (result + numbers[t], result - numbers[t], result * numbers[t])
        result = np.choose(operations[t], choices)
        results[t, :, 0] = result
    coded = np.eye(3)[operations]  # [T, N, 3]
    inputs = np.concatenate([numbers[:, :, None], coded], axis=2).astype(np.float32)
    return Sequences(inputs, results)
