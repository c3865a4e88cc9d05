"""An LSTM's whole sequence as one autograd node, CPU only: products by torch, the rest by kernels.

Layout: [features, batch], so that the innermost loop runs over a contiguous batch. The equations
are those of `lstm.py`; gates in torch's order i, f, g, o.
"""

from typing import Any

import torch
from torch import Tensor

from s2lab.agents.cores.fused.elementary import kernel, one_minus, sigmoid, tangent
from s2lab.agents.cores.fused.stages import arrays_of


@kernel
def step(gates: Any, before: Any, cell: Any, hidden: Any) -> None:
    """gates [4H, B] are overwritten by their values; cell and hidden [H, B] are written."""
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
            cell[j, n] = new
            hidden[j, n] = o * tangent(new)


@kernel
def step_backward(
    gates: Any, before: Any, cell: Any, d_hidden: Any, d_cell: Any, d_gates: Any
) -> None:
    """`d_cell` [H, B] comes in for the new cell and goes out for the old; `d_gates` is written."""
    size, rows = cell.shape
    for j in range(size):
        for n in range(rows):
            o, d_h, t = gates[3 * size + j, n], d_hidden[j, n], tangent(cell[j, n])
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


class FusedLSTM(torch.autograd.Function):
    """inputs [T, B, I], reset [T, B], h and c [B, H], weights -> outputs [T, B, H], h, c."""

    @staticmethod
    def forward(
        ctx: Any,
        inputs: Tensor,
        reset: Tensor,
        hidden: Tensor,
        cell: Tensor,
        weight_ih: Tensor,
        weight_hh: Tensor,
        bias: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        steps, rows, _ = inputs.shape
        size = weight_hh.shape[1]
        gates = inputs.new_empty(steps, 4 * size, rows)
        weight = weight_ih.expand(steps, -1, -1)
        torch.baddbmm(bias.view(1, -1, 1), weight, inputs.transpose(1, 2), out=gates)
        hiddens, cells = inputs.new_empty(2, steps, size, rows).unbind(0)
        hidden, cell = hidden.t().contiguous(), cell.t().contiguous()
        resets = reset.any(1).tolist()
        before: list[tuple[Tensor, Tensor]] = []
        views = (gates.unbind(0), arrays_of(gates), arrays_of(cells), arrays_of(hiddens))
        for t, (product, *rows_of_step) in enumerate(zip(*views, strict=True)):
            if resets[t]:
                hidden, cell = hidden.masked_fill(reset[t], 0), cell.masked_fill(reset[t], 0)
            before.append((hidden, cell))
            product.addmm_(weight_hh, hidden)
            gate_rows, cell_rows, hidden_rows = rows_of_step
            step(gate_rows, cell.numpy(), cell_rows, hidden_rows)
            hidden, cell = hiddens[t], cells[t]
        ctx.save_for_backward(inputs, reset, weight_ih, weight_hh)
        ctx.kept = (gates, cells, before, resets)
        outputs = hiddens.transpose(1, 2).contiguous()
        return outputs, hidden.t().contiguous(), cell.t().contiguous()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, d_outputs: Tensor, d_hidden: Tensor, d_cell: Tensor) -> Any:
        inputs, reset, weight_ih, weight_hh = ctx.saved_tensors
        gates, cells, before, resets = ctx.kept
        d_hidden, d_cell = (
            d.t().clone(memory_format=torch.contiguous_format) for d in (d_hidden, d_cell)
        )
        d_gates = torch.empty_like(gates[0])
        d_inputs = torch.empty_like(inputs)
        d_ih, d_hh = torch.zeros_like(weight_ih), torch.zeros_like(weight_hh)
        d_bias, ones = inputs.new_zeros(len(weight_hh), 1), inputs.new_ones(inputs.shape[1], 1)
        hh_t, gates_t = weight_hh.t(), d_gates.t()
        arriving = d_outputs.transpose(1, 2).unbind(0)  # [H, B] each
        hidden_rows, cell_rows, gate_rows = d_hidden.numpy(), d_cell.numpy(), d_gates.numpy()
        gate_steps, cell_steps = arrays_of(gates), arrays_of(cells)
        for t in reversed(range(len(inputs))):
            old_hidden, old_cell = before[t]
            d_hidden += arriving[t]
            step_backward(
                gate_steps[t], old_cell.numpy(), cell_steps[t], hidden_rows, cell_rows, gate_rows
            )
            torch.mm(hh_t, d_gates, out=d_hidden)
            d_hh.addmm_(d_gates, old_hidden.t())
            d_ih.addmm_(d_gates, inputs[t])
            d_bias.addmm_(d_gates, ones)
            torch.mm(gates_t, weight_ih, out=d_inputs[t])
            if resets[t]:
                d_hidden.masked_fill_(reset[t], 0)
                d_cell.masked_fill_(reset[t], 0)
        return d_inputs, None, d_hidden.t(), d_cell.t(), d_ih, d_hh, d_bias.squeeze(1)
