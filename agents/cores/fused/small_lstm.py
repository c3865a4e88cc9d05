"""An LSTM's whole sequence as one autograd node for few rows, CPU only: time runs inside a kernel.

Kernels that work on blocks of rows leave most of a core idle when there are one to four.
Here each row of the weights is read once for all rows of
the batch, and what does not depend on time (inputs, gradients of weights) is one product before or
after. Layout: [batch, features]. The equations are those of `lstm.py`; gates in torch's order.
"""

from typing import Any

import torch
from torch import Tensor

from s2lab.agents.cores.fused.elementary import kernel, one_minus, sigmoid, tangent

MOST_ROWS = 4  # from eight on, `plain_lstm` is faster


@kernel
def add_product(weight: Any, rows: Any, out: Any) -> None:
    """out [B, J] += rows [B, K] @ weight [J, K].T; four divides J."""
    zero = weight.dtype.type(0)
    for j in range(0, weight.shape[0], 4):
        for b in range(rows.shape[0]):
            first, second, third, fourth = zero, zero, zero, zero
            for k in range(weight.shape[1]):
                x = rows[b, k]
                first += weight[j, k] * x
                second += weight[j + 1, k] * x
                third += weight[j + 2, k] * x
                fourth += weight[j + 3, k] * x
            out[b, j] += first
            out[b, j + 1] += second
            out[b, j + 2] += third
            out[b, j + 3] += fourth


@kernel
def product_back(weight: Any, rows: Any, out: Any) -> None:
    """out [B, K] = rows [B, J] @ weight [J, K]; four divides J."""
    out[:] = 0
    for j in range(0, weight.shape[0], 4):
        for b in range(rows.shape[0]):
            first, second = rows[b, j], rows[b, j + 1]
            third, fourth = rows[b, j + 2], rows[b, j + 3]
            for k in range(weight.shape[1]):
                out[b, k] += (
                    first * weight[j, k]
                    + second * weight[j + 1, k]
                    + third * weight[j + 2, k]
                    + fourth * weight[j + 3, k]
                )


@kernel
def run(gates: Any, weight: Any, reset: Any, old_hiddens: Any, old_cells: Any, hiddens: Any,
        cells: Any) -> None:  # fmt: skip
    """All steps.

    Args:
        gates: [T, B, 4H], the inputs' part; overwritten by the gates' values
        weight: [4H, H]
        reset: bool [T, B]
        old_hiddens: [T, B, H], at 0 the state before; written: what each step began with
        old_cells: likewise
        hiddens: [T, B, H], written
        cells: [T, B, H], written
    """
    steps, rows, size = hiddens.shape
    for t in range(steps):
        for n in range(rows):
            if t > 0:
                for j in range(size):
                    old_hiddens[t, n, j] = hiddens[t - 1, n, j]
                    old_cells[t, n, j] = cells[t - 1, n, j]
            if reset[t, n]:
                old_hiddens[t, n] = 0
                old_cells[t, n] = 0
        add_product(weight, old_hiddens[t], gates[t])
        for n in range(rows):
            row, before, cell, hidden = gates[t, n], old_cells[t, n], cells[t, n], hiddens[t, n]
            for j in range(size):
                i, f = sigmoid(row[j]), sigmoid(row[size + j])
                g, o = tangent(row[2 * size + j]), sigmoid(row[3 * size + j])
                row[j] = i
                row[size + j] = f
                row[2 * size + j] = g
                row[3 * size + j] = o
                new = f * before[j] + i * g
                cell[j] = new
                hidden[j] = o * tangent(new)


@kernel
def run_backward(gates: Any, weight: Any, reset: Any, old_cells: Any, cells: Any, d_outputs: Any,
                 d_hidden: Any, d_cell: Any, d_gates: Any) -> None:  # fmt: skip
    """All steps, last first.

    Args:
        gates: [T, B, 4H], their values
        weight: [4H, H]
        reset: bool [T, B]
        old_cells: [T, B, H]
        cells: [T, B, H]
        d_outputs: [T, B, H]
        d_hidden: [B, H], of the state after; becomes that of the state before
        d_cell: likewise
        d_gates: [T, B, 4H], written
    """
    steps, rows, size = cells.shape
    for t in range(steps - 1, -1, -1):
        for n in range(rows):
            row, slope = gates[t, n], d_gates[t, n]
            for j in range(size):
                i, f, g, o = row[j], row[size + j], row[2 * size + j], row[3 * size + j]
                squashed, d_h = tangent(cells[t, n, j]), d_hidden[n, j] + d_outputs[t, n, j]
                d_new = d_cell[n, j] + d_h * o * one_minus(squashed * squashed)
                slope[j] = d_new * g * i * one_minus(i)
                slope[size + j] = d_new * old_cells[t, n, j] * f * one_minus(f)
                slope[2 * size + j] = d_new * i * one_minus(g * g)
                slope[3 * size + j] = d_h * squashed * o * one_minus(o)
                d_cell[n, j] = d_new * f
        product_back(weight, d_gates[t], d_hidden)
        for n in range(rows):
            if reset[t, n]:
                d_hidden[n] = 0
                d_cell[n] = 0


class SmallLSTM(torch.autograd.Function):
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
        gates = torch.nn.functional.linear(inputs, weight_ih, bias).contiguous()
        kept = inputs.new_empty(4, steps, rows, size)
        old_hiddens, old_cells, hiddens, cells = kept.unbind(0)
        old_hiddens[0], old_cells[0] = hidden, cell
        weight, resets = weight_hh.detach().contiguous(), reset.contiguous()
        run(gates.numpy(), weight.numpy(), resets.numpy(), *kept.numpy())
        ctx.save_for_backward(inputs, weight_ih, weight)
        ctx.kept = gates, resets, old_hiddens, old_cells, cells
        return hiddens, hiddens[-1].clone(), cells[-1].clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, d_outputs: Tensor, d_hidden: Tensor, d_cell: Tensor) -> Any:
        inputs, weight_ih, weight_hh = ctx.saved_tensors
        gates, reset, old_hiddens, old_cells, cells = ctx.kept
        d_hidden, d_cell = (
            d.clone(memory_format=torch.contiguous_format) for d in (d_hidden, d_cell)
        )
        d_gates = torch.empty_like(gates)
        parts = (gates, weight_hh, reset, old_cells, cells, d_outputs.contiguous())
        run_backward(*(part.numpy() for part in (*parts, d_hidden, d_cell, d_gates)))
        flat = d_gates.flatten(0, 1)  # [T * B, 4H]
        return (
            torch.mm(flat, weight_ih).view_as(inputs),
            None,
            d_hidden,
            d_cell,
            torch.mm(flat.t(), inputs.flatten(0, 1)),
            torch.mm(flat.t(), old_hiddens.flatten(0, 1)),
            flat.sum(0),
        )
