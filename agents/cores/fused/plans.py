"""Which fused stages a modular core needs, and its parameters in their order."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from s2lab.agents.cores.contract import State
from s2lab.agents.cores.fused.pairwise_stage import PairwiseStage
from s2lab.agents.cores.fused.schema_stage import SchemaStage
from s2lab.agents.cores.fused.sequence import CellStage, FusedSequence, Plan, Pool, TalkStage
from s2lab.agents.cores.fused.stages import LSTMStage, Parts, Sizes
from s2lab.agents.cores.fused.workspace_stage import WorkspaceStage
from s2lab.agents.cores.lstm_modules import LSTMModules
from s2lab.agents.cores.modular import ModularCore
from s2lab.agents.cores.pairwise import PairwiseCommunication
from s2lab.agents.cores.schemata import CHOICE_SIZE, Schemata
from s2lab.agents.cores.shared_workspace import SharedWorkspace


def plan_of(core: ModularCore, inputs: Tensor) -> tuple[Plan, Parts] | None:
    """The plan for inputs [T, B, I] with the parameters it takes; None where nothing is fused."""
    cells, talk = core.cells, core.communication
    make_cell: Callable[[Sizes, Tensor], CellStage]
    if isinstance(cells, LSTMModules):
        own, make_cell = lstm_parameters(cells), LSTMStage
    elif isinstance(cells, Schemata):
        own = schema_parameters(cells, inputs)
        make_cell = partial(
            SchemaStage,
            schemata=cells.schema_count,
            choice=CHOICE_SIZE,
            temperature=cells.temperature,
        )
    else:
        return None
    theirs: Parts = ()
    make_talk: Callable[[Sizes, Tensor], TalkStage] | None = None
    memory = len(talk.initial_memory()) if talk is not None else 0
    if isinstance(talk, PairwiseCommunication):
        theirs = (talk.query_key_value,)
        make_talk = partial(PairwiseStage, heads=talk.heads, size=talk.message_size)
    elif isinstance(talk, SharedWorkspace):
        theirs = workspace_parameters(talk)
        make_talk = partial(
            WorkspaceStage,
            heads=talk.heads,
            size=talk.message_size,
            slots=talk.slots,
            writers=talk.writers or cells.module_count,
        )
    elif talk is not None:
        return None
    sizes = Sizes(
        steps=inputs.shape[0],
        rows=inputs.shape[1],
        modules=cells.module_count,
        units=cells.module_size,
        active=cells.active_count,
        key=cells.key_size,
    )
    update = () if talk is None else (core.gate.project.weight, core.gate.project.bias)
    plan = Plan(sizes, cells.parts, memory, make_cell, len(own), make_talk, len(theirs))
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


def schema_parameters(cells: Schemata, inputs: Tensor) -> Parts:
    """As `lstm_parameters`; then query, recurrence and choice, and the noise [T, J, K * B]."""
    scale = cells.key_size**-0.5
    return (
        torch.cat([cells.key.weight * scale, cells.drive.weight]),
        torch.cat([cells.key.bias * scale, cells.drive.bias]),
        cells.query,
        cells.query_bias,
        cells.recurrent,
        cells.bias,
        cells.choice_read,
        cells.choice_write,
        cells.gumbel(inputs).permute(0, 3, 2, 1).flatten(2).contiguous(),
    )


def workspace_parameters(talk: SharedWorkspace) -> Parts:
    """Write, think, gate and read; the four of the layer norms are last."""
    return (
        talk.write_query.weight,
        talk.write_key_value.weight,
        talk.think.weight,
        talk.think.bias,
        talk.gate.from_memory.weight,
        talk.gate.from_memory.bias,
        talk.gate.from_inputs.weight,
        talk.read_query,
        talk.read_key_value.weight,
        talk.after_write.weight,
        talk.after_write.bias,
        talk.after_think.weight,
        talk.after_think.bias,
    )


def run_fused(
    core: ModularCore, inputs: Tensor, state: State, reset: Tensor
) -> tuple[Tensor, State] | None:
    """The core's forward pass on the fused stages; None where this core has none."""
    found = plan_of(core, inputs)
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
