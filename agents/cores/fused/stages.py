"""The parts of a fused modular step: matrix products by torch, the rest by kernels.

A stage remembers what its backward pass needs for all T steps and adds up the gradients of its
parameters; a stage is used for one sequence, forward once, backward any number of times. Layout:
[features, modules K, batch B]. Knows no autograd; `sequence.py` drives the stages through time.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from s2lab.agents.cores.fused import attention_kernels, lstm_kernels


@dataclass(frozen=True)
class Sizes:
    """T steps, B rows, K modules of H units, k_A of them active, query width d."""

    steps: int
    rows: int
    modules: int
    units: int
    active: int
    key: int


def rows_of(buffer: Tensor) -> list[np.ndarray]:
    """One numpy view [F, K * B] per step of [T, F, K, B]."""
    return list(buffer.flatten(2).numpy())


def arrays_of(buffer: Tensor) -> list[np.ndarray]:
    """One numpy view per step, its shape kept."""
    return list(buffer.numpy())


class LSTMStage:
    """`LSTMModules.propose` for T steps. Parameters: see `LSTMModules.fused_parameters`."""

    def __init__(self, sizes: Sizes, inputs: Tensor, parameters: tuple[Tensor, ...]) -> None:
        self.sizes, self.inputs = sizes, inputs
        self.in_weight, in_bias, self.recurrent, bias = parameters
        steps, rows, modules = sizes.steps, sizes.rows, sizes.modules
        units, key = sizes.units, sizes.key
        new = inputs.new_empty
        driven = torch.baddbmm(  # [T, d + 4HK, B]
            in_bias.view(1, -1, 1), self.in_weight.expand(steps, -1, -1), inputs.transpose(1, 2)
        )
        self.keys = list(driven[:, :key].numpy())
        self.drives = list(driven[:, key:].view(steps, 4 * units, modules * rows).numpy())
        self.own = new(steps, 4 * units + key, modules, rows)
        self.own_t = [step.transpose(0, 1) for step in self.own.unbind(0)]  # [K, 4H + d, B]
        self.gates = rows_of(self.own[:, : 4 * units])
        self.queries = arrays_of(self.own[:, 4 * units :])
        self.bias = bias.unsqueeze(2)  # [K, 4H + d, 1]
        self.weight_t = self.recurrent.transpose(1, 2)  # [K, 4H + d, H]
        self.attention = arrays_of(new(steps, modules, rows))
        self.active = arrays_of(new(steps, modules, rows))
        self.candidate = new(steps, units, modules, rows)
        self.candidates = rows_of(self.candidate)
        self.cells = new(steps, units, modules, rows)
        self.cell_rows = rows_of(self.cells)
        self.before: list[tuple[Tensor, np.ndarray]] = []

    def forward(self, t: int, hidden: Tensor, parts: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """hidden and parts [H, K, B] -> new parts; the candidate is `self.candidate[t]`."""
        cell = parts[0].flatten(1).numpy()
        self.before.append((hidden, cell))
        torch.baddbmm(self.bias, self.weight_t, hidden.transpose(0, 1), out=self.own_t[t])
        attention, active = self.attention[t], self.active[t]
        lstm_kernels.compete(self.queries[t], self.keys[t], self.sizes.active, attention, active)
        lstm_kernels.cell(
            self.gates[t],
            self.drives[t],
            attention.reshape(-1),
            active.reshape(-1),
            cell,
            self.candidates[t],
            self.cell_rows[t],
        )
        return (self.cells[t],)

    def start_backward(self) -> None:
        """Fresh gradients and scratch space."""
        sizes, new = self.sizes, self.inputs.new_empty
        width = 4 * sizes.units + sizes.key
        self.d_own = new(width, sizes.modules, sizes.rows)
        self.d_in = new(sizes.key + 4 * sizes.units * sizes.modules, sizes.rows)
        self.d_attention = new(sizes.modules, sizes.rows).numpy()
        self.d_inputs = torch.empty_like(self.inputs)
        self.d_in_weight = torch.zeros_like(self.in_weight)
        self.d_in_bias = new(len(self.in_weight), 1).zero_()
        self.d_recurrent = new(sizes.modules, width, sizes.units).zero_()
        self.d_bias = new(width * sizes.modules, 1).zero_()
        self.ones = new(sizes.rows, 1).fill_(1)

    def backward(
        self, t: int, d_candidate: Tensor, d_hidden: Tensor, d_parts: tuple[Tensor, ...]
    ) -> None:
        """Adds to `d_hidden`, and turns `d_parts` from after the step to before it, in place."""
        units, key = self.sizes.units, self.sizes.key
        hidden, cell = self.before[t]
        d_own, d_in = self.d_own.numpy(), self.d_in.numpy()
        lstm_kernels.cell_backward(
            self.gates[t],
            self.drives[t],
            self.attention[t].reshape(-1),
            self.active[t].reshape(-1),
            cell,
            self.cell_rows[t],
            d_candidate.flatten(1).numpy(),
            d_parts[0].flatten(1).numpy(),
            d_own[: 4 * units].reshape(4 * units, -1),
            d_in[key:].reshape(4 * units, -1),
            self.d_attention.reshape(-1),
        )
        lstm_kernels.compete_backward(
            self.queries[t],
            self.keys[t],
            self.attention[t],
            self.d_attention,
            d_own[4 * units :],
            d_in[:key],
        )
        d_own_t = self.d_own.transpose(0, 1)  # [K, 4H + d, B]
        d_hidden.transpose(0, 1).baddbmm_(self.recurrent, d_own_t)
        self.d_recurrent.baddbmm_(d_own_t, hidden.permute(1, 2, 0))
        self.d_bias.addmm_(self.d_own.view(-1, self.sizes.rows), self.ones)
        self.d_in_weight.addmm_(self.d_in, self.inputs[t])
        self.d_in_bias.addmm_(self.d_in, self.ones)
        torch.mm(self.d_in.t(), self.in_weight, out=self.d_inputs[t])

    def gradients(self) -> tuple[Tensor, ...]:
        """Of the inputs, then of the parameters in their order."""
        return (
            self.d_inputs,
            self.d_in_weight,
            self.d_in_bias.squeeze(1),
            self.d_recurrent.transpose(1, 2),
            self.d_bias.view(-1, self.sizes.modules).t(),
        )


class PairwiseStage:
    """`PairwiseCommunication.exchange` for T steps. Parameter: query_key_value [K, H, 3D]."""

    memory_parts = 0

    def __init__(self, sizes: Sizes, heads: int, parameters: tuple[Tensor, ...]) -> None:
        (self.weight,) = parameters
        self.size = self.weight.shape[2] // 3
        self.scale = self.weight.numpy().dtype.type((self.size // heads) ** -0.5)
        new = self.weight.new_empty
        steps, modules, rows = sizes.steps, sizes.modules, sizes.rows
        self.sizes = sizes
        self.weight_t = self.weight.transpose(1, 2)  # [K, 3D, H]
        self.three = new(steps, 3 * self.size, modules, rows)
        self.three_t = [step.transpose(0, 1) for step in self.three.unbind(0)]  # [K, 3D, B]
        self.query = arrays_of(self.three[:, : self.size])
        self.key = arrays_of(self.three[:, self.size : 2 * self.size])
        self.value = arrays_of(self.three[:, 2 * self.size :])
        self.weights = arrays_of(new(steps, heads, modules, modules, rows))
        self.message = new(steps, self.size, modules, rows)
        self.messages = arrays_of(self.message)
        self.candidate: list[Tensor] = []

    def forward(
        self, t: int, candidate: Tensor, active: np.ndarray, memory: tuple[Tensor, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """candidate [H, K, B], active [K, B] -> message [D, K, B]."""
        self.candidate.append(candidate)
        torch.bmm(self.weight_t, candidate.transpose(0, 1), out=self.three_t[t])
        attention_kernels.attend(
            self.query[t],
            self.key[t],
            self.value[t],
            self.scale,
            self.sizes.modules,
            self.weights[t],
            self.messages[t],
        )
        return self.message[t], memory

    def start_backward(self) -> None:
        """Fresh gradients and scratch space."""
        sizes = self.sizes
        self.d_three = self.weight.new_empty(3 * self.size, sizes.modules, sizes.rows)
        self.d_weight = self.weight.new_zeros(sizes.modules, 3 * self.size, sizes.units)

    def backward(
        self,
        t: int,
        d_message: Tensor,
        active: np.ndarray,
        d_candidate: Tensor,
        d_memory: tuple[Tensor, ...],
    ) -> tuple[Tensor, ...]:
        """Adds to `d_candidate`."""
        d_three = self.d_three.numpy()
        attention_kernels.attend_backward(
            self.query[t],
            self.key[t],
            self.value[t],
            self.scale,
            self.weights[t],
            active,
            d_message.numpy(),
            d_three[: self.size],
            d_three[self.size : 2 * self.size],
            d_three[2 * self.size :],
        )
        d_three_t = self.d_three.transpose(0, 1)  # [K, 3D, B]
        d_candidate.transpose(0, 1).baddbmm_(self.weight, d_three_t)
        self.d_weight.baddbmm_(d_three_t, self.candidate[t].permute(1, 2, 0))
        return d_memory

    def gradients(self) -> tuple[Tensor, ...]:
        """Of the parameters in their order."""
        return (self.d_weight.transpose(1, 2),)


class UpdateStage:
    """`GatedMessage` and the masked update for T steps. Parameters: weight [2H, D], bias [2H]."""

    def __init__(self, sizes: Sizes, parameters: tuple[Tensor, ...], like: Tensor) -> None:
        self.sizes, self.parameters = sizes, parameters
        shape = (sizes.steps, sizes.units, sizes.modules, sizes.rows)
        self.hidden = like.new_empty(shape)
        self.hidden_rows = rows_of(self.hidden)
        if parameters:
            self.weight, bias = parameters
            self.bias = bias.unsqueeze(1)  # [2H, 1]
            self.gate = like.new_empty(sizes.steps, 2 * sizes.units, sizes.modules * sizes.rows)
            self.gates = arrays_of(self.gate)
            self.messages: list[Tensor] = []

    def forward(
        self,
        t: int,
        message: Tensor | None,
        active: np.ndarray,
        candidate: np.ndarray,
        hidden: Tensor,
    ) -> Tensor:
        """Message [D, K, B] or none, candidate [H, K * B], hidden [H, K, B] -> new hidden."""
        before, after = hidden.flatten(1).numpy(), self.hidden_rows[t]
        if message is None:
            lstm_kernels.keep(active.reshape(-1), candidate, before, after)
            return self.hidden[t]
        message = message.flatten(1)
        self.messages.append(message)
        torch.addmm(self.bias, self.weight, message, out=self.gate[t])
        lstm_kernels.update(self.gates[t], active.reshape(-1), candidate, before, after)
        return self.hidden[t]

    def start_backward(self) -> None:
        """Fresh gradients and scratch space."""
        sizes = self.sizes
        self.d_candidate = self.hidden.new_empty(sizes.units, sizes.modules, sizes.rows)
        if self.parameters:
            self.d_gate = torch.empty_like(self.gate[0])
            self.d_message = torch.empty_like(self.messages[0])
            self.d_weight = torch.zeros_like(self.weight)
            self.d_bias = torch.zeros_like(self.bias)
            self.ones = self.gate.new_ones(sizes.modules * sizes.rows, 1)

    def backward(
        self, t: int, active: np.ndarray, d_hidden: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Gradients of candidate [H, K, B] and message [D, K, B]; `d_hidden` in place."""
        mask, flat = active.reshape(-1), d_hidden.flatten(1).numpy()
        d_candidate = self.d_candidate.flatten(1).numpy()
        if not self.parameters:
            lstm_kernels.keep_backward(mask, flat, d_candidate)
            return self.d_candidate, None
        lstm_kernels.update_backward(self.gates[t], mask, flat, d_candidate, self.d_gate.numpy())
        self.d_weight.addmm_(self.d_gate, self.messages[t].t())
        self.d_bias.addmm_(self.d_gate, self.ones)
        torch.mm(self.weight.t(), self.d_gate, out=self.d_message)
        shape = (-1, self.sizes.modules, self.sizes.rows)
        return self.d_candidate, self.d_message.view(shape)

    def gradients(self) -> tuple[Tensor, ...]:
        """Of the parameters in their order."""
        return (self.d_weight, self.d_bias.squeeze(1)) if self.parameters else ()
