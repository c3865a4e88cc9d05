"""A GRU's whole sequence as one autograd node, CPU only: products by torch, the rest by kernels.

Layout: [features, batch], so that the innermost loop runs over a contiguous batch. The equations
are those of `gru.py`; gates in torch's order r, z, n.
"""

from typing import Any

import torch
from torch import Tensor

from s2lab.agents.cores.fused.elementary import kernel, one_minus, sigmoid, tangent
from s2lab.agents.cores.fused.stages import arrays_of


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


class FusedGRU(torch.autograd.Function):
    """inputs [T, B, I], reset [T, B], h [B, H], weights -> outputs [T, B, H], h."""

    @staticmethod
    def forward(
        ctx: Any,
        inputs: Tensor,
        reset: Tensor,
        hidden: Tensor,
        weight_ih: Tensor,
        weight_hh: Tensor,
        bias_ih: Tensor,
        bias_hn: Tensor,
    ) -> tuple[Tensor, Tensor]:
        steps, rows, _ = inputs.shape
        size = weight_hh.shape[1]
        gates, own = inputs.new_empty(2, steps, 3 * size, rows).unbind(0)
        weight = weight_ih.expand(steps, -1, -1)
        torch.baddbmm(bias_ih.view(1, -1, 1), weight, inputs.transpose(1, 2), out=gates)
        hiddens = inputs.new_empty(steps, size, rows)
        hidden, bias = hidden.t().contiguous(), bias_hn.numpy()
        resets = reset.any(1).tolist()
        before: list[Tensor] = []
        views = (own.unbind(0), arrays_of(own), arrays_of(gates), arrays_of(hiddens))
        for t, (product, *arrays) in enumerate(zip(*views, strict=True)):
            if resets[t]:
                hidden = hidden.masked_fill(reset[t], 0)
            before.append(hidden)
            torch.mm(weight_hh, hidden, out=product)
            own_rows, gate_rows, hidden_rows = arrays
            step(gate_rows, own_rows, bias, hidden.numpy(), hidden_rows)
            hidden = hiddens[t]
        ctx.save_for_backward(inputs, reset, weight_ih, weight_hh)
        ctx.kept = (gates, own, before, resets)
        return hiddens.transpose(1, 2).contiguous(), hidden.t().contiguous()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, d_outputs: Tensor, d_hidden: Tensor) -> Any:
        inputs, reset, weight_ih, weight_hh = ctx.saved_tensors
        gates, own, before, resets = ctx.kept
        d_hidden = d_hidden.t().clone(memory_format=torch.contiguous_format)
        d_gates, d_own = torch.empty_like(gates[0]), torch.empty_like(gates[0])
        d_inputs = torch.empty_like(inputs)
        d_ih, d_hh = torch.zeros_like(weight_ih), torch.zeros_like(weight_hh)
        d_bias_ih, d_bias_hn = inputs.new_zeros(len(d_gates), 1), torch.zeros_like(d_hidden)
        ones, hh_t, gates_t = inputs.new_ones(inputs.shape[1], 1), weight_hh.t(), d_gates.t()
        arriving = d_outputs.transpose(1, 2).unbind(0)  # [H, B] each
        d_rows = d_hidden.numpy(), d_gates.numpy(), d_own.numpy()
        gate_steps, own_steps = arrays_of(gates), arrays_of(own)
        d_last = d_own[2 * len(d_hidden) :]  # [H, B]
        for t in reversed(range(len(inputs))):
            d_hidden += arriving[t]
            step_backward(gate_steps[t], own_steps[t], before[t].numpy(), *d_rows)
            d_hidden.addmm_(hh_t, d_own)
            d_hh.addmm_(d_own, before[t].t())
            d_ih.addmm_(d_gates, inputs[t])
            d_bias_ih.addmm_(d_gates, ones)
            d_bias_hn += d_last
            torch.mm(gates_t, weight_ih, out=d_inputs[t])
            if resets[t]:
                d_hidden.masked_fill_(reset[t], 0)
        biases = d_bias_ih.squeeze(1), d_bias_hn.sum(1)
        return d_inputs, None, d_hidden.t(), d_ih, d_hh, *biases
