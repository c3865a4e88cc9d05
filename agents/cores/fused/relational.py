"""A relational memory core's whole sequence as one autograd node, CPU only.

Layout: [features, slots, batch], so that the innermost loop runs over a contiguous batch. The
kernels are in `relational_kernels.py`; D features of a slot, S slots, M = S * B columns.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from s2lab.agents.cores.fused.products import compile_products
from s2lab.agents.cores.fused.relational_kernels import backward, forward
from s2lab.agents.cores.fused.sequence import padded, with_rows


class Clock(NamedTuple):
    """What arrives from outside."""

    inputs: np.ndarray
    """[T, B, I]"""
    reset: np.ndarray
    """bool [T, B]"""
    any_reset: np.ndarray
    """bool [T]"""
    fresh: np.ndarray
    """[D, S], the memory of a reset row."""


class Weights(NamedTuple):
    """In the order of `RMCCore.parameters`; gradients have the same form."""

    embed: np.ndarray
    """[D, I]"""
    embed_bias: np.ndarray
    """[D]"""
    query: np.ndarray
    """[D, D]"""
    key_value: np.ndarray
    """[2D, D]"""
    norm: np.ndarray
    """[D]"""
    norm_bias: np.ndarray
    """[D]"""
    think: np.ndarray
    """[D, D]"""
    think_bias: np.ndarray
    """[D]"""
    conclude: np.ndarray
    """[D, D]"""
    conclude_bias: np.ndarray
    """[D]"""
    last_norm: np.ndarray
    """[D]"""
    last_norm_bias: np.ndarray
    """[D]"""
    gate: np.ndarray
    """[2D, D]"""
    gate_bias: np.ndarray
    """[2D]"""
    drive: np.ndarray
    """[2D, D]"""


class Room(NamedTuple):
    """What the backward pass needs of T steps."""

    scale: np.ndarray
    """[1], of the scores."""
    embedded: np.ndarray
    """[T, D, B]"""
    driven: np.ndarray
    """[T, 2D, B]"""
    ask: np.ndarray
    """[T, D, S, B], queries."""
    offer: np.ndarray
    """[T, 2D, S + 1, B], keys and values: of the slots, then of the input."""
    looked: np.ndarray
    """[T, heads, S, S + 1, B], weights of the attention."""
    scaled: np.ndarray
    """[T, 2, D, M], normalised before weight and bias, after attention and after thinking."""
    spread: np.ndarray
    """[T, 2, M], 1 / standard deviation."""
    first: np.ndarray
    """[T, D, M], the slots after attention."""
    inner: np.ndarray
    """[T, D, M], the hidden layer of the thinking."""
    tanh: np.ndarray
    """[T, D, M], of the memory that enters the step."""
    squashed: np.ndarray
    """[T, D, S, B], tanh of the proposal."""
    gate: np.ndarray
    """[T, 2D, S, B]"""
    memory: np.ndarray
    """[T + 1, D, S, B], what enters each step."""
    one: np.ndarray
    """[D, S, B], scratch."""
    two: np.ndarray
    """[D, S, B], scratch."""


class Slopes(NamedTuple):
    """Gradients on their way; all but `memory` and `norms` are scratch of one step."""

    memory: np.ndarray
    """[D, S, B]: comes in for the last memory and goes out for the first."""
    norms: np.ndarray
    """[4, D, M], of the layer norms, to be summed over columns; begin as zeros."""
    ask: np.ndarray
    """[D, S, B]"""
    offer: np.ndarray
    """[2D, S + 1, B]"""
    inner: np.ndarray
    """[D, M]"""
    gate: np.ndarray
    """[2D, S, B]"""
    driven: np.ndarray
    """[2D, B]"""
    embedded: np.ndarray
    """[D, B]"""
    everyone: np.ndarray
    """[S + 1, B], ones."""


def make_room(steps: int, size: int, slots: int, rows: int, heads: int, kind: Any) -> Room:
    """Buffers for sequences of `steps`."""
    columns, cube = slots * rows, (size, slots, rows)
    shapes = {
        "embedded": (steps, size, rows),
        "driven": (steps, 2 * size, rows),
        "ask": (steps, *cube),
        "offer": (steps, 2 * size, slots + 1, rows),
        "looked": (steps, heads, slots, slots + 1, rows),
        "scaled": (steps, 2, size, columns),
        "spread": (steps, 2, columns),
        "first": (steps, size, columns),
        "inner": (steps, size, columns),
        "tanh": (steps, size, columns),
        "squashed": (steps, *cube),
        "gate": (steps, 2 * size, slots, rows),
        "memory": (steps + 1, *cube),
        "one": cube,
        "two": cube,
    }
    scale = np.array([(size // heads) ** -0.5], kind)
    return Room(scale, *(np.empty(shapes[name], kind) for name in Room._fields[1:]))


def make_slopes(room: Room, memory: np.ndarray) -> Slopes:
    """For one backward pass that begins with the slope of the last memory [D, S, B]."""
    size, slots, rows = memory.shape
    kind = memory.dtype
    names = ("ask", "offer", "inner", "gate", "driven", "embedded")
    return Slopes(
        memory,
        np.zeros((4, size, slots * rows), kind),
        everyone=np.ones((slots + 1, rows), kind),
        **{name: np.empty_like(getattr(room, name)[0]) for name in names},
    )


class FusedRMC(torch.autograd.Function):
    """inputs [T, B, I], reset [T, B], memory [B, S, D], weights -> outputs [T, B, S * D], memory.

    `fresh` [S, D] is the memory of a reset row.
    """

    @staticmethod
    def forward(
        ctx: Any,
        heads: int,
        reset: Tensor,
        fresh: Tensor,
        inputs: Tensor,
        memory: Tensor,
        *parameters: Tensor,
    ) -> Any:
        ctx.save_for_backward(*parameters)
        steps, batch, _ = inputs.shape
        slots, size = memory.shape[1:]
        rows = padded(batch, inputs.dtype.itemsize)
        given = with_rows(inputs.detach().contiguous().numpy(), rows, 1)
        compile_products(str(given.dtype))
        flags = with_rows(reset.numpy(), rows, 1)
        clock = Clock(given, flags, np.asarray(flags.any(1)), np.ascontiguousarray(fresh.numpy().T))
        weights = Weights(*(part.detach().contiguous().numpy() for part in parameters))
        room = make_room(steps, size, slots, rows, heads, given.dtype)
        room.memory[0] = with_rows(memory.detach().numpy().T, rows, 2)
        outputs = np.empty((steps, batch, slots * size), given.dtype)
        forward(clock, weights, room, outputs)
        ctx.clock, ctx.weights, ctx.room = clock, weights, room
        after = np.ascontiguousarray(room.memory[-1].T[:batch])
        return torch.from_numpy(outputs), torch.from_numpy(after)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, d_outputs: Tensor, d_memory: Tensor) -> Any:
        _ = ctx.saved_tensors  # complains where weights have changed since
        clock, weights, room = ctx.clock, ctx.weights, ctx.room
        steps, rows, width = clock.inputs.shape
        batch = d_outputs.shape[1]
        slopes = make_slopes(room, np.ascontiguousarray(with_rows(d_memory.numpy().T, rows, 2)))
        shape = (steps, rows, width) if ctx.needs_input_grad[3] else (0, 0, 0)
        d_inputs = np.empty(shape, clock.inputs.dtype)
        gradients = Weights(*(np.zeros_like(weight) for weight in weights))
        arriving = d_outputs.contiguous().numpy()
        backward(clock, weights, room, slopes, gradients, arriving, d_inputs)
        d_in = torch.from_numpy(d_inputs[:, :batch]) if len(d_inputs) else None
        before = torch.from_numpy(np.ascontiguousarray(slopes.memory.T[:batch]))
        return None, None, None, d_in, before, *(torch.from_numpy(g) for g in gradients)
