"""The parts of a fused modular step: matrix products by torch, the rest by kernels.

A stage holds the buffers of T steps. `bind` gives it inputs and parameters; then it runs forward
once and backward any number of times. Layout: [features, modules K, batch B]. Buffers and views
outlive a call (`sequence.Pool`): making them costs as much as the work at small sizes, and the
first touch of fresh memory at large ones. Knows no autograd and no time loop.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from s2lab.agents.cores.fused import lstm_kernels

Parts = tuple[Tensor, ...]


@dataclass(frozen=True)
class Sizes:
    """T steps, B rows, K modules of H units, k_A of them active, query width d."""

    steps: int
    rows: int
    modules: int
    units: int
    active: int
    key: int


@dataclass(frozen=True)
class Piece:
    """A state tensor [F, K or S, B] and the same memory as numpy, [F, everything else]."""

    tensor: Tensor
    rows: np.ndarray

    @classmethod
    def of(cls, tensor: Tensor) -> "Piece":
        """View a contiguous tensor."""
        return cls(tensor, tensor.flatten(1).numpy())


@dataclass(frozen=True)
class Slopes:
    """Gradients that travel backward through time, changed in place at every step."""

    hidden: Tensor
    parts: Parts
    memory: Parts
    candidate: Tensor
    message: Tensor | None


def rows_of(buffer: Tensor) -> list[np.ndarray]:
    """One numpy view [F, K * B] per step of [T, F, K, B]."""
    return list(buffer.flatten(2).numpy())


def arrays_of(buffer: Tensor) -> list[np.ndarray]:
    """One numpy view per step, its shape kept."""
    return list(buffer.numpy())


def pieces_of(buffer: Tensor) -> list[Piece]:
    """One piece per step of [T, F, K, B]."""
    return [Piece(*pair) for pair in zip(buffer.unbind(0), rows_of(buffer), strict=True)]


def swapped(buffer: Tensor) -> list[Tensor]:
    """One view [K, F, B] per step of [T, F, K, B], as batched matrix products want it."""
    return list(buffer.transpose(1, 2).unbind(0))


class LSTMStage:
    """`LSTMModules.propose` for T steps. Parameters: see `plans.lstm_parameters`."""

    def __init__(self, sizes: Sizes, like: Tensor) -> None:
        self.sizes = sizes
        steps, rows, modules = sizes.steps, sizes.rows, sizes.modules
        gates, key = 4 * sizes.units, sizes.key
        new = like.new_empty
        self.driven = new(steps, key + gates * modules, rows)
        self.keys = arrays_of(self.driven[:, :key])
        self.drives = arrays_of(self.driven[:, key:].view(steps, gates, modules * rows))
        own = new(steps, gates + key, modules, rows)
        self.own_t = swapped(own)  # [K, 4H + d, B]
        self.gates, self.queries = rows_of(own[:, :gates]), arrays_of(own[:, gates:])
        attention, active = new(2, steps, modules, rows).unbind(0)
        self.attention, self.attention_rows = arrays_of(attention), arrays_of(attention.flatten(1))
        self.active, self.active_rows = arrays_of(active), arrays_of(active.flatten(1))
        self.candidates = pieces_of(new(steps, sizes.units, modules, rows))
        self.cells = pieces_of(new(steps, sizes.units, modules, rows))

    def bind(self, inputs: Tensor, parameters: Parts) -> None:
        """Take the inputs [T, B, I] and drive all steps at once."""
        self.inputs = inputs
        self.in_weight, in_bias, self.recurrent, bias = parameters
        self.bias = bias.unsqueeze(2)  # [K, 4H + d, 1]
        self.weight_t = self.recurrent.transpose(1, 2)  # [K, 4H + d, H]
        self.before: list[tuple[Tensor, np.ndarray]] = []
        weight = self.in_weight.expand(self.sizes.steps, -1, -1)
        torch.baddbmm(in_bias.view(1, -1, 1), weight, inputs.transpose(1, 2), out=self.driven)

    def forward(self, t: int, hidden: Piece, parts: tuple[Piece, ...]) -> tuple[Piece, ...]:
        """hidden and parts [H, K, B] -> new parts; the candidate is `self.candidates[t]`."""
        cell, after = parts[0], self.cells[t]
        self.before.append((hidden.tensor, cell.rows))
        torch.baddbmm(self.bias, self.weight_t, hidden.tensor.transpose(0, 1), out=self.own_t[t])
        lstm_kernels.compete(
            self.queries[t], self.keys[t], self.sizes.active, self.attention[t], self.active[t]
        )
        lstm_kernels.cell(
            self.gates[t],
            self.drives[t],
            self.attention_rows[t],
            self.active_rows[t],
            cell.rows,
            self.candidates[t].rows,
            after.rows,
        )
        return (after,)

    def start_backward(self, slopes: Slopes) -> None:
        """Fresh gradients and scratch space."""
        sizes, new, inputs = self.sizes, self.inputs.new_empty, self.inputs
        gates, key, modules, rows = 4 * sizes.units, sizes.key, sizes.modules, sizes.rows
        own = new(gates + key, modules, rows)
        self.d_own, self.d_own_t = own.view(-1, rows), own.transpose(0, 1)
        self.d_gates, self.d_query = own[:gates].flatten(1).numpy(), own[gates:].numpy()
        self.d_in = new(key + gates * modules, rows)
        self.d_in_t = self.d_in.t()
        self.d_key = self.d_in[:key].numpy()
        self.d_drive = self.d_in[key:].view(gates, modules * rows).numpy()
        attention = new(modules, rows)
        self.d_attention, self.d_attention_row = attention.numpy(), attention.flatten().numpy()
        self.d_hidden_t = slopes.hidden.transpose(0, 1)  # [K, H, B]
        self.d_cell = slopes.parts[0].flatten(1).numpy()
        self.d_candidate = slopes.candidate.flatten(1).numpy()
        self.d_inputs = torch.empty_like(inputs)
        self.d_in_weight = torch.zeros_like(self.in_weight)
        self.d_in_bias = inputs.new_zeros(len(self.in_weight), 1)
        self.d_recurrent = inputs.new_zeros(modules, gates + key, sizes.units)
        self.d_bias = inputs.new_zeros((gates + key) * modules, 1)
        self.ones = inputs.new_ones(rows, 1)

    def backward(self, t: int) -> None:
        """Adds to the slope of the hidden state, takes that of the cell one step back."""
        hidden, cell = self.before[t]
        lstm_kernels.cell_backward(
            self.gates[t],
            self.drives[t],
            self.attention_rows[t],
            self.active_rows[t],
            cell,
            self.cells[t].rows,
            self.d_candidate,
            self.d_cell,
            self.d_gates,
            self.d_drive,
            self.d_attention_row,
        )
        lstm_kernels.compete_backward(
            self.queries[t],
            self.keys[t],
            self.attention[t],
            self.d_attention,
            self.d_query,
            self.d_key,
        )
        self.d_hidden_t.baddbmm_(self.recurrent, self.d_own_t)
        self.d_recurrent.baddbmm_(self.d_own_t, hidden.permute(1, 2, 0))
        self.d_bias.addmm_(self.d_own, self.ones)
        self.d_in_weight.addmm_(self.d_in, self.inputs[t])
        self.d_in_bias.addmm_(self.d_in, self.ones)
        torch.mm(self.d_in_t, self.in_weight, out=self.d_inputs[t])

    def gradients(self) -> Parts:
        """Of the inputs, then of the parameters in their order."""
        return (
            self.d_inputs,
            self.d_in_weight,
            self.d_in_bias.squeeze(1),
            self.d_recurrent.transpose(1, 2),
            self.d_bias.view(-1, self.sizes.modules).t(),
        )


class UpdateStage:
    """`GatedMessage` and the masked update for T steps. Parameters: weight [2H, D], bias [2H]."""

    def __init__(self, sizes: Sizes, like: Tensor) -> None:
        self.sizes = sizes
        self.hidden = like.new_empty(sizes.steps, sizes.units, sizes.modules, sizes.rows)
        self.pieces = pieces_of(self.hidden)
        gate = like.new_empty(sizes.steps, 2 * sizes.units, sizes.modules * sizes.rows)
        self.gate, self.gates = list(gate.unbind(0)), arrays_of(gate)

    def bind(self, parameters: Parts) -> None:
        """Take the parameters; none without communication."""
        self.parameters = parameters
        self.messages: list[Tensor] = []
        if parameters:
            self.weight, bias = parameters
            self.bias = bias.unsqueeze(1)  # [2H, 1]

    def forward(
        self, t: int, message: Tensor | None, active: np.ndarray, candidate: Piece, hidden: Piece
    ) -> Piece:
        """Message [D, K, B] or none, active [K * B] -> new hidden state."""
        after = self.pieces[t]
        if message is None:
            lstm_kernels.keep(active, candidate.rows, hidden.rows, after.rows)
            return after
        message = message.flatten(1)
        self.messages.append(message)
        torch.addmm(self.bias, self.weight, message, out=self.gate[t])
        lstm_kernels.update(self.gates[t], active, candidate.rows, hidden.rows, after.rows)
        return after

    def message_slope(self) -> Tensor | None:
        """Where `backward` writes the gradient of the message [D, K, B]."""
        if not self.parameters:
            return None
        shape = (self.weight.shape[1], self.sizes.modules, self.sizes.rows)
        return self.weight.new_empty(shape)

    def start_backward(self, slopes: Slopes) -> None:
        """Fresh gradients and scratch space."""
        self.d_hidden = slopes.hidden.flatten(1).numpy()
        self.d_candidate = slopes.candidate.flatten(1).numpy()
        if slopes.message is not None:
            self.d_message = slopes.message.flatten(1)
            self.d_gate = torch.empty_like(self.gate[0])
            self.d_gate_rows = self.d_gate.numpy()
            self.d_weight, self.weight_t = torch.zeros_like(self.weight), self.weight.t()
            self.d_bias = torch.zeros_like(self.bias)
            self.ones = self.weight.new_ones(self.d_gate.shape[1], 1)

    def backward(self, t: int, active: np.ndarray) -> None:
        """Writes the slopes of candidate and message; takes that of the hidden state back."""
        if not self.parameters:
            lstm_kernels.keep_backward(active, self.d_hidden, self.d_candidate)
            return
        lstm_kernels.update_backward(
            self.gates[t], active, self.d_hidden, self.d_candidate, self.d_gate_rows
        )
        self.d_weight.addmm_(self.d_gate, self.messages[t].t())
        self.d_bias.addmm_(self.d_gate, self.ones)
        torch.mm(self.weight_t, self.d_gate, out=self.d_message)

    def gradients(self) -> Parts:
        """Of the parameters in their order."""
        return (self.d_weight, self.d_bias.squeeze(1)) if self.parameters else ()
