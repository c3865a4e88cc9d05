"""A GRU's whole sequence as one autograd node, CPU only: one kernel for each direction.

Layout: [features, batch], so that the innermost loop runs over a contiguous batch. The equations
are those of `gru.py`; gates in torch's order r, z, n.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from s2lab.agents.cores.fused.elementary import kernel, one_minus, sigmoid, tangent
from s2lab.agents.cores.fused.products import ADD, BIAS, ZERO, add_sums, compile_products, product
from s2lab.agents.cores.fused.rows import arrive, forget, show


@kernel
def step(gates: Any, own: Any, bias: Any, before: Any, hidden: Any) -> None:
    """gates [3H, B] hold what the input drives and are overwritten by r, z and n.

    `own` [3H, B] is what the state drives; its last part takes `bias` [H]. `hidden` is written.
    """
    size, rows = before.shape
    for j in range(size):
        b = bias[j]
        for n in range(rows):
            r = sigmoid(gates[j, n] + own[j, n])
            z = sigmoid(gates[size + j, n] + own[size + j, n])
            inner = own[2 * size + j, n] + b
            c = tangent(gates[2 * size + j, n] + r * inner)
            own[2 * size + j, n] = inner
            gates[j, n] = r
            gates[size + j, n] = z
            gates[2 * size + j, n] = c
            hidden[j, n] = c + z * (before[j, n] - c)


@kernel
def step_backward(
    gates: Any, own: Any, before: Any, d_hidden: Any, d_gates: Any, d_own: Any
) -> None:
    """`d_hidden` [H, B] comes in for the new state and goes out for what is kept of the old.

    `d_gates` and `d_own` [3H, B], of what input and state drive, are written.
    """
    size, rows = before.shape
    for j in range(size):
        for n in range(rows):
            z, c, d_h = gates[size + j, n], gates[2 * size + j, n], d_hidden[j, n]
            d_z = d_h * (before[j, n] - c) * z * one_minus(z)
            d_gates[size + j, n] = d_z
            d_own[size + j, n] = d_z
            d_gates[2 * size + j, n] = d_h * one_minus(z) * one_minus(c * c)
            d_hidden[j, n] = d_h * z
        for n in range(rows):
            r, d_n = gates[j, n], d_gates[2 * size + j, n]
            d_r = d_n * own[2 * size + j, n] * r * one_minus(r)
            d_gates[j, n] = d_r
            d_own[j, n] = d_r
            d_own[2 * size + j, n] = d_n * r


@kernel
def forward(
    inputs: Any,
    reset: Any,
    any_reset: Any,
    into: Any,
    recurrent: Any,
    bias: Any,
    bias_n: Any,
    gates: Any,
    own: Any,
    hiddens: Any,
    outputs: Any,
) -> None:
    """Inputs [T, B, I], gates and own [T, 3H, B]; hiddens [T + 1, H, B] enter each step."""
    for t in range(len(inputs)):
        product(gates[t], into, inputs[t].T, BIAS, bias)
    for t in range(len(inputs)):
        if any_reset[t]:
            forget(hiddens[t], reset[t])
        product(own[t], recurrent, hiddens[t], ZERO, bias)
        step(gates[t], own[t], bias_n, hiddens[t], hiddens[t + 1])
        show(hiddens[t + 1], outputs[t])


@kernel
def backward(
    inputs: Any,
    reset: Any,
    any_reset: Any,
    into: Any,
    recurrent: Any,
    gates: Any,
    own: Any,
    hiddens: Any,
    d_outputs: Any,
    d_hidden: Any,
    d_gates: Any,
    d_own: Any,
    d_inputs: Any,
    d_into: Any,
    d_recurrent: Any,
    d_bias: Any,
    d_bias_n: Any,
) -> None:
    """The slope of hidden [H, B] comes in for the last state and goes out for the first.

    `d_inputs` is written, or empty where nobody asks; gradients of weights are added to.
    """
    for t in range(len(inputs) - 1, -1, -1):
        arrive(d_outputs[t], d_hidden)
        step_backward(gates[t], own[t], hiddens[t], d_hidden, d_gates, d_own)
        product(d_hidden, recurrent.T, d_own, ADD, d_bias)
        product(d_recurrent, d_own, hiddens[t].T, ADD, d_bias)
        product(d_into, d_gates, inputs[t], ADD, d_bias)
        add_sums(d_bias, d_gates)
        add_sums(d_bias_n, d_own[2 * len(d_hidden) :])
        if len(d_inputs) > 0:
            product(d_inputs[t], d_gates.T, into, ZERO, d_bias)
        if any_reset[t]:
            forget(d_hidden, reset[t])


class FusedGRU(torch.autograd.Function):
    """inputs [T, B, I], reset [T, B], h [B, H], weights -> outputs [T, B, H], h."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, reset: Tensor, *tensors: Tensor) -> Any:
        ctx.save_for_backward(*tensors[1:])
        given = inputs.detach().contiguous().numpy()
        hidden, into, recurrent, *biases = (t.detach().contiguous().numpy() for t in tensors)
        compile_products(str(given.dtype))
        steps, rows, _ = given.shape
        size = recurrent.shape[1]
        gates, own = (np.empty((steps, 3 * size, rows), given.dtype) for _ in range(2))
        hiddens = np.empty((steps + 1, size, rows), given.dtype)
        hiddens[0] = hidden.T
        outputs = np.empty((steps, rows, size), given.dtype)
        flags = reset.numpy()
        clock, kept = (given, flags, flags.any(1), into, recurrent), (gates, own, hiddens)
        forward(*(*clock, *biases, *kept, outputs))
        ctx.clock, ctx.kept = clock, kept
        return torch.from_numpy(outputs), torch.from_numpy(np.ascontiguousarray(hiddens[-1].T))

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, d_outputs: Tensor, d_hidden: Tensor) -> Any:
        _ = ctx.saved_tensors  # complains where weights have changed since
        inputs, _, _, into, recurrent = ctx.clock
        slope = np.array(d_hidden.numpy().T, order="C")
        scratch = [np.empty_like(ctx.kept[0][0]) for _ in range(2)]
        d_inputs = np.empty(inputs.shape if ctx.needs_input_grad[0] else (0, 0, 0), inputs.dtype)
        sums = [np.zeros_like(into), np.zeros_like(recurrent)]
        sums += [np.zeros(size, into.dtype) for size in (len(into), len(slope))]
        arriving = d_outputs.contiguous().numpy()
        backward(*(*ctx.clock, *ctx.kept, arriving, slope, *scratch, d_inputs, *sums))
        d_in = torch.from_numpy(d_inputs) if len(d_inputs) else None
        return d_in, None, torch.from_numpy(slope.T), *(torch.from_numpy(x) for x in sums)
