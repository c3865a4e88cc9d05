"""`SharedWorkspace.exchange` for T steps, fused: see `stages.py` for what a stage is."""

from typing import Any, NamedTuple

import numpy as np

from s2lab.agents.cores.fused import stages
from s2lab.agents.cores.fused import workspace_kernels as parts
from s2lab.agents.cores.fused.attention_kernels import attend, attend_backward
from s2lab.agents.cores.fused.elementary import kernel
from s2lab.agents.cores.fused.products import ADD, BIAS, ZERO, add_sums, product
from s2lab.agents.cores.fused.stages import Sizes, answers


class WorkspaceRoom(NamedTuple):
    """D features of a slot, S slots, M = S * B columns."""

    scale: np.ndarray
    """[1], of the scores."""
    writers: np.ndarray
    """[1], how many modules may write to one slot."""
    ask: np.ndarray
    """[T, D, S, B], queries of the slots."""
    offer: np.ndarray
    """[T, 2D, K, B], keys and values of the modules."""
    wrote: np.ndarray
    """[T, heads, S, K, B]"""
    written: np.ndarray
    """[D, S, B], scratch."""
    scaled: np.ndarray
    """[T, 2, D, M], normalised before weight and bias, after writing and after thinking."""
    spread: np.ndarray  # [T, 2, M], 1 / standard deviation
    first: np.ndarray
    """[T, D, M], the slots after writing."""
    thought: np.ndarray
    """[T, D, M]"""
    proposal: np.ndarray
    """[D, S, B], scratch."""
    tanh: np.ndarray
    """[T, D, M], of the memory that enters the step."""
    squashed: np.ndarray
    """[T, D, S, B], tanh of the proposal."""
    gate: np.ndarray
    """[T, 2D, S, B]"""
    summary: np.ndarray
    """[T, H, B]"""
    driven: np.ndarray
    """[2D, B]"""
    new: np.ndarray
    """[T, D, S, B], the memory that leaves the step."""
    memory: np.ndarray
    """[T + 1, D, S, B], the memory that enters it."""
    show: np.ndarray
    """[T, 2D, S, B], keys and values of the slots."""
    query: np.ndarray
    """[T, D, K, B]"""
    read: np.ndarray
    """[T, heads, K, S, B]"""
    message: np.ndarray
    """[T, D, K, B]"""
    d_ask: np.ndarray
    """[chunk, D, S, B]"""
    d_offer: np.ndarray
    """[chunk, 2D, K, B]"""
    d_think: np.ndarray
    """[chunk, D, M]"""
    d_gate: np.ndarray
    """[chunk, 2D, S, B]"""
    d_driven: np.ndarray
    """[chunk, 2D, B]"""
    d_query: np.ndarray
    """[chunk, D, K, B]"""
    d_show: np.ndarray
    """[chunk, 2D, S, B]"""
    d_summary: np.ndarray  # [H, B]
    one: np.ndarray
    """[D, M], scratch."""
    two: np.ndarray
    """[D, M], scratch."""
    d_norm: np.ndarray
    """[4, D, M], of the layer norms, summed over columns at the end; zeros in between."""
    everyone: np.ndarray
    """[S, B], ones."""


class WorkspaceWeights(NamedTuple):
    """See `plans.workspace_parameters`."""

    ask: np.ndarray
    """[D, D]"""
    offer: np.ndarray
    """[2D, H]"""
    think: np.ndarray
    """[D, D]"""
    think_bias: np.ndarray
    """[D]"""
    gate: np.ndarray
    """[2D, D]"""
    gate_bias: np.ndarray
    """[2D]"""
    drive: np.ndarray
    """[2D, H]"""
    query: np.ndarray
    """[K, H, D]; its gradient is [K, D, H]."""
    show: np.ndarray
    """[2D, D]"""
    write_norm: np.ndarray
    """[D]"""
    write_norm_bias: np.ndarray
    """[D]"""
    think_norm: np.ndarray
    """[D]"""
    think_norm_bias: np.ndarray
    """[D]"""


