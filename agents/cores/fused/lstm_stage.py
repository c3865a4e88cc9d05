"""`LSTMModules.propose` for T steps, fused: see `stages.py` for what a stage is."""

from typing import Any, NamedTuple

import numpy as np

from s2lab.agents.cores.fused import stages
from s2lab.agents.cores.fused.lstm_kernels import cell, cell_backward, compete, compete_backward
from s2lab.agents.cores.fused.products import ADD, BIAS, ZERO, add_sums, product
from s2lab.agents.cores.fused.stages import Sizes, answers


class LSTMRoom(NamedTuple):
    """F = 4H + d: gates i f g o, then the query; D = d + 4H * K: the key, then all drives."""

    active_count: np.ndarray
    """[1], k_A."""
    driven: np.ndarray
    """[T, D, B]"""
    own: np.ndarray
    """[T, F, K, B]"""
    attention: np.ndarray
    """[T, K, B]"""
    active: np.ndarray
    """[T, K, B], 1 or 0."""
    candidate: np.ndarray
    """[T, H, K, B]"""
    squashed: np.ndarray
    """[T, H, K, B], tanh of the candidate's cell."""
    cell: np.ndarray
    """[T + 1, H, K, B], entering each step."""
    d_own: np.ndarray
    """[chunk, F, K, B]"""
    d_driven: np.ndarray
    """[chunk, D, B]"""
    d_attention: np.ndarray
    """[K, B]"""


class LSTMWeights(NamedTuple):
    """See `plans.lstm_parameters`."""

    into: np.ndarray
    """[D, I]"""
    into_bias: np.ndarray
    """[D]"""
    recurrent: np.ndarray
    """[K, H, F]; its gradient is [K, F, H]."""
    bias: np.ndarray
    """[K, F]"""


def lstm_room(sizes: Sizes, dtype: Any) -> LSTMRoom:
    """Buffers of T steps."""
    steps, rows, modules, units = sizes.steps, sizes.rows, sizes.modules, sizes.units
    width, into = 4 * units + sizes.key, sizes.key + 4 * units * modules

    def new(*shape: int) -> np.ndarray:
        return np.empty(shape, dtype)

    return LSTMRoom(
        active_count=np.array([sizes.active]),
        driven=new(steps, into, rows),
        own=new(steps, width, modules, rows),
        attention=new(steps, modules, rows),
        active=new(steps, modules, rows),
        candidate=new(steps, units, modules, rows),
        squashed=new(steps, units, modules, rows),
        cell=new(steps + 1, units, modules, rows),
        d_own=new(sizes.chunk, width, modules, rows),
        d_driven=new(sizes.chunk, into, rows),
        d_attention=new(modules, rows),
    )


@answers(stages.begin, LSTMRoom)
def begin(room: Any, weights: Any, inputs: Any) -> None:
    for t in range(len(inputs)):
        product(room.driven[t], weights.into, inputs[t].T, BIAS, weights.into_bias)


@answers(stages.propose, LSTMRoom)
def propose(t: int, room: Any, weights: Any, hidden: Any) -> None:
    units, modules, rows = hidden.shape
    own, driven, key = room.own[t], room.driven[t], len(room.driven[t]) - 4 * units * modules
    for k in range(modules):
        product(own[:, k], weights.recurrent[k].T, hidden[:, k], BIAS, weights.bias[k])
    compete(own[4 * units :], driven[:key], room.active_count[0], room.attention[t], room.active[t])
    flat, count = (units, modules * rows), modules * rows
    cell(
        own[: 4 * units].reshape((4 * units, count)),
        driven[key:].reshape((4 * units, count)),
        room.attention[t].reshape(count),
        room.active[t].reshape(count),
        room.cell[t].reshape(flat),
        room.candidate[t].reshape(flat),
        room.squashed[t].reshape(flat),
        room.cell[t + 1].reshape(flat),
    )


@answers(stages.propose_backward, LSTMRoom)
def propose_backward(t: int, slot: int, room: Any, weights: Any, hidden: Any, slopes: Any) -> None:
    units, modules, rows = hidden.shape
    own, driven, key = room.own[t], room.driven[t], len(room.driven[t]) - 4 * units * modules
    d_own, d_driven = room.d_own[slot], room.d_driven[slot]
    flat, count = (units, modules * rows), modules * rows
    cell_backward(
        own[: 4 * units].reshape((4 * units, count)),
        driven[key:].reshape((4 * units, count)),
        room.attention[t].reshape(count),
        room.active[t].reshape(count),
        room.cell[t].reshape(flat),
        room.squashed[t].reshape(flat),
        slopes.candidate.reshape(flat),
        slopes.cell.reshape(flat),
        d_own[: 4 * units].reshape((4 * units, count)),
        d_driven[key:].reshape((4 * units, count)),
        room.d_attention.reshape(count),
    )
    compete_backward(
        *(own[4 * units :], driven[:key], room.attention[t], room.d_attention),
        *(d_own[4 * units :], d_driven[:key]),
    )
    for k in range(modules):
        product(slopes.hidden[:, k], weights.recurrent[k], d_own[:, k], ADD, weights.bias[k])


@answers(stages.propose_gradients, LSTMRoom)
def propose_gradients(
    first: int, count: int, room: Any, inputs: Any, hidden: Any, gradients: Any
) -> None:
    for k in range(len(gradients.bias)):
        for s in range(count):
            d_own = room.d_own[s][:, k]
            product(
                gradients.recurrent[k], d_own, hidden[first + s][:, k].T, ADD, gradients.bias[k]
            )
            add_sums(gradients.bias[k], d_own)
    for s in range(count):
        product(gradients.into, room.d_driven[s], inputs[first + s], ADD, gradients.into_bias)
        add_sums(gradients.into_bias, room.d_driven[s])


@answers(stages.inputs_backward, LSTMRoom)
def inputs_backward(first: int, count: int, room: Any, weights: Any, d_inputs: Any) -> None:
    for s in range(count):
        product(d_inputs[first + s], room.d_driven[s].T, weights.into, ZERO, weights.into_bias)
