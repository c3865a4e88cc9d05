"""A relational memory core's sequence, forward and backward, without torch.

The equations are those of `rmc.py`; arguments are the named tuples of `relational.py`.
"""

from typing import Any

from s2lab.agents.cores.fused import workspace_kernels as parts
from s2lab.agents.cores.fused.attention_kernels import attend, attend_backward
from s2lab.agents.cores.fused.elementary import kernel
from s2lab.agents.cores.fused.products import ADD, BIAS, ZERO, add_sums, product
from s2lab.agents.cores.fused.rows import arrive_modules, forget_modules, restart, show_modules


@kernel
def begin(inputs: Any, weights: Any, room: Any) -> None:
    """What does not depend on the memory, for all T."""
    columns = room.first.shape[2]
    for t in range(len(inputs)):
        row, offer = room.embedded[t], room.offer[t]
        wide = offer.reshape((len(offer), offer.shape[1] * offer.shape[2]))
        product(row, weights.embed, inputs[t].T, BIAS, weights.embed_bias)
        product(wide[:, columns:], weights.key_value, row, ZERO, weights.gate_bias)
        product(room.driven[t], weights.drive, row, ZERO, weights.gate_bias)


@kernel
def step(t: int, weights: Any, room: Any) -> None:
    """memory[t] -> memory[t + 1]."""
    size, slots, rows = room.one.shape
    columns, flat, none = slots * rows, (size, slots * rows), weights.gate_bias
    old, offer, first, inner = (
        room.memory[t].reshape(flat),
        room.offer[t],
        room.first[t],
        room.inner[t],
    )
    one, two = room.one.reshape(flat), room.two.reshape(flat)
    product(room.ask[t].reshape(flat), weights.query, old, ZERO, none)
    wide = offer.reshape((2 * size, columns + rows))
    product(wide[:, :columns], weights.key_value, old, ZERO, none)
    attend(
        *(room.ask[t], offer[:size], offer[size:], room.scale[0], slots + 1),
        *(room.looked[t], room.one),
    )
    parts.normalise(
        *(old, one, False, weights.norm, weights.norm_bias),
        *(room.scaled[t, 0], room.spread[t, 0], first),
    )
    product(inner, weights.think, first, BIAS, weights.think_bias)
    parts.rectify(inner)
    product(two, weights.conclude, inner, BIAS, weights.conclude_bias)
    parts.normalise(
        *(first, two, False, weights.last_norm, weights.last_norm_bias),
        *(room.scaled[t, 1], room.spread[t, 1], one),
    )
    parts.squash(old, room.tanh[t])
    gate = room.gate[t]
    product(gate.reshape((2 * size, columns)), weights.gate, room.tanh[t], BIAS, weights.gate_bias)
    parts.renew(
        *(gate, room.driven[t], room.one, room.memory[t], room.squashed[t], room.memory[t + 1])
    )


@kernel
def forward(clock: Any, weights: Any, room: Any, outputs: Any) -> None:
    """outputs [T, B, S * D]; memory[0] is given."""
    begin(clock.inputs, weights, room)
    for t in range(len(clock.inputs)):
        if clock.any_reset[t]:
            restart(room.memory[t], clock.fresh, clock.reset[t])
        step(t, weights, room)
        show_modules(room.memory[t + 1], outputs[t])


@kernel
def step_backward(t: int, weights: Any, room: Any, slopes: Any, gradients: Any) -> None:
    """From the slope of memory[t + 1] to that of memory[t] and of the embedded input."""
    size, slots, rows = room.one.shape
    columns, flat, none = slots * rows, (size, slots * rows), weights.gate_bias
    one, two, d_memory = room.one.reshape(flat), room.two.reshape(flat), slopes.memory.reshape(flat)
    d_gate, d_inner = slopes.gate.reshape((2 * size, columns)), slopes.inner
    parts.renew_backward(
        *(room.gate[t], room.memory[t], room.squashed[t], slopes.memory),
        *(slopes.gate, slopes.driven, room.one),
    )
    product(two, weights.gate.T, d_gate, ZERO, none)
    parts.squash_backward(two, room.tanh[t], d_memory)
    product(gradients.gate, d_gate, room.tanh[t].T, ADD, none)
    add_sums(gradients.gate_bias, d_gate)
    parts.normalise_backward(
        *(one, weights.last_norm, room.scaled[t, 1], room.spread[t, 1], two),
        *(slopes.norms[2], slopes.norms[3]),
    )
    product(gradients.conclude, two, room.inner[t].T, ADD, none)
    add_sums(gradients.conclude_bias, two)
    product(d_inner, weights.conclude.T, two, ZERO, none)
    parts.rectify_backward(d_inner, room.inner[t], d_inner)
    product(gradients.think, d_inner, room.first[t].T, ADD, none)
    add_sums(gradients.think_bias, d_inner)
    product(two, weights.think.T, d_inner, ADD, none)
    parts.normalise_backward(
        *(two, weights.norm, room.scaled[t, 0], room.spread[t, 0], one),
        *(slopes.norms[0], slopes.norms[1]),
    )
    parts.add(d_memory, one)
    look_backward(t, weights, room, slopes, gradients)


@kernel
def look_backward(t: int, weights: Any, room: Any, slopes: Any, gradients: Any) -> None:
    """From the slope of what was attended to, in room.one, to queries, keys and values."""
    size, slots, rows = room.one.shape
    columns, flat, none = slots * rows, (size, slots * rows), weights.gate_bias
    old, d_memory = room.memory[t].reshape(flat), slopes.memory.reshape(flat)
    row, d_row, d_offer = room.embedded[t], slopes.embedded, slopes.offer
    attend_backward(
        *(room.ask[t], room.offer[t][:size], room.offer[t][size:], room.scale[0], room.looked[t]),
        *(slopes.everyone, room.one, slopes.ask, d_offer[:size], d_offer[size:]),
    )
    d_ask, wide = slopes.ask.reshape(flat), d_offer.reshape((2 * size, columns + rows))
    product(d_memory, weights.query.T, d_ask, ADD, none)
    product(d_memory, weights.key_value.T, wide[:, :columns], ADD, none)
    product(d_row, weights.key_value.T, wide[:, columns:], ZERO, none)
    product(d_row, weights.drive.T, slopes.driven, ADD, none)
    product(gradients.query, d_ask, old.T, ADD, none)
    product(gradients.key_value, wide[:, :columns], old.T, ADD, none)
    product(gradients.key_value, wide[:, columns:], row.T, ADD, none)
    product(gradients.drive, slopes.driven, row.T, ADD, none)


@kernel
def backward(
    clock: Any, weights: Any, room: Any, slopes: Any, gradients: Any, d_outputs: Any, d_inputs: Any
) -> None:
    """`d_inputs` is written, or empty where nobody asks; gradients of weights are added to."""
    for t in range(len(clock.inputs) - 1, -1, -1):
        arrive_modules(d_outputs[t], slopes.memory)
        step_backward(t, weights, room, slopes, gradients)
        product(gradients.embed, slopes.embedded, clock.inputs[t], ADD, weights.gate_bias)
        add_sums(gradients.embed_bias, slopes.embedded)
        if len(d_inputs) > 0:
            product(d_inputs[t], slopes.embedded.T, weights.embed, ZERO, weights.gate_bias)
        if clock.any_reset[t]:
            forget_modules(slopes.memory, clock.reset[t])
    add_sums(gradients.norm, slopes.norms[0])
    add_sums(gradients.norm_bias, slopes.norms[1])
    add_sums(gradients.last_norm, slopes.norms[2])
    add_sums(gradients.last_norm_bias, slopes.norms[3])