def workspace_room(
    sizes: Sizes, dtype: Any, heads: int, size: int, slots: int, writers: int
) -> WorkspaceRoom:
    """Buffers of T steps."""
    steps, modules, rows, chunk = sizes.steps, sizes.modules, sizes.rows, sizes.chunk
    columns = slots * rows

    def new(*shape: int) -> np.ndarray:
        return np.empty(shape, dtype)

    return WorkspaceRoom(
        scale=np.array([(size // heads) ** -0.5], dtype),
        writers=np.array([writers]),
        ask=new(steps, size, slots, rows),
        offer=new(steps, 2 * size, modules, rows),
        wrote=new(steps, heads, slots, modules, rows),
        written=new(size, slots, rows),
        scaled=new(steps, 2, size, columns),
        spread=new(steps, 2, columns),
        first=new(steps, size, columns),
        thought=new(steps, size, columns),
        proposal=new(size, slots, rows),
        tanh=new(steps, size, columns),
        squashed=new(steps, size, slots, rows),
        gate=new(steps, 2 * size, slots, rows),
        summary=new(steps, sizes.units, rows),
        driven=new(2 * size, rows),
        new=new(steps, size, slots, rows),
        memory=new(steps + 1, size, slots, rows),
        show=new(steps, 2 * size, slots, rows),
        query=new(steps, size, modules, rows),
        read=new(steps, heads, modules, slots, rows),
        message=new(steps, size, modules, rows),
        d_ask=new(chunk, size, slots, rows),
        d_offer=new(chunk, 2 * size, modules, rows),
        d_think=new(chunk, size, columns),
        d_gate=new(chunk, 2 * size, slots, rows),
        d_driven=new(chunk, 2 * size, rows),
        d_query=new(chunk, size, modules, rows),
        d_show=new(chunk, 2 * size, slots, rows),
        d_summary=new(sizes.units, rows),
        one=new(size, columns),
        two=new(size, columns),
        d_norm=np.zeros((4, size, columns), dtype),
        everyone=np.ones((slots, rows), dtype),
    )


@answers(stages.exchange, WorkspaceRoom)
def exchange(t: int, room: Any, weights: Any, candidate: Any, active: Any) -> None:
    units, modules, rows = candidate.shape
    size, slots, none = len(weights.ask), room.memory.shape[2], weights.think_bias
    columns, flat = slots * rows, (size, slots * rows)
    old = room.memory[t].reshape(flat)
    product(room.ask[t].reshape(flat), weights.ask, old, ZERO, none)
    offer, count = room.offer[t], modules * rows
    product(
        offer.reshape((2 * size, count)),
        *(weights.offer, candidate.reshape((units, count)), ZERO, none),
    )
    attend(
        *(room.ask[t], offer[:size], offer[size:], room.scale[0], room.writers[0]),
        *(room.wrote[t], room.written),
    )
    first, thought, proposal = room.first[t], room.thought[t], room.proposal.reshape(flat)
    parts.normalise(
        *(old, room.written.reshape(flat), False, weights.write_norm, weights.write_norm_bias),
        *(room.scaled[t, 0], room.spread[t, 0], first),
    )
    product(thought, weights.think, first, BIAS, weights.think_bias)
    parts.normalise(
        *(first, thought, True, weights.think_norm, weights.think_norm_bias),
        *(room.scaled[t, 1], room.spread[t, 1], proposal),
    )
    parts.squash(old, room.tanh[t])
    product(
        room.gate[t].reshape((2 * size, columns)),
        *(weights.gate, room.tanh[t], BIAS, weights.gate_bias),
    )
    parts.summarise(candidate, room.summary[t])
    product(room.driven, weights.drive, room.summary[t], ZERO, none)
    new = room.new[t]
    parts.renew(*(room.gate[t], room.driven, room.proposal, room.memory[t], room.squashed[t], new))
    room.memory[t + 1] = new
    show = room.show[t]
    product(show.reshape((2 * size, columns)), weights.show, new.reshape(flat), ZERO, none)
    query = room.query[t]
    for k in range(modules):
        product(query[:, k], weights.query[k].T, candidate[:, k], ZERO, none)
    attend(*(query, show[:size], show[size:], room.scale[0], slots, room.read[t], room.message[t]))


@answers(stages.exchange_backward, WorkspaceRoom)
def exchange_backward(
    t: int, slot: int, room: Any, weights: Any, candidate: Any, active: Any, slopes: Any
) -> None:
    read_backward(t, slot, room, weights, slopes)
    units, modules, rows = candidate.shape
    size, slots, none = len(weights.ask), room.memory.shape[2], weights.think_bias
    flat, cube = (size, slots * rows), (size, slots, rows)
    d_memory, d_gate = slopes.memory.reshape(flat), room.d_gate[slot]
    one, two, d_think = room.one, room.two, room.d_think[slot]
    parts.renew_backward(
        *(room.gate[t], room.memory[t], room.squashed[t], slopes.memory),
        *(d_gate, room.d_driven[slot], one.reshape(cube)),
    )
    product(room.d_summary, weights.drive.T, room.d_driven[slot], ZERO, none)
    parts.summarise_backward(room.d_summary, candidate, active, slopes.candidate)
    product(two, weights.gate.T, d_gate.reshape((2 * size, slots * rows)), ZERO, none)
    parts.squash_backward(two, room.tanh[t], d_memory)
    parts.normalise_backward(
        *(one, weights.think_norm, room.scaled[t, 1], room.spread[t, 1], two),
        *(room.d_norm[2], room.d_norm[3]),
    )
    parts.rectify_backward(two, room.thought[t], d_think)
    product(two, weights.think.T, d_think, ADD, none)
    parts.normalise_backward(
        *(two, weights.write_norm, room.scaled[t, 0], room.spread[t, 0], one),
        *(room.d_norm[0], room.d_norm[1]),
    )
    parts.add(d_memory, one)
    offer, d_offer = room.offer[t], room.d_offer[slot]
    attend_backward(
        *(room.ask[t], offer[:size], offer[size:], room.scale[0], room.wrote[t], active),
        *(one.reshape(cube), room.d_ask[slot], d_offer[:size], d_offer[size:]),
    )
    product(d_memory, weights.ask.T, room.d_ask[slot].reshape(flat), ADD, none)
    count = modules * rows
    product(
        slopes.candidate.reshape((units, count)),
        *(weights.offer.T, d_offer.reshape((2 * size, count)), ADD, none),
    )


@kernel
def read_backward(t: int, slot: int, room: Any, weights: Any, slopes: Any) -> None:
    """From messages to the new memory and the candidate."""
    size, slots, rows = room.new[t].shape
    show, d_show, d_query = room.show[t], room.d_show[slot], room.d_query[slot]
    attend_backward(
        *(room.query[t], show[:size], show[size:], room.scale[0], room.read[t], room.everyone),
        *(slopes.message, d_query, d_show[:size], d_show[size:]),
    )
    for k in range(len(weights.query)):
        product(slopes.candidate[:, k], weights.query[k], d_query[:, k], ADD, weights.think_bias)
    product(
        slopes.memory.reshape((size, slots * rows)),
        *(weights.show.T, d_show.reshape((2 * size, slots * rows)), ADD, weights.think_bias),
    )


@answers(stages.exchange_gradients, WorkspaceRoom)
def exchange_gradients(first: int, count: int, room: Any, candidates: Any, gradients: Any) -> None:
    size, slots, rows = room.new[0].shape
    units, modules = candidates.shape[1:3]
    none, flat, wide = gradients.think_bias, (size, slots * rows), (2 * size, slots * rows)
    for s in range(count):
        t = first + s
        candidate, d_gate = candidates[t], room.d_gate[s].reshape(wide)
        together = candidate.reshape((units, modules * rows))
        d_offer = room.d_offer[s].reshape((2 * size, modules * rows))
        old, d_ask = room.memory[t].reshape(flat), room.d_ask[s].reshape(flat)
        product(gradients.ask, d_ask, old.T, ADD, none)
        product(gradients.offer, d_offer, together.T, ADD, none)
        product(gradients.think, room.d_think[s], room.first[t].T, ADD, none)
        add_sums(gradients.think_bias, room.d_think[s])
        product(gradients.gate, d_gate, room.tanh[t].T, ADD, none)
        add_sums(gradients.gate_bias, d_gate)
        product(gradients.drive, room.d_driven[s], room.summary[t].T, ADD, none)
        product(
            gradients.show, room.d_show[s].reshape(wide), room.new[t].reshape(flat).T, ADD, none
        )
        for k in range(modules):
            d_query = room.d_query[s][:, k]
            product(gradients.query[k], d_query, candidate[:, k].T, ADD, none)
    if first == 0:
        add_sums(gradients.write_norm, room.d_norm[0])
        add_sums(gradients.write_norm_bias, room.d_norm[1])
        add_sums(gradients.think_norm, room.d_norm[2])
        add_sums(gradients.think_norm_bias, room.d_norm[3])
        room.d_norm[:] = 0
