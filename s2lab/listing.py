"""The names that commands take, with a word on each. Loads only what it lists."""

from collections.abc import Sequence
from dataclasses import fields

from s2lab.agents.ppo_config import PPOConfig
from s2lab.presets import PRESETS


def names_of(what: str, imports: Sequence[str] = ()) -> dict[str, str]:
    """Name -> meaning for one kind of thing."""
    match what:
        case "envs":
            from s2lab.envs.external import known_ids, register_packages

            register_packages(imports)
            return dict.fromkeys(known_ids(), "")
        case "agents":
            from s2lab.agents.cores import CORES

            return {name: entry.summary for name, entry in CORES.items()}
        case "baselines":
            from s2lab.baselines import BASELINES

            return dict(BASELINES)
        case "discoverers":
            from s2lab.causal.discovery import DISCOVERERS

            return {name: entry.summary for name, entry in DISCOVERERS.items()}
        case "presets":
            return {
                name: ", ".join(f"{field}={value}" for field, value in settings.items())
                for name, settings in PRESETS.items()
            }
        case "ppo":
            return {entry.name: f"default {entry.default}" for entry in fields(PPOConfig)}
        case "worlds":
            from s2lab.envs.controllable import CONTROLLABLE

            return dict(CONTROLLABLE)
        case "shifts":
            from s2lab.envs.shifts import SHIFTS

            return {name: shift.summary for name, shift in SHIFTS.items()}
        case "reproductions":
            from s2lab.reproduce import REPRODUCTIONS

            return dict(REPRODUCTIONS)
    raise ValueError(what)
