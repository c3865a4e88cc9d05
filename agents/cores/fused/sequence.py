"""A modular core's whole sequence as one autograd node, CPU only. Knows no stage's equations."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from s2lab.agents.cores.fused.stages import Parts, Piece, Sizes, Slopes, UpdateStage


class CellStage(Protocol):
    """What the modules compute: see `LSTMStage`."""

    active: list[np.ndarray]
    active_rows: list[np.ndarray]
    candidates: list[Piece]

    def bind(self, inputs: Tensor, parameters: Parts) -> None: ...
    def forward(self, t: int, hidden: Piece, parts: tuple[Piece, ...]) -> tuple[Piece, ...]: ...
    def start_backward(self, slopes: Slopes) -> None: ...
    def backward(self, t: int) -> None: ...
    def gradients(self) -> tuple[Tensor | None, ...]: ...


class TalkStage(Protocol):
    """How modules communicate: see `PairwiseStage`."""

    def bind(self, parameters: Parts) -> None: ...
    def forward(
        self, t: int, candidate: Tensor, active: np.ndarray, memory: tuple[Piece, ...]
    ) -> tuple[Tensor, tuple[Piece, ...]]: ...
    def start_backward(self, slopes: Slopes) -> None: ...
    def backward(self, t: int, active: np.ndarray) -> None: ...
    def gradients(self) -> Parts: ...


@dataclass(frozen=True)
class Plan:
    """Which stages to build, and which tensors belong to whom."""

    sizes: Sizes
    parts: int
    """State tensors of the modules, the hidden state first."""
    memory: int
    """State tensors of the communication."""
    cell: Callable[[Sizes, Tensor], CellStage]
    cell_parameters: int
    """How many parameters the cell stage takes; then the talk stage's, then the update's two."""
    talk: Callable[[Sizes, Tensor], TalkStage] | None
    talk_parameters: int


@dataclass(frozen=True)
class Stages:
    """One set of buffers for one sequence at a time."""

    cell: CellStage
    talk: TalkStage | None
    update: UpdateStage


class Pool:
    """Stages waiting for the next sequence of their size; a copy of a pool is empty.

    At most `LIMIT` sizes are kept, the latest used, and two sets of each.
    """

    LIMIT = 4

    def __init__(self) -> None:
        self.idle: dict[Hashable, list[Stages]] = {}

    def __deepcopy__(self, memo: object) -> "Pool":
        return Pool()

    def __reduce__(self) -> tuple[type["Pool"], tuple[()]]:
        return Pool, ()

    def lend(self, plan: Plan, like: Tensor) -> "Lease":
        """Stages for `plan` in the precision of `like`, to be given back by the lease's end."""
        key = (plan.sizes, like.dtype)
        waiting = self.idle.pop(key, [])
        self.idle[key] = waiting  # the latest used comes last
        while len(self.idle) > self.LIMIT:
            del self.idle[next(iter(self.idle))]
        if waiting:
            return Lease(waiting.pop(), waiting)
        like = like.new_empty(0)
        talk = plan.talk(plan.sizes, like) if plan.talk is not None else None
        stages = Stages(plan.cell(plan.sizes, like), talk, UpdateStage(plan.sizes, like))
        return Lease(stages, waiting)


class Lease:
    """Stages in use; they return to their pool when nobody holds the lease any more."""

    def __init__(self, stages: Stages, home: list[Stages]) -> None:
        self.stages, self.home = stages, home

    def __del__(self) -> None:
        if len(self.home) < 2:
            self.home.append(self.stages)


class FusedSequence(torch.autograd.Function):
    """inputs [T, B, I], state and parameters -> outputs [T, B, K * H] and state.

    State tensors have the batch last: hidden and cell [H, K, B], memory [D, S, B].
    `fresh` is the state of a reset row, broadcastable to the state.
    """

    @staticmethod
    def forward(
        ctx: Any, pool: Pool, plan: Plan, reset: Tensor, fresh: Parts, *tensors: Tensor
    ) -> Any:
        inputs = tensors[0].contiguous()
        count = plan.parts + plan.memory
        state = [Piece.of(part.contiguous()) for part in tensors[1 : 1 + count]]
        parameters = tensors[1 + count :]
        talk_end = plan.cell_parameters + plan.talk_parameters
        ctx.lease = pool.lend(plan, inputs)
        cell, talk, update = ctx.lease.stages.cell, ctx.lease.stages.talk, ctx.lease.stages.update
        cell.bind(inputs, parameters[: plan.cell_parameters])
        if talk is not None:
            talk.bind(parameters[plan.cell_parameters : talk_end])
        update.bind(parameters[talk_end:])
        resets = reset.any(1).tolist()
        for t, any_reset in enumerate(resets):
            if any_reset:
                state = [
                    Piece.of(torch.where(reset[t], new, piece.tensor))
                    for new, piece in zip(fresh, state, strict=True)
                ]
            parts = cell.forward(t, state[0], tuple(state[1 : plan.parts]))
            message, memory = None, tuple(state[plan.parts :])
            candidate = cell.candidates[t]
            if talk is not None:
                message, memory = talk.forward(t, candidate.tensor, cell.active[t], memory)
            hidden = update.forward(t, message, cell.active_rows[t], candidate, state[0])
            state = [hidden, *parts, *memory]
        ctx.plan, ctx.reset, ctx.resets = plan, reset, resets
        outputs = update.hidden.permute(0, 3, 2, 1).flatten(2)  # a copy: [T, B, K * H]
        return outputs, *(piece.tensor.clone() for piece in state)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, d_outputs: Tensor, *d_state: Tensor) -> Any:
        plan: Plan = ctx.plan
        cell, talk, update = ctx.lease.stages.cell, ctx.lease.stages.talk, ctx.lease.stages.update
        carried = [part.clone(memory_format=torch.contiguous_format) for part in d_state]
        hidden, parts, memory = carried[0], carried[1 : plan.parts], carried[plan.parts :]
        slopes = Slopes(
            hidden, tuple(parts), tuple(memory), torch.empty_like(hidden), update.message_slope()
        )
        for stage in (update, talk, cell):
            if stage is not None:
                stage.start_backward(slopes)
        shape = (plan.sizes.steps, plan.sizes.rows, plan.sizes.modules, plan.sizes.units)
        arriving = d_outputs.reshape(shape).permute(0, 3, 2, 1).unbind(0)  # [H, K, B] each
        for t in reversed(range(plan.sizes.steps)):
            hidden += arriving[t]
            update.backward(t, cell.active_rows[t])
            if talk is not None:
                talk.backward(t, cell.active[t])
            cell.backward(t)
            if ctx.resets[t]:
                for part in carried:
                    part.masked_fill_(ctx.reset[t], 0)
        d_inputs, *d_cell = cell.gradients()
        d_talk = talk.gradients() if talk is not None else ()
        return None, None, None, None, d_inputs, *carried, *d_cell, *d_talk, *update.gradients()
