"""Which fused stages a modular core needs, and its parameters in their order."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from s2lab.agents.cores.contract import State
from s2lab.agents.cores.fused import lstm_stage, pairwise_stage, schema_stage, workspace_stage
from s2lab.agents.cores.fused.sequence import FusedSequence, Plan, Pool, Stage, padded
from s2lab.agents.cores.fused.stages import Parts, Sizes
from s2lab.agents.cores.lstm_modules import LSTMModules
from s2lab.agents.cores.modular import Communication, ModularCore
from s2lab.agents.cores.pairwise import PairwiseCommunication
from s2lab.agents.cores.schemata import CHOICE_SIZE, Schemata
from s2lab.agents.cores.shared_workspace import SharedWorkspace


def cell_of(cells: LSTMModules | Schemata, inputs: Tensor) -> tuple[Stage, Parts]:
    """How to propose, and its parameters."""
    if isinstance(cells, LSTMModules):
        turned = frozenset({"recurrent"})
        stage = Stage(lstm_stage.lstm_room, lstm_stage.LSTMWeights, 4, turned, state="cell")
        return stage, lstm_parameters(cells)
    room = partial(
        schema_stage.schema_room,
        schemata=cells.schema_count,
        choice=CHOICE_SIZE,
        temperature=cells.temperature,
    )
    turned = frozenset({"query", "recurrent", "choice_read", "choice_write"})
    fixed = frozenset({"noise"})
    stage = Stage(room, schema_stage.SchemaWeights, 9, turned, fixed)
    return stage, schema_parameters(cells, inputs)


def talk_of(talk: Communication, modules: int) -> tuple[Stage, Parts] | None:
    """How to exchange, and its parameters; None where nothing is fused."""
    room: Callable[..., Any]
    if isinstance(talk, PairwiseCommunication):
        room = partial(pairwise_stage.pairwise_room, heads=talk.heads, size=talk.message_size)
        turned = frozenset({"query_key_value"})
        return Stage(room, pairwise_stage.PairwiseWeights, 1, turned), (talk.query_key_value,)
    if isinstance(talk, SharedWorkspace):
        room = partial(
            workspace_stage.workspace_room,
            heads=talk.heads,
            size=talk.message_size,
            slots=talk.slots,
            writers=talk.writers or modules,
        )
        weights, turned = workspace_stage.WorkspaceWeights, frozenset({"query"})
        return Stage(room, weights, 13, turned, state="memory"), workspace_parameters(talk)
    return None


def plan_of(core: ModularCore, inputs: Tensor) -> tuple[Plan, Parts] | None:
    """The plan for inputs [T, B, I] with the parameters it takes; None where nothing is fused."""
    cells, talk = core.cells, core.communication
    if not isinstance(cells, LSTMModules | Schemata):
        return None
    cell = cell_of(cells, inputs)
    exchange = talk_of(talk, cells.module_count) if talk is not None else None
    if exchange is None and talk is not None:
        return None
    sizes = Sizes(
        steps=inputs.shape[0],
        rows=padded(inputs.shape[1], inputs.dtype.itemsize),
        modules=cells.module_count,
        units=cells.module_size,
        active=cells.active_count,
        key=cells.key_size,
    )
    if exchange is None:
        return Plan(sizes, cell[0], None), cell[1]
    update = (core.gate.project.weight, core.gate.project.bias)
    return Plan(sizes, cell[0], exchange[0]), (*cell[1], *exchange[1], *update)


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
        padded_noise(cells.gumbel(inputs)),
    )


def padded_noise(noise: Tensor) -> Tensor:
    """[T, B, K, J] -> [T, J, K * B] with rows as in the buffers."""
    rows = padded(noise.shape[1], noise.dtype.itemsize)
    found = noise.permute(0, 3, 2, 1)
    if rows > noise.shape[1]:
        found = torch.nn.functional.pad(found, (0, rows - noise.shape[1]))
    return found.flatten(2).contiguous()


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
        pool_of(core), plan, reset, fresh, inputs, *state, *parameters
    )
    return outputs, tuple(after)


def pool_of(core: ModularCore) -> Pool:
    """The core's own pool of buffers, made on first use."""
    pool = core.__dict__.get("fused_pool")
    if not isinstance(pool, Pool):
        pool = core.__dict__["fused_pool"] = Pool()
    return pool
