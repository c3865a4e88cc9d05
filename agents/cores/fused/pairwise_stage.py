"""`PairwiseCommunication.exchange` for T steps, fused: see `stages.py` for what a stage is."""

from typing import Any, NamedTuple

import numpy as np

from s2lab.agents.cores.fused import stages
from s2lab.agents.cores.fused.attention_kernels import attend, attend_backward
from s2lab.agents.cores.fused.products import ADD, ZERO, product
from s2lab.agents.cores.fused.stages import Sizes, answers


class PairwiseRoom(NamedTuple):
    """D = heads * head size."""

    scale: np.ndarray
    """[1], of the scores."""
    three: np.ndarray
    """[T, 3D, K, B]: query, key, value."""
    weights: np.ndarray
    """[T, heads, K, K, B], attention."""
    message: np.ndarray
    """[T, D, K, B]"""
    d_three: np.ndarray
    """[chunk, 3D, K, B]"""


class PairwiseWeights(NamedTuple):
    """Of `PairwiseCommunication`."""

    query_key_value: np.ndarray
    """[K, H, 3D]; its gradient is [K, 3D, H]."""
    unused: np.ndarray
    """Any vector: products name one where they begin without a bias."""


def pairwise_room(sizes: Sizes, dtype: Any, heads: int, size: int) -> PairwiseRoom:
    """Buffers of T steps."""
    steps, modules, rows = sizes.steps, sizes.modules, sizes.rows
    return PairwiseRoom(
        scale=np.array([(size // heads) ** -0.5], dtype),
        three=np.empty((steps, 3 * size, modules, rows), dtype),
        weights=np.empty((steps, heads, modules, modules, rows), dtype),
        message=np.empty((steps, size, modules, rows), dtype),
        d_three=np.empty((sizes.chunk, 3 * size, modules, rows), dtype),
    )


@answers(stages.exchange, PairwiseRoom)
def exchange(t: int, room: Any, weights: Any, candidate: Any, active: Any) -> None:
    size, modules = room.message.shape[1], candidate.shape[1]
    three = room.three[t]
    for k in range(modules):
        product(three[:, k], weights.query_key_value[k].T, candidate[:, k], ZERO, weights.unused)
    attend(
        *(three[:size], three[size : 2 * size], three[2 * size :], room.scale[0], modules),
        *(room.weights[t], room.message[t]),
    )


@answers(stages.exchange_backward, PairwiseRoom)
def exchange_backward(
    t: int, slot: int, room: Any, weights: Any, candidate: Any, active: Any, slopes: Any
) -> None:
    size, modules = room.message.shape[1], candidate.shape[1]
    three, d_three = room.three[t], room.d_three[slot]
    attend_backward(
        *(three[:size], three[size : 2 * size], three[2 * size :], room.scale[0]),
        *(room.weights[t], active, slopes.message),
        *(d_three[:size], d_three[size : 2 * size], d_three[2 * size :]),
    )
    for k in range(modules):
        product(
            slopes.candidate[:, k], weights.query_key_value[k], d_three[:, k], ADD, weights.unused
        )


@answers(stages.exchange_gradients, PairwiseRoom)
def exchange_gradients(first: int, count: int, room: Any, candidates: Any, gradients: Any) -> None:
    for k in range(len(gradients.query_key_value)):
        out = gradients.query_key_value[k]
        for s in range(count):
            candidate = candidates[first + s][:, k]
            product(out, room.d_three[s][:, k], candidate.T, ADD, gradients.unused)
