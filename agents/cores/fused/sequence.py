"""A modular core's whole sequence as one autograd node, CPU only. Knows no stage's equations."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from s2lab.agents.cores.fused.stages import Sizes, UpdateStage

Parts = tuple[Tensor, ...]


class CellStage(Protocol):
    """What the modules compute: see `LSTMStage`."""

    active: list[np.ndarray]
    candidate: Tensor
    candidates: list[np.ndarray]

    def forward(self, t: int, hidden: Tensor, parts: Parts) -> Parts: ...
    def start_backward(self) -> None: ...
    def backward(self, t: int, d_candidate: Tensor, d_hidden: Tensor, d_parts: Parts) -> None: ...
    def gradients(self) -> Parts: ...


class TalkStage(Protocol):
    """How modules communicate: see `PairwiseStage`."""

    def forward(
        self, t: int, candidate: Tensor, active: np.ndarray, memory: Parts
    ) -> tuple[Tensor, Parts]: ...
    def start_backward(self) -> None: ...
    def backward(
        self,
        t: int,
        d_message: Tensor,
        active: np.ndarray,
        d_candidate: Tensor,
        d_memory: Parts,
    ) -> Parts: ...
    def gradients(self) -> Parts: ...


@dataclass(frozen=True)
class Plan:
    """Which stages to build, and which tensors belong to whom."""

    sizes: Sizes
    parts: int
    """State tensors of the modules, the hidden state first."""
    memory: int
    """State tensors of the communication."""
    cell: Callable[[Sizes, Tensor, Parts], CellStage]
    cell_parameters: int
    """How many parameters the cell stage takes; then the talk stage's, then the update's two."""
    talk: Callable[[Sizes, Parts], TalkStage] | None
    talk_parameters: int


class FusedSequence(torch.autograd.Function):
    """inputs [T, B, I], state and parameters -> outputs [T, B, K * H] and state.

    State tensors have the batch last: hidden and cell [H, K, B], memory [D, S, B].
    `fresh` is the state of a reset row, broadcastable to the state.
    """

    @staticmethod
    def forward(ctx: Any, plan: Plan, reset: Tensor, fresh: Parts, *tensors: Tensor) -> Any:
        inputs = tensors[0].contiguous()
        count = plan.parts + plan.memory
        state = tuple(part.contiguous() for part in tensors[1 : 1 + count])
        parameters = tensors[1 + count :]
        talk_end = plan.cell_parameters + plan.talk_parameters
        cell = plan.cell(plan.sizes, inputs, parameters[: plan.cell_parameters])
        talk = None
        if plan.talk is not None:
            talk = plan.talk(plan.sizes, parameters[plan.cell_parameters : talk_end])
        update = UpdateStage(plan.sizes, parameters[talk_end:], inputs)
        resets = reset.any(1).tolist()
        for t, any_reset in enumerate(resets):
            if any_reset:
                state = tuple(
                    torch.where(reset[t], new, part) for new, part in zip(fresh, state, strict=True)
                )
            hidden, parts = state[0], state[1 : plan.parts]
            parts = cell.forward(t, hidden, parts)
            message, memory = None, state[plan.parts :]
            if talk is not None:
                message, memory = talk.forward(t, cell.candidate[t], cell.active[t], memory)
            hidden = update.forward(t, message, cell.active[t], cell.candidates[t], hidden)
            state = (hidden, *parts, *memory)
        ctx.plan, ctx.reset, ctx.resets = plan, reset, resets
        ctx.stages = (cell, talk, update)
        outputs = update.hidden.permute(0, 3, 2, 1).flatten(2)  # a copy: [T, B, K * H]
        return outputs, *(part.clone() for part in state)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, d_outputs: Tensor, *d_state: Tensor) -> Any:
        plan: Plan = ctx.plan
        cell, talk, update = ctx.stages
        for stage in ctx.stages:
            if stage is not None:
                stage.start_backward()
        d_hidden, *rest = (part.clone(memory_format=torch.contiguous_format) for part in d_state)
        d_parts, d_memory = tuple(rest[: plan.parts - 1]), tuple(rest[plan.parts - 1 :])
        shape = (plan.sizes.steps, plan.sizes.rows, plan.sizes.modules, plan.sizes.units)
        d_outputs = d_outputs.reshape(shape).permute(0, 3, 2, 1)  # [T, H, K, B]
        for t in reversed(range(plan.sizes.steps)):
            d_hidden += d_outputs[t]
            active = cell.active[t]
            d_candidate, d_message = update.backward(t, active, d_hidden)
            if talk is not None:
                d_memory = talk.backward(t, d_message, active, d_candidate, d_memory)
            cell.backward(t, d_candidate, d_hidden, d_parts)
            if ctx.resets[t]:
                for part in (d_hidden, *d_parts, *d_memory):
                    part.masked_fill_(ctx.reset[t], 0)
        d_inputs, *d_cell = cell.gradients()
        talks = talk.gradients() if talk is not None else ()
        d_all = (d_inputs, d_hidden, *d_parts, *d_memory, *d_cell, *talks, *update.gradients())
        return None, None, None, *d_all
