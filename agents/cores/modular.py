"""The skeleton of every modular core: modules propose, a few are active, they communicate.

One step, K modules of width H:

    candidates, active = modules(inputs, state)      who would become what; k_A of them are active
    messages = communication(candidates, active)     optional; may carry a memory of its own
    state = where(active, candidates + gate(messages), state)

An inactive module keeps its state bit for bit, and from that step its parameters get no gradient.
Knows neither what the modules compute (`lstm_modules.py`, `schemata.py`) nor how they communicate
(`pairwise.py`, `shared_workspace.py`).
"""

from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from s2lab.agents.cores.contract import (
    Core,
    Kernel,
    State,
    check_inputs,
    steps_with_reset,
    use_fused,
)
from s2lab.agents.gating import GatedMessage

Records = dict[str, Tensor]


@dataclass(frozen=True)
class Candidate:
    """What the modules propose for one step."""

    state: State
    """Candidate hidden state [B, K, H] first, then any further parts [B, K, ...]."""
    active: Tensor
    """bool [B, K]: whose candidate is kept."""
    records: Records = field(default_factory=dict)
    """For `trace`: tensors [B, ...]."""


class Modules(Protocol):
    """K recurrent modules that compete for the input."""

    module_count: int
    module_size: int
    parts: int

    def project(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """What does not depend on the state, for all T at once: tensors [T, B, ...]."""

    def propose(self, projected: tuple[Tensor, ...], state: State) -> Candidate:
        """One step: `projected` without its T, `state` as in `Candidate`."""


class Communication(Protocol):
    """How modules exchange messages."""

    message_size: int

    def initial_memory(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> State:
        """Initial memory without its batch dimension; empty when there is none."""

    def exchange(self, candidate: Candidate, memory: State) -> tuple[Tensor, State, Records]:
        """One step: messages [B, K, message_size], new memory, records."""


class ModularCore(Core):
    """Modules and their communication as a core. Outputs are all hidden states [T, B, K * H].

    State: the modules' parts [B, K, H], then the communication's memory.
    """

    cells: Modules
    communication: Communication | None

    def __init__(
        self,
        input_size: int,
        modules: Modules,
        communication: Communication | None,
        kernel: Kernel,
    ) -> None:
        super().__init__(input_size, modules.module_count * modules.module_size)
        self.kernel: Kernel = kernel
        self.cells = modules
        self.communication = communication
        if communication is not None:
            self.gate = GatedMessage(communication.message_size, modules.module_size)

    def initial_state(
        self,
        batch_size: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> State:
        shape = (batch_size, self.cells.module_count, self.cells.module_size)
        parts = [torch.zeros(shape, device=device, dtype=dtype) for _ in range(self.cells.parts)]
        channel = self.communication
        memory = channel.initial_memory(device, dtype) if channel is not None else ()
        return (*parts, *(part.expand(batch_size, *part.shape).clone() for part in memory))

    def forward(self, inputs: Tensor, state: State, reset: Tensor) -> tuple[Tensor, State]:
        check_inputs(self, inputs, state, reset)
        if use_fused(self.kernel, inputs):
            from s2lab.agents.cores.fused.plans import run_fused

            done = run_fused(self, inputs, state, reset)
            if done is not None:
                return done
        return self.run(inputs, state, reset, records=None)

    @torch.no_grad()
    def trace(self, inputs: Tensor, state: State, reset: Tensor) -> dict[str, Tensor]:
        """Per step: "outputs" [T, B, O], "active" [T, B, K], and what modules and communication
        record (attention maps, workspace writes, schema choices), each [T, B, ...]."""
        check_inputs(self, inputs, state, reset)
        records: list[Records] = []
        outputs, _ = self.run(inputs, state, reset, records)
        names = records[0]
        return {"outputs": outputs} | {
            name: torch.stack([step[name] for step in records]) for name in names
        }

    def run(
        self, inputs: Tensor, state: State, reset: Tensor, records: list[Records] | None
    ) -> tuple[Tensor, State]:
        """The plain torch loop over time; appends one record per step where asked."""
        projected = [part.unbind(0) for part in self.cells.project(inputs)]
        fresh = self.initial_state(inputs.shape[1], inputs.device, inputs.dtype)
        outputs = []
        for t, any_reset in enumerate(steps_with_reset(reset)):
            if any_reset:
                state = tuple(
                    torch.where(reset[t].view(-1, *[1] * (part.dim() - 1)), new, part)
                    for part, new in zip(state, fresh, strict=True)
                )
            state, record = self.step(tuple(part[t] for part in projected), state)
            outputs.append(state[0].flatten(1))
            if records is not None:
                records.append(record)
        return torch.stack(outputs), state

    def step(self, projected: tuple[Tensor, ...], state: State) -> tuple[State, Records]:
        """One step of the equations in the module docstring."""
        own, memory = state[: self.cells.parts], state[self.cells.parts :]
        candidate = self.cells.propose(projected, own)
        records = {"active": candidate.active} | candidate.records
        hidden = candidate.state[0]
        if self.communication is not None:
            messages, memory, exchanged = self.communication.exchange(candidate, memory)
            hidden = hidden + self.gate(messages)
            records |= exchanged
        kept = candidate.active.unsqueeze(-1)  # [B, K, 1]
        new = tuple(
            torch.where(kept, after, before)
            for after, before in zip((hidden, *candidate.state[1:]), own, strict=True)
        )
        return (*new, *memory), records
