"""What happens inside an agent: one episode in a picture, and who does what over many.

The picture has the episode's frames above everything that the core's `trace` records, step below
step; the table says in bits how much each module's activity (or schema's choice) tells about each
event. Knows no training.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from s2lab import seeds as seed_ranges
from s2lab.config import RunConfig, read_config
from s2lab.episode import Episode, event_flags, play_episode
from s2lab.errors import UserError
from s2lab.policy import AgentPolicy, load
from s2lab.run_folder import RunFolder

if TYPE_CHECKING:
    import torch

    from s2lab.agents.actor_critic import ActorCritic

SLOTS = 16  # worlds played side by side for the table


@dataclass(frozen=True)
class Information:
    """Who was used when, over many episodes."""

    of: str
    """What is used: modules, schemata or rules."""
    steps: int
    """Steps looked at."""
    usage: list[float]
    """[K] share of steps."""
    collapse: float
    """0 when all are used alike, 1 when one does everything."""
    events: list[str]
    """Events that happened at least once."""
    bits: list[list[float]]
    """[K][E] mutual information between use and event, bits."""
    entropy: list[float]
    """[E] entropy of each event, bits: the most that anything can tell about it."""


def open_agent(path: Path, which: str = "latest") -> tuple[AgentPolicy, RunConfig]:
    """The policy of a run of ours.

    Raises:
        UserError: a run of Stable-Baselines3, or no run.
    """
    from s2lab.envs.external import register_packages

    config = read_config(RunFolder.open(path))
    register_packages(config.imports)
    policy = load(path, which, "sampled", seed_ranges.torch_seed(config.seed, "evaluation"))
    if not isinstance(policy, AgentPolicy):
        raise UserError(f"{path} is a run of Stable-Baselines3; explain looks inside our cores")
    return policy, config


def trace_episode(policy: AgentPolicy, episode: Episode) -> dict[str, NDArray[Any]]:
    """What the core records over an episode, [T, ...] by name."""
    import torch

    shown = {name: torch.as_tensor(field)[:, None] for name, field in episode.observations.items()}
    reset = torch.zeros(len(episode.actions), 1, dtype=torch.bool)
    reset[0] = True
    found = trace(policy.model, shown, reset)
    return {name: part[:, 0].cpu().numpy() for name, part in found.items()}


def trace(
    model: "ActorCritic", shown: "Mapping[str, torch.Tensor]", reset: "torch.Tensor"
) -> "dict[str, torch.Tensor]":
    """The core's trace of what was shown.

    Args:
        model: encoder and core
        shown: fields [T, B, ...]
        reset: bool [T, B], true where an episode begins
    """
    import torch

    steps, rows = reset.shape
    device = next(model.parameters()).device
    with torch.no_grad():
        flat = {name: shown[name].to(device).flatten(0, 1) for name in model.encoder.fields}
        features = model.encoder(flat).view(steps, rows, -1)
        state = model.initial_state(rows, device)
        found: dict[str, torch.Tensor] = model.core.trace(features, state, reset.to(device))
    return found


def measure(policy: AgentPolicy, config: RunConfig, steps: int) -> Information | None:
    """Play on unseen seeds; None for cores without parts, and worlds without events.

    Args:
        policy: the agent
        config: of its run
        steps: to play at least, over all worlds
    """
    import torch

    from s2lab.agents.cores.specialisation import mutual_information, specialisation
    from s2lab.envs.spaces import EVENT_BITS

    played = play(policy, config.env, max(1, steps // SLOTS))
    if played is None:
        return None
    shown, reset, bits = played
    named = used_by(trace(policy.model, shown, reset))
    if named is None:
        return None
    of, used = named
    events = torch.stack([(bits & bit) != 0 for bit in EVENT_BITS.values()], -1)  # [T, B, E]
    happened = events.any(0).any(0)  # [E]
    repeats = used.shape[1] // events.shape[1]
    events = events[..., happened].repeat_interleave(repeats, 1)
    found = specialisation(used, events)
    assert found.information is not None
    flat = events.flatten(0, 1).double()
    names = [name for name, one in zip(EVENT_BITS, happened.tolist(), strict=True) if one]
    return Information(
        of=of,
        steps=reset.numel(),
        usage=found.usage.tolist(),
        collapse=found.collapse,
        events=names,
        bits=found.information.tolist(),
        entropy=mutual_information(flat, flat).diagonal().tolist(),
    )


def used_by(traced: "Mapping[str, torch.Tensor]") -> "tuple[str, torch.Tensor] | None":
    """What a core chooses among, and bool [T, B, K] of what it chose; None if it chooses nothing.

    Schemata are chosen by each object file: one row per file, file after file within a world.
    """
    from s2lab.agents.cores.specialisation import chosen

    if "schema" in traced:
        return "schema", chosen(traced["schema"], traced["schema_probability"].shape[-1])
    if "rule" in traced:
        rules = traced["rule"].unsqueeze(-1)
        return "rule", chosen(rules, int(rules.max()) + 1)
    return ("module", traced["active"]) if "active" in traced else None


def play(
    policy: AgentPolicy, env_id: str, steps: int
) -> "tuple[dict[str, torch.Tensor], torch.Tensor, torch.Tensor] | None":
    """Fields [T, B, ...], reset [T, B] and event bits [T, B] of worlds played side by side.

    None for worlds that tell no events.
    """
    import torch

    from s2lab.envs.choose import is_native, vector_worlds

    if not is_native(env_id):
        return None
    worlds = vector_worlds(env_id, SLOTS)
    first: Any = list(seed_ranges.eval_seeds(SLOTS))
    shown, _ = worlds.reset(seed=first)
    state, begins = policy.initial_state(SLOTS), np.ones(SLOTS, np.bool_)
    fields, resets, events = [], [], []
    for _ in range(steps):
        fields.append({name: torch.as_tensor(np.array(shown[name])) for name in shown})
        resets.append(torch.as_tensor(begins))
        actions, state = policy.step(shown, state, begins)
        shown, _, terminated, truncated, info = worlds.step(actions)
        begins = terminated | truncated
        events.append(torch.as_tensor(info["events"].astype(np.int64)))
    worlds.close()
    stacked = {name: torch.stack([field[name] for field in fields]) for name in fields[0]}
    return stacked, torch.stack(resets), torch.stack(events)


def draw_inside(path: Path, index: int, which: str = "latest") -> Path:
    """Write the picture of one unseen episode into the run folder; returns its path.

    Raises:
        UserError: no run of ours, a world that draws no pictures, an index below 0.
    """
    from s2lab import durable
    from s2lab.inside_picture import draw

    if index < 0:
        raise UserError(f"--episode must be 0 or more, got {index}")
    policy, config = open_agent(path, which)
    episode = play_episode(policy, config.env, seed_ranges.eval_seed(index))
    how = "solved" if episode.success else "not solved"
    title = f"{config.label} in {config.env}, {how} in {len(episode.actions)} steps"
    if episode.mission:
        title += f": {episode.mission}"
    content = draw(episode.frames, trace_episode(policy, episode), event_flags(episode), title)
    target = path / "explain" / f"{which}_episode_{index}.png"
    try:
        target.parent.mkdir(exist_ok=True)
        durable.replace(target, content)
    except OSError as error:
        raise durable.cannot_write(target, error, "free it or make it writable") from None
    return target


def information_table(found: Information) -> str:
    """Bits that each part's use tells about each event, as aligned text."""
    head = [found.of, "used", *found.events]
    lines = [head]
    for k, (share, bits) in enumerate(zip(found.usage, found.bits, strict=True)):
        lines.append([str(k), f"{share:.2f}", *(f"{value:.4f}" for value in bits)])
    lines.append(["event's own", "", *(f"{value:.4f}" for value in found.entropy)])
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    rows = [
        "  ".join(cell.rjust(w) for cell, w in zip(line, widths, strict=True)) for line in lines
    ]
    note = f"bits, over {found.steps:,} steps; collapse {found.collapse:.2f} (1: one does it all)"
    return "\n".join([*rows, note])
