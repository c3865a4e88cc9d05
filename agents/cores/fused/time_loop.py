"""A modular core's whole sequence, forward and backward, as two kernels over its stages.

Knows no equation: what a stage does is its own (`stages.py`).
"""

from typing import Any, NamedTuple

import numpy as np

from s2lab.agents.cores.fused import update_stage
from s2lab.agents.cores.fused.elementary import kernel
from s2lab.agents.cores.fused.rows import arrive_modules, forget_modules, restart, show_modules
from s2lab.agents.cores.fused.stages import (
    begin,
    exchange,
    exchange_backward,
    exchange_gradients,
    inputs_backward,
    propose,
    propose_backward,
    propose_gradients,
)


class Clock(NamedTuple):
    """What a sequence brings along."""

    inputs: np.ndarray
    """[T, B, I]"""
    reset: np.ndarray
    """bool [T, B]"""
    any_reset: np.ndarray
    """bool [T]"""


@kernel
def forward(
    clock: Any,
    cell: Any,
    cell_w: Any,
    talk: Any,
    talk_w: Any,
    update: Any,
    update_w: Any,
    states: Any,
    fresh: Any,
    outputs: Any,
) -> None:
    """Fill the rooms and outputs [T, B, K * H]. Without communication `talk` is None.

    `states`: the arrays [T + 1, F, K or S, B] of what enters each step, the first already filled;
    `fresh`: what a reset row starts from, [F, K or S] each.
    """
    begin(cell, cell_w, clock.inputs)
    for t in range(len(clock.inputs)):
        if clock.any_reset[t]:
            for k in range(len(states)):
                restart(states[k][t], fresh[k], clock.reset[t])
        propose(t, cell, cell_w, update.hidden[t])
        if talk is None:
            update_stage.keep(t, update, cell.candidate[t], cell.active[t])
        else:
            exchange(t, talk, talk_w, cell.candidate[t], cell.active[t])
            message = talk.message[t]
            update_stage.update(t, update, update_w, cell.candidate[t], cell.active[t], message)
        show_modules(update.hidden[t + 1], outputs[t])


@kernel
def backward(
    clock: Any,
    cell: Any,
    cell_w: Any,
    talk: Any,
    talk_w: Any,
    update: Any,
    update_w: Any,
    slopes: Any,
    chunk: int,
    d_outputs: Any,
    d_inputs: Any,
    cell_g: Any,
    talk_g: Any,
    update_g: Any,
) -> None:
    """Adds to the gradients; `slopes` come in for the final state and go out for the initial one.

    d_inputs [T, B, I] is written, or empty where nobody asks.
    """
    for t in range(len(clock.inputs) - 1, -1, -1):
        slot = t % chunk
        arrive_modules(d_outputs[t], slopes.hidden)
        candidate, active = cell.candidate[t], cell.active[t]
        if talk is None:
            update_stage.keep_backward(active, slopes)
        else:
            update_stage.update_backward(t, slot, update, update_w, active, slopes)
            exchange_backward(t, slot, talk, talk_w, candidate, active, slopes)
        propose_backward(t, slot, cell, cell_w, update.hidden[t], slopes)
        if clock.any_reset[t]:
            forget_modules(slopes.hidden, clock.reset[t])
            forget_modules(slopes.cell, clock.reset[t])
            forget_modules(slopes.memory, clock.reset[t])
        if slot == 0:
            count = min(chunk, len(clock.inputs) - t)
            propose_gradients(t, count, cell, clock.inputs, update.hidden, cell_g)
            if len(d_inputs) > 0:
                inputs_backward(t, count, cell, cell_w, d_inputs)
            if talk is not None:
                exchange_gradients(t, count, talk, cell.candidate, talk_g)
                update_stage.update_gradients(t, count, update, talk.message, update_g)
