"""`GatedMessage` and the masked update for T steps, fused: see `stages.py` for what a stage is."""

from typing import Any, NamedTuple

import numpy as np

from s2lab.agents.cores.fused import lstm_kernels
from s2lab.agents.cores.fused.elementary import kernel
from s2lab.agents.cores.fused.products import ADD, BIAS, ZERO, add_sums, product
from s2lab.agents.cores.fused.stages import Sizes


class UpdateRoom(NamedTuple):
    """`gate` and its scratch are empty without communication."""

    hidden: np.ndarray
    """[T + 1, H, K, B], entering each step."""
    gate: np.ndarray
    """[T, 2H, K * B], sigmoid(gate) and tanh(content)."""
    d_gate: np.ndarray
    """[chunk, 2H, K * B]"""


class UpdateWeights(NamedTuple):
    """Of `GatedMessage`."""

    weight: np.ndarray
    """[2H, D]"""
    bias: np.ndarray
    """[2H]"""


def update_room(sizes: Sizes, dtype: Any, messages: bool) -> UpdateRoom:
    """Buffers of T steps."""
    count, gates = sizes.modules * sizes.rows, 2 * sizes.units if messages else 0
    return UpdateRoom(
        hidden=np.empty((sizes.steps + 1, sizes.units, sizes.modules, sizes.rows), dtype),
        gate=np.empty((sizes.steps, gates, count), dtype),
        d_gate=np.empty((sizes.chunk, gates, count), dtype),
    )


@kernel
def update(t: int, room: Any, weights: Any, candidate: Any, active: Any, message: Any) -> None:
    """hidden[t + 1] from candidate [H, K, B], active [K, B] and message [D, K, B]."""
    units, modules, rows = candidate.shape
    flat, count = (units, modules * rows), modules * rows
    messages = message.reshape((len(message), count))
    product(room.gate[t], weights.weight, messages, BIAS, weights.bias)
    lstm_kernels.update(
        *(room.gate[t], active.reshape(count), candidate.reshape(flat)),
        *(room.hidden[t].reshape(flat), room.hidden[t + 1].reshape(flat)),
    )


@kernel
def keep(t: int, room: Any, candidate: Any, active: Any) -> None:
    """hidden[t + 1] without communication."""
    units, modules, rows = candidate.shape
    flat = (units, modules * rows)
    lstm_kernels.keep(
        *(active.reshape(modules * rows), candidate.reshape(flat)),
        *(room.hidden[t].reshape(flat), room.hidden[t + 1].reshape(flat)),
    )


@kernel
def update_backward(t: int, slot: int, room: Any, weights: Any, active: Any, slopes: Any) -> None:
    """Writes the slopes of candidate and message; takes that of the hidden state back."""
    units, modules, rows = slopes.hidden.shape
    flat, count = (units, modules * rows), modules * rows
    lstm_kernels.update_backward(
        *(room.gate[t], active.reshape(count), slopes.hidden.reshape(flat)),
        *(slopes.candidate.reshape(flat), room.d_gate[slot]),
    )
    d_message = slopes.message.reshape((len(slopes.message), count))
    product(d_message, weights.weight.T, room.d_gate[slot], ZERO, weights.bias)


@kernel
def keep_backward(active: Any, slopes: Any) -> None:
    """As `update_backward`, without communication."""
    units, modules, rows = slopes.hidden.shape
    flat = (units, modules * rows)
    lstm_kernels.keep_backward(
        active.reshape(modules * rows), slopes.hidden.reshape(flat), slopes.candidate.reshape(flat)
    )


@kernel
def update_gradients(first: int, count: int, room: Any, messages: Any, gradients: Any) -> None:
    """Adds one chunk to the gradients of the weights; messages [T, D, K, B]."""
    for s in range(count):
        message = messages[first + s].reshape((messages.shape[1], room.gate.shape[2]))
        product(gradients.weight, room.d_gate[s], message.T, ADD, gradients.bias)
        add_sums(gradients.bias, room.d_gate[s])
