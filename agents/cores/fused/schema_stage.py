"""`Schemata.propose` for T steps, fused: see `stages.py` for what a stage is."""

from typing import Any, NamedTuple

import numpy as np

from s2lab.agents.cores.fused import schema_kernels, stages
from s2lab.agents.cores.fused.lstm_kernels import compete, compete_backward
from s2lab.agents.cores.fused.products import ADD, BIAS, ZERO, add_sums, product
from s2lab.agents.cores.fused.stages import Sizes, answers


class SchemaRoom(NamedTuple):
    """J schemata, C the width of a choice, M = K * B, D = d + 3HJ: the key, then all drives."""

    active_count: np.ndarray
    """[1], k_A."""
    temperature: np.ndarray
    """[1], of the choice."""
    driven: np.ndarray
    """[T, D, B]"""
    query: np.ndarray
    """[T, d, K, B]"""
    attention: np.ndarray
    """[T, K, B]"""
    active: np.ndarray
    """[T, K, B], 1 or 0."""
    own: np.ndarray
    """[T, J, 3H, M]"""
    new: np.ndarray
    """[T, J, H, M]"""
    proposal: np.ndarray
    """[T, J, H, M]"""
    read: np.ndarray
    """[T, C, M]"""
    write: np.ndarray
    """[T, J, C, M]"""
    soft: np.ndarray
    """[T, J, M]"""
    hard: np.ndarray
    """[T, J, M], 1 or 0."""
    candidate: np.ndarray
    """[T, H, K, B]"""
    d_driven: np.ndarray
    """[chunk, D, B]"""
    d_query: np.ndarray
    """[chunk, d, K, B]"""
    d_own: np.ndarray
    """[chunk, J, 3H, M]"""
    d_read: np.ndarray
    """[chunk, C, M]"""
    d_write: np.ndarray
    """[chunk, J, C, M]"""
    d_proposal: np.ndarray
    """[J, H, M]"""
    d_logits: np.ndarray
    """[J, M]"""
    d_attention: np.ndarray
    """[K, B]"""


class SchemaWeights(NamedTuple):
    """See `plans.schema_parameters`."""

    into: np.ndarray
    """[D, I]"""
    into_bias: np.ndarray
    """[D]"""
    query: np.ndarray
    """[K, H, d]; its gradient is [K, d, H]."""
    query_bias: np.ndarray
    """[K, d]"""
    recurrent: np.ndarray
    """[H, 3HJ]; its gradient is [3HJ, H]."""
    bias: np.ndarray
    """[3HJ]"""
    choice_read: np.ndarray
    """[H, C]; its gradient is [C, H]."""
    choice_write: np.ndarray
    """[J, H, C]; its gradient is [J, C, H]."""
    noise: np.ndarray
    """[T, J, M], added to the logits; it has no gradient."""


def schema_room(
    sizes: Sizes, dtype: Any, schemata: int, choice: int, temperature: float
) -> SchemaRoom:
    """Buffers of T steps."""
    steps, rows, files, units = sizes.steps, sizes.rows, sizes.modules, sizes.units
    into, gates, count, chunk = (
        sizes.key + schemata * 3 * units,
        3 * units,
        files * rows,
        sizes.chunk,
    )

    def new(*shape: int) -> np.ndarray:
        return np.empty(shape, dtype)

    return SchemaRoom(
        active_count=np.array([sizes.active]),
        temperature=np.array([temperature], dtype),
        driven=new(steps, into, rows),
        query=new(steps, sizes.key, files, rows),
        attention=new(steps, files, rows),
        active=new(steps, files, rows),
        own=new(steps, schemata, gates, count),
        new=new(steps, schemata, units, count),
        proposal=new(steps, schemata, units, count),
        read=new(steps, choice, count),
        write=new(steps, schemata, choice, count),
        soft=new(steps, schemata, count),
        hard=new(steps, schemata, count),
        candidate=new(steps, units, files, rows),
        d_driven=new(chunk, into, rows),
        d_query=new(chunk, sizes.key, files, rows),
        d_own=new(chunk, schemata, gates, count),
        d_read=new(chunk, choice, count),
        d_write=new(chunk, schemata, choice, count),
        d_proposal=new(schemata, units, count),
        d_logits=new(schemata, count),
        d_attention=new(files, rows),
    )


@answers(stages.begin, SchemaRoom)
def begin(room: Any, weights: Any, inputs: Any) -> None:
    for t in range(len(inputs)):
        product(room.driven[t], weights.into, inputs[t].T, BIAS, weights.into_bias)


