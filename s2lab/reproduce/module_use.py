"""Who is used when, in a trained agent and in the same agent before training. Knows no table.

What a step's use can depend on is what is seen at that step, and what it can lead to is what the
action of that step does: events are taken so. A key or door in view is read off the view, the
agent's own cell left out; that cell tells whether something is carried.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from s2lab.config import TrainConfig, read_config
from s2lab.run_folder import RunFolder
from s2lab.seeds import torch_seed

if TYPE_CHECKING:
    import torch

    from s2lab.agents.actor_critic import ActorCritic

STEPS = 4000  # played, over sixteen worlds
SHIFTS = 200  # of the control
MODULAR = ("rims", "workspace", "scoff")


def module_use(run: RunFolder, steps: int = STEPS, shifts: int = SHIFTS) -> dict[str, Any]:
    """For modules and schemata: bits about each event, by chance, and untrained; {} without parts.

    Both networks read what the trained agent met.
    """
    from s2lab.explain import open_agent, play
    from s2lab.training import build_model

    config = read_config(run)
    if not isinstance(config, TrainConfig) or config.agent not in MODULAR:
        return {}
    policy, _ = open_agent(run.path)
    played = play(policy, config.env, max(20, steps // 16))
    if played is None:
        return {}
    shown, reset, bits = played
    events = events_of(shown, bits)
    if not events:
        return {}
    seed = torch_seed(config.seed, "evaluation")
    trained = information(policy.model, shown, reset, events, seed, shifts)
    untrained = information(build_model(config), shown, reset, events, seed, shifts)
    return {"steps": reset.numel(), "trained": trained, "untrained": untrained}


def events_of(
    shown: "Mapping[str, torch.Tensor]", bits: "torch.Tensor"
) -> "dict[str, torch.Tensor]":
    """bool [T, B] by name; only what happens at some steps and not at all.

    Args:
        shown: fields [T, B, ...]; `image` is the partial view
        bits: [T, B], `EVENT_BITS` of each step's action
    """
    import torch

    from s2lab.envs.grid.cells import DOOR, EMPTY, KEY, UNSEEN
    from s2lab.envs.spaces import EVENT_BITS

    kinds = shown["image"][..., 0].clone()  # [T, B, X, Y]
    across, down = kinds.shape[2] // 2, kinds.shape[3] - 1
    own = kinds[:, :, across, down].clone()
    kinds[:, :, across, down] = UNSEEN
    opened = EVENT_BITS["opened"] | EVENT_BITS["unlocked"]
    found = {
        "key in view": (kinds == KEY).flatten(2).any(2),
        "door in view": (kinds == DOOR).flatten(2).any(2),
        "carrying": (own != UNSEEN) & (own != EMPTY),
        "picking up": (bits & EVENT_BITS["picked"]) != 0,
        "opening a door": (bits & opened) != 0,
    }
    return {name: flag for name, flag in found.items() if torch.any(flag) and not torch.all(flag)}


def information(
    model: "ActorCritic",
    shown: "Mapping[str, torch.Tensor]",
    reset: "torch.Tensor",
    events: "Mapping[str, torch.Tensor]",
    seed: int,
    shifts: int,
) -> dict[str, Any]:
    """What every kind of part tells about every event, beside chance; see `beside_chance`."""
    import torch

    from s2lab.agents.cores.specialisation import (
        beside_chance,
        chosen,
        collapse,
        mutual_information,
    )
    from s2lab.explain import trace

    flags = torch.stack(list(events.values()), -1)  # [T, B, E]
    flat = flags.flatten(0, 1).double()
    traced = trace(model, shown, reset)
    parts = {"module": (traced["active"], 1)}
    if "schema" in traced:
        files, schemata = traced["schema_probability"].shape[-2:]
        parts["schema"] = (chosen(traced["schema"], schemata), files)
    found: dict[str, Any] = {
        "events": list(events),
        "entropy": rounded(mutual_information(flat, flat).diagonal()),
    }
    for name, (used, rows) in parts.items():
        draws = torch.Generator().manual_seed(seed)
        control = beside_chance(used, flags, draws, shifts=shifts, rows_per_world=rows)
        usage = used.flatten(0, 1).double().mean(0)
        found[name] = {
            "usage": rounded(usage),
            "collapse": round(collapse(usage), 4),
            "bits": rounded(control.bits),
            "by_chance": rounded(control.by_chance),
            "best": rounded(control.best),
            "best_by_chance": rounded(control.best_by_chance),
            "p_value": rounded(control.p_value),
        }
    return found


def rounded(values: "torch.Tensor") -> Any:
    """Nested lists with five decimals."""
    return (values * 1e5).round().div(1e5).tolist()


def excess(found: Mapping[str, Any], part: str) -> dict[str, float]:
    """Event -> share of its entropy that the best part tells, beyond chance."""
    told = found[part]
    return {
        event: (best - chance) / entropy
        for event, best, chance, entropy in zip(
            found["events"], told["best"], told["best_by_chance"], found["entropy"], strict=True
        )
    }


def index(looked: Mapping[str, Any]) -> float | None:
    """One number for a run: mean excess over events of its modules, trained; None without parts."""
    if "trained" not in looked:
        return None
    shares = excess(looked["trained"], "module")
    return sum(shares.values()) / len(shares)
