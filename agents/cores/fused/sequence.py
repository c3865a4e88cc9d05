"""A modular core's whole sequence as one autograd node, CPU only. Knows no stage's equations."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from s2lab.agents.cores.fused import time_loop
from s2lab.agents.cores.fused.products import compile_products
from s2lab.agents.cores.fused.stages import Parts, Sizes, Slopes
from s2lab.agents.cores.fused.tiles import VECTOR_BYTES
from s2lab.agents.cores.fused.update_stage import UpdateWeights, update_room


@dataclass(frozen=True)
class Stage:
    """How to build one stage, and how its parameters become its weights."""

    room: Callable[[Sizes, Any], Any]
    """Buffers for sizes and a numpy type."""
    weights: type[Any]
    """Named tuple of arrays, in the order of the parameters."""
    parameters: int
    """How many of the weights are parameters; the rest are any vector."""
    turned: frozenset[str] = frozenset()
    """Weights whose gradient is computed with its last two axes exchanged."""
    fixed: frozenset[str] = frozenset()
    """Weights that have no gradient."""
    state: str | None = None
    """The room's array [T + 1, ...] of a state that is the stage's own."""

    def weigh(self, parameters: Parts) -> Any:
        """Parameters as weights."""
        arrays = [parameter.detach().contiguous().numpy() for parameter in parameters]
        spare = [np.empty(0, arrays[0].dtype)] * (len(self.weights._fields) - len(arrays))
        return self.weights(*arrays, *spare)

    def zeros(self, weights: Any) -> Any:
        """Where gradients are added up."""
        return self.weights(
            *(
                np.zeros_like(array.swapaxes(-1, -2) if name in self.turned else array, order="C")
                for name, array in zip(self.weights._fields, weights, strict=True)
            )
        )

    def gradients(self, sums: Any) -> tuple[Tensor | None, ...]:
        """Sums as gradients of the parameters."""
        found = list(zip(self.weights._fields, sums, strict=True))[: self.parameters]
        return tuple(
            None
            if name in self.fixed
            else torch.from_numpy(
                np.ascontiguousarray(array.swapaxes(-1, -2)) if name in self.turned else array
            )
            for name, array in found
        )


def padded(rows: int, item_bytes: int) -> int:
    """How many rows the buffers of a batch have."""
    lanes = VECTOR_BYTES // item_bytes
    return -(-rows // lanes) * lanes


def with_rows(array: np.ndarray, rows: int, axis: int) -> np.ndarray:
    """The array with zeros up to so many rows along an axis; itself where there are as many."""
    if array.shape[axis] == rows:
        return array
    more = [(0, rows - array.shape[axis] if k == axis else 0) for k in range(array.ndim)]
    return np.pad(array, more)


UPDATE = Stage(lambda sizes, dtype: update_room(sizes, dtype, True), UpdateWeights, 2)


@dataclass(frozen=True)
class Plan:
    """Which stages to build; tensors come as inputs, states, then the stages' parameters."""

    sizes: Sizes
    cell: Stage
    talk: Stage | None

    @property
    def stages(self) -> list[Stage]:
        """Those that have parameters, in their order."""
        return [self.cell] if self.talk is None else [self.cell, self.talk, UPDATE]

    def rooms(self, dtype: Any) -> tuple[Any, Any, Any]:
        """Buffers of cell, talk (or None) and update."""
        update = update_room(self.sizes, dtype, self.talk is not None)
        talk = None if self.talk is None else self.talk.room(self.sizes, dtype)
        return self.cell.room(self.sizes, dtype), talk, update

    def states(self, rooms: tuple[Any, Any, Any]) -> tuple[np.ndarray, ...]:
        """The arrays of what enters each step: hidden, then the cell's and the memory."""
        own = [(self.cell, rooms[0])] if self.talk is None else zip(self.stages, rooms, strict=True)
        found = (getattr(room, stage.state) for stage, room in own if stage.state)
        return (rooms[2].hidden, *found)

    def split(self, parameters: Parts) -> list[Parts]:
        """The parameters of each of the stages."""
        found, start = [], 0
        for stage in self.stages:
            found.append(parameters[start : start + stage.parameters])
            start += stage.parameters
        return found


