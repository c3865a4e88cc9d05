"""Which fused stages a modular core needs, and its parameters in their order."""

from functools import partial

import torch
from torch import Tensor

from s2lab.agents.cores.contract import State
from s2lab.agents.cores.fused.sequence import FusedSequence, Plan, Pool
from s2lab.agents.cores.fused.stages import LSTMStage, PairwiseStage, Parts, Sizes
from s2lab.agents.cores.lstm_modules import LSTMModules
from s2lab.agents.cores.modular import ModularCore
from s2lab.agents.cores.pairwise import PairwiseCommunication


def plan_of(core: ModularCore, steps: int, rows: int) -> tuple[Plan, Parts] | None:
    """The plan for T steps of B rows with the parameters it takes; None where nothing is fused."""
    cells, talk = core.cells, core.communication
    if not isinstance(cells, LSTMModules):
        return None
    if not (talk is None or isinstance(talk, PairwiseCommunication)):
        return None
    sizes = Sizes(
        steps, rows, cells.module_count, cells.module_size, cells.active_count, cells.key_size
    )
    own = lstm_parameters(cells)
    theirs: Parts = ()
    make_talk = None
    if talk is not None:
        theirs = (talk.query_key_value,)
        make_talk = partial(PairwiseStage, heads=talk.heads, size=talk.message_size)
    update = () if talk is None else (core.gate.project.weight, core.gate.project.bias)
    plan = Plan(sizes, cells.parts, 0, LSTMStage, len(own), make_talk, len(theirs))
    return plan, (*own, *theirs, *update)


def lstm_parameters(cells: LSTMModules) -> Parts:
    """Keys and drives as one product of the inputs [d + 4H * K, I], then the recurrent ones."""
    count, units = cells.module_count, 4 * cells.module_size
    scale = cells.key_size**-0.5
    weight = cells.drive.weight.view(count, units, -1).transpose(0, 1).flatten(0, 1)
    bias = cells.drive.bias.view(count, units).t().flatten()
    return (
        torch.cat([cells.key.weight * scale, weight]),
        torch.cat([cells.key.bias * scale, bias]),
        cells.recurrent,
        cells.bias,
    )


def run_fused(
    core: ModularCore, inputs: Tensor, state: State, reset: Tensor
) -> tuple[Tensor, State] | None:
    """The core's forward pass on the fused stages; None where this core has none."""
    found = plan_of(core, *reset.shape)
    if found is None:
        return None
    plan, parameters = found
    fresh = core.initial_state(1, inputs.device, inputs.dtype)
    outputs, *after = FusedSequence.apply(  # type: ignore[no-untyped-call]
        pool_of(core),
        plan,
        reset,
        tuple(part.permute(2, 1, 0).contiguous() for part in fresh),
        inputs,
        *(part.permute(2, 1, 0) for part in state),
        *parameters,
    )
    return outputs, tuple(part.permute(2, 1, 0) for part in after)


def pool_of(core: ModularCore) -> Pool:
    """The core's own pool of buffers, made on first use."""
    pool = core.__dict__.get("fused_pool")
    if not isinstance(pool, Pool):
        pool = core.__dict__["fused_pool"] = Pool()
    return pool
