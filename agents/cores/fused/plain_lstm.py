"""An LSTM's whole sequence as one autograd node, CPU only: one kernel for each direction.

Layout: [features, batch], so that the innermost loop runs over a contiguous batch. The equations
are those of `lstm.py`; gates in torch's order i, f, g, o.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from s2lab.agents.cores.fused.elementary import kernel, one_minus, sigmoid, tangent
from s2lab.agents.cores.fused.products import ADD, BIAS, ZERO, add_sums, compile_products, product
from s2lab.agents.cores.fused.rows import arrive, forget, show


@kernel
def step(gates: Any, before: Any, squashed: Any, cell: Any, hidden: Any) -> None:
    """gates [4H, B] are overwritten by their values; tanh of the cell, cell and hidden [H, B] are
    written."""
    size, rows = cell.shape
    for j in range(size):
        for n in range(rows):
            i, f = sigmoid(gates[j, n]), sigmoid(gates[size + j, n])
            g, o = tangent(gates[2 * size + j, n]), sigmoid(gates[3 * size + j, n])
            gates[j, n] = i
            gates[size + j, n] = f
            gates[2 * size + j, n] = g
            gates[3 * size + j, n] = o
            new = f * before[j, n] + i * g
            t = tangent(new)
            cell[j, n] = new
            squashed[j, n] = t
            hidden[j, n] = o * t


@kernel
def step_backward(
    gates: Any, before: Any, squashed: Any, d_hidden: Any, d_cell: Any, d_gates: Any
) -> None:
    """`d_cell` [H, B] comes in for the new cell and goes out for the old; `d_gates` is written."""
    size, rows = before.shape
    for j in range(size):
        for n in range(rows):
            o, d_h, t = gates[3 * size + j, n], d_hidden[j, n], squashed[j, n]
            d_gates[3 * size + j, n] = d_h * t * o * one_minus(o)
            d_gates[j, n] = d_cell[j, n] + d_h * o * one_minus(t * t)
        for n in range(rows):
            f, d_new = gates[size + j, n], d_gates[j, n]
            d_gates[size + j, n] = d_new * before[j, n] * f * one_minus(f)
            d_cell[j, n] = d_new * f
        for n in range(rows):
            i, g, d_new = gates[j, n], gates[2 * size + j, n], d_gates[j, n]
            d_gates[j, n] = d_new * g * i * one_minus(i)
            d_gates[2 * size + j, n] = d_new * i * one_minus(g * g)


@kernel
def forward(
    inputs: Any,
    reset: Any,
    any_reset: Any,
    into: Any,
    own: Any,
    bias: Any,
    gates: Any,
    squashed: Any,
    cells: Any,
    hiddens: Any,
    outputs: Any,
) -> None:
    """Inputs [T, B, I], gates [T, 4H, B]; cells and hiddens [T + 1, H, B] enter each step."""
    for t in range(len(inputs)):
        product(gates[t], into, inputs[t].T, BIAS, bias)
    for t in range(len(inputs)):
        if any_reset[t]:
            forget(hiddens[t], reset[t])
            forget(cells[t], reset[t])
        product(gates[t], own, hiddens[t], ADD, bias)
        step(gates[t], cells[t], squashed[t], cells[t + 1], hiddens[t + 1])
        show(hiddens[t + 1], outputs[t])


@kernel
def backward(
    inputs: Any,
    reset: Any,
    any_reset: Any,
    into: Any,
    own: Any,
    gates: Any,
    squashed: Any,
    cells: Any,
    hiddens: Any,
    d_outputs: Any,
    d_hidden: Any,
    d_cell: Any,
    d_gates: Any,
    d_inputs: Any,
    d_into: Any,
    d_own: Any,
    d_bias: Any,
) -> None:
    """Slopes of hidden and cell [H, B] come in for the last state and go out for the first.

    `d_inputs` is written, or empty where nobody asks; gradients of weights are added to.
    """
    for t in range(len(inputs) - 1, -1, -1):
        arrive(d_outputs[t], d_hidden)
        step_backward(gates[t], cells[t], squashed[t], d_hidden, d_cell, d_gates)
        product(d_hidden, own.T, d_gates, ZERO, d_bias)
        product(d_own, d_gates, hiddens[t].T, ADD, d_bias)
        product(d_into, d_gates, inputs[t], ADD, d_bias)
        add_sums(d_bias, d_gates)
        if len(d_inputs) > 0:
            product(d_inputs[t], d_gates.T, into, ZERO, d_bias)
        if any_reset[t]:
            forget(d_hidden, reset[t])
            forget(d_cell, reset[t])


class FusedLSTM(torch.autograd.Function):
    """inputs [T, B, I], reset [T, B], h and c [B, H], weights -> outputs [T, B, H], h, c."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, reset: Tensor, *tensors: Tensor) -> Any:
        ctx.save_for_backward(*tensors[2:])
        given = inputs.detach().contiguous().numpy()
        hidden, cell, into, own, bias = (t.detach().contiguous().numpy() for t in tensors)
        compile_products(str(given.dtype))
        steps, rows, _ = given.shape
        size = own.shape[1]
        gates, squashed, cells, hiddens = (
            np.empty(shape, given.dtype)
            for shape in (
                *((steps, 4 * size, rows), (steps, size, rows)),
                *((steps + 1, size, rows), (steps + 1, size, rows)),
            )
        )
        hiddens[0], cells[0] = hidden.T, cell.T
        outputs = np.empty((steps, rows, size), given.dtype)
        flags = reset.numpy()
        clock = (given, flags, flags.any(1), into, own)
        kept = (gates, squashed, cells, hiddens)
        forward(*clock, bias, *kept, outputs)
        ctx.clock, ctx.kept = clock, kept
        after = (torch.from_numpy(np.ascontiguousarray(x[-1].T)) for x in (hiddens, cells))
        return torch.from_numpy(outputs), *after

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, d_outputs: Tensor, d_hidden: Tensor, d_cell: Tensor) -> Any:
        _ = ctx.saved_tensors  # complains where weights have changed since
        inputs, _, _, into, own = ctx.clock
        slopes = [np.array(d.numpy().T, order="C") for d in (d_hidden, d_cell)]
        d_gates = np.empty_like(ctx.kept[0][0])
        d_inputs = np.empty(inputs.shape if ctx.needs_input_grad[0] else (0, 0, 0), inputs.dtype)
        sums = (np.zeros_like(into), np.zeros_like(own), np.zeros(len(own), own.dtype))
        arriving = d_outputs.contiguous().numpy()
        backward(*(*ctx.clock, *ctx.kept, arriving, *slopes, d_gates, d_inputs, *sums))
        d_in = torch.from_numpy(d_inputs) if len(d_inputs) else None
        before = (torch.from_numpy(slope.T) for slope in slopes)
        return d_in, None, *before, *(torch.from_numpy(total) for total in sums)