class Pool:
    """Rooms waiting for the next sequence of their size; a copy of a pool is empty.

    Making buffers costs as much as the work at small sizes, and the first touch of fresh memory at
    large ones. At most `LIMIT` sizes are kept, the latest used, and two sets of each.
    """

    LIMIT = 4

    def __init__(self) -> None:
        self.idle: dict[Hashable, list[Any]] = {}

    def __deepcopy__(self, memo: object) -> "Pool":
        return Pool()

    def __reduce__(self) -> tuple[type["Pool"], tuple[()]]:
        return Pool, ()

    def lend(self, plan: Plan, dtype: Any) -> "Lease":
        """Rooms for `plan`, to be given back by the lease's end."""
        key = (plan.sizes, dtype)
        waiting = self.idle.pop(key, [])
        self.idle[key] = waiting  # the latest used comes last
        while len(self.idle) > self.LIMIT:
            del self.idle[next(iter(self.idle))]
        return Lease(waiting.pop() if waiting else plan.rooms(dtype), waiting)


class Lease:
    """Rooms in use; they return to their pool when nobody holds the lease any more."""

    def __init__(self, rooms: Any, home: list[Any]) -> None:
        self.rooms, self.home = rooms, home

    def __del__(self) -> None:
        if len(self.home) < 2:
            self.home.append(self.rooms)


class FusedSequence(torch.autograd.Function):
    """inputs [T, B, I], states and parameters -> outputs [T, B, K * H] and states.

    States are [B, K or S, F], hidden first; `fresh` is the state of a reset row, [1, K or S, F].
    """

    @staticmethod
    def forward(
        ctx: Any, pool: Pool, plan: Plan, reset: Tensor, fresh: Parts, *tensors: Tensor
    ) -> Any:
        shape, rows = tensors[0].shape[:2], plan.sizes.rows
        inputs = with_rows(tensors[0].detach().contiguous().numpy(), rows, 1)
        compile_products(str(inputs.dtype))
        ctx.lease = pool.lend(plan, inputs.dtype)
        rooms = ctx.lease.rooms
        states = plan.states(rooms)
        for array, state in zip(states, tensors[1:], strict=False):
            array[0] = with_rows(state.detach().numpy().T, rows, 2)
        weights = [
            stage.weigh(own)
            for stage, own in zip(plan.stages, plan.split(tensors[1 + len(states) :]), strict=True)
        ]
        weights += [None] * (3 - len(weights))
        flags = with_rows(reset.numpy(), rows, 1)
        clock = time_loop.Clock(inputs, flags, np.asarray(flags.any(1)))
        width = plan.sizes.modules * plan.sizes.units
        outputs = np.empty((*shape, width), inputs.dtype)
        anew = tuple(np.ascontiguousarray(part[0].numpy().T) for part in fresh)
        (cell, talk, update), (cell_w, talk_w, update_w) = rooms, weights
        time_loop.forward(
            clock, cell, cell_w, talk, talk_w, update, update_w, states, anew, outputs
        )
        ctx.save_for_backward(*tensors)
        ctx.plan, ctx.clock, ctx.weights = plan, clock, weights
        after = (
            torch.from_numpy(np.ascontiguousarray(array[-1].T[: shape[1]])) for array in states
        )
        return torch.from_numpy(outputs), *after

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, d_outputs: Tensor, *d_state: Tensor) -> Any:
        _ = ctx.saved_tensors  # complains where weights have changed since
        plan: Plan = ctx.plan
        sizes, inputs = plan.sizes, ctx.clock.inputs
        (cell, talk, update), (cell_w, talk_w, update_w) = ctx.lease.rooms, ctx.weights
        rows = d_outputs.shape[1]
        carried = [
            np.ascontiguousarray(with_rows(part.numpy().T, sizes.rows, 2)) for part in d_state
        ]
        none = np.empty((0, 0, 0), inputs.dtype)
        shape = (0 if talk is None else talk.message.shape[1], sizes.modules, sizes.rows)
        slopes = Slopes(
            hidden=carried[0],
            cell=carried[1] if plan.cell.state else none,
            memory=carried[-1] if plan.talk is not None and plan.talk.state else none,
            candidate=np.empty_like(carried[0]),
            message=np.empty(shape, inputs.dtype),
        )
        wanted = ctx.needs_input_grad[4]
        d_inputs = np.empty(inputs.shape if wanted else (0, 0, 0), inputs.dtype)
        sums: list[Any] = [s.zeros(w) for s, w in zip(plan.stages, ctx.weights, strict=False)]
        cell_g, talk_g, update_g = sums + [None] * (3 - len(sums))
        time_loop.backward(
            *(ctx.clock, cell, cell_w, talk, talk_w, update, update_w, slopes, sizes.chunk),
            *(d_outputs.contiguous().numpy(), d_inputs, cell_g, talk_g, update_g),
        )
        found = [g for s, total in zip(plan.stages, sums, strict=True) for g in s.gradients(total)]
        before = [torch.from_numpy(part.T[:rows]) for part in carried]
        d_in = torch.from_numpy(d_inputs[:, :rows]) if wanted else None
        return None, None, None, None, d_in, *before, *found