@answers(stages.propose, SchemaRoom)
def propose(t: int, room: Any, weights: Any, hidden: Any) -> None:
    units, files, rows = hidden.shape
    schemata, key, count = len(room.own[t]), room.query.shape[1], files * rows
    flat, driven, bias = hidden.reshape((units, count)), room.driven[t], weights.bias
    for k in range(files):
        query = room.query[t][:, k]
        product(query, weights.query[k].T, hidden[:, k], BIAS, weights.query_bias[k])
    own = room.own[t].reshape((len(bias), count))
    product(own, weights.recurrent.T, flat, BIAS, bias)
    product(room.read[t], weights.choice_read.T, flat, ZERO, bias)
    compete(
        *(room.query[t], driven[:key], room.active_count[0]),
        *(room.attention[t], room.active[t]),
    )
    drive = driven[key:].reshape((schemata, 3 * units, rows))
    schema_kernels.propose(
        *(room.own[t], drive, room.attention[t], flat, room.new[t], room.proposal[t])
    )
    for j in range(schemata):
        product(room.write[t, j], weights.choice_write[j].T, room.proposal[t, j], ZERO, bias)
    schema_kernels.choose(
        *(room.read[t], room.write[t], weights.noise[t], room.temperature[0], room.proposal[t]),
        *(room.soft[t], room.hard[t], room.candidate[t].reshape((units, count))),
    )


@answers(stages.propose_backward, SchemaRoom)
def propose_backward(t: int, slot: int, room: Any, weights: Any, hidden: Any, slopes: Any) -> None:
    units, files, rows = hidden.shape
    schemata, key, count = len(room.own[t]), room.query.shape[1], files * rows
    flat, d_flat = hidden.reshape((units, count)), slopes.hidden.reshape((units, count))
    d_chosen, bias = slopes.candidate.reshape((units, count)), weights.bias
    schema_kernels.choose_backward(
        *(room.read[t], room.write[t], room.temperature[0], room.proposal[t], room.soft[t]),
        *(d_chosen, room.d_logits, room.d_read[slot], room.d_write[slot]),
    )
    for j in range(schemata):
        product(room.d_proposal[j], weights.choice_write[j], room.d_write[slot, j], ZERO, bias)
    drive = room.driven[t][key:].reshape((schemata, 3 * units, rows))
    d_drive = room.d_driven[slot][key:].reshape((schemata, 3 * units, rows))
    schema_kernels.propose_backward(
        *(room.own[t], drive, room.attention[t], flat, room.new[t], room.hard[t], d_chosen),
        *(room.d_proposal, d_flat, room.d_own[slot], d_drive, room.d_attention),
    )
    compete_backward(
        *(room.query[t], room.driven[t][:key], room.attention[t], room.d_attention),
        *(room.d_query[slot], room.d_driven[slot][:key]),
    )
    product(d_flat, weights.choice_read, room.d_read[slot], ADD, bias)
    product(d_flat, weights.recurrent, room.d_own[slot].reshape((len(bias), count)), ADD, bias)
    for k in range(files):
        d_query = room.d_query[slot][:, k]
        product(slopes.hidden[:, k], weights.query[k], d_query, ADD, bias)


@answers(stages.propose_gradients, SchemaRoom)
def propose_gradients(
    first: int, count: int, room: Any, inputs: Any, hidden: Any, gradients: Any
) -> None:
    units, files, rows = hidden.shape[1:]
    bias = gradients.bias
    for s in range(count):
        state = hidden[first + s]
        flat_t = state.reshape((units, files * rows)).T
        d_own = room.d_own[s].reshape((len(bias), files * rows))
        product(gradients.recurrent, d_own, flat_t, ADD, bias)
        add_sums(bias, d_own)
        product(gradients.choice_read, room.d_read[s], flat_t, ADD, bias)
        for j in range(len(gradients.choice_write)):
            proposal_t = room.proposal[first + s, j].T
            product(gradients.choice_write[j], room.d_write[s, j], proposal_t, ADD, bias)
        for k in range(files):
            d_query = room.d_query[s][:, k]
            product(gradients.query[k], d_query, state[:, k].T, ADD, bias)
            add_sums(gradients.query_bias[k], d_query)
        product(gradients.into, room.d_driven[s], inputs[first + s], ADD, bias)
        add_sums(gradients.into_bias, room.d_driven[s])


@answers(stages.inputs_backward, SchemaRoom)
def inputs_backward(first: int, count: int, room: Any, weights: Any, d_inputs: Any) -> None:
    for s in range(count):
        product(d_inputs[first + s], room.d_driven[s].T, weights.into, ZERO, weights.bias)
