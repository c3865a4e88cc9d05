"""Core names -> cores. Loads a core's file, and torch, only when that core is made."""

from __future__ import annotations

import dataclasses
import difflib
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from s2lab.agents.cores.contract import Core


@dataclass(frozen=True)
class CoreEntry:
    """Where a core lives and what it is, in words that need no torch."""

    module: str
    """File under `s2lab.agents.cores` that defines it."""
    core: str
    """Name of the core's class: `Core(input_size, config)`."""
    config: str
    """Name of its frozen configuration dataclass."""
    summary: str
    """One line for listings, with the paper."""

    def load(self) -> tuple[type[Any], type[Any]]:
        """The core's class and its configuration's class."""
        module = importlib.import_module(f"s2lab.agents.cores.{self.module}")
        return getattr(module, self.core), getattr(module, self.config)


CORES: dict[str, CoreEntry] = {
    "none": CoreEntry("feedforward", "FeedForwardCore", "FeedForwardConfig", "no memory at all"),
    "lstm": CoreEntry(
        "lstm", "LSTMCore", "LSTMConfig", "long short-term memory (Hochreiter & Schmidhuber 1997)"
    ),
    "gru": CoreEntry("gru", "GRUCore", "GRUConfig", "gated recurrent unit (Cho et al. 2014)"),
    "rims": CoreEntry(
        "rims", "RIMsCore", "RIMsConfig", "recurrent independent mechanisms (Goyal et al. 2019)"
    ),
    "workspace": CoreEntry(
        "workspace",
        "WorkspaceCore",
        "WorkspaceConfig",
        "modules that share a global workspace (Goyal et al. 2021)",
    ),
    "scoff": CoreEntry(
        "scoff", "SCOFFCore", "SCOFFConfig", "object files and schemata (Goyal et al. 2020)"
    ),
    "rmc": CoreEntry("rmc", "RMCCore", "RMCConfig", "relational memory core (Santoro et al. 2018)"),
    "transformer": CoreEntry(
        "transformer",
        "TransformerCore",
        "TransformerConfig",
        "gated transformer with a bounded memory (Parisotto et al. 2019)",
    ),
    "production": CoreEntry(
        "production",
        "ProductionCore",
        "ProductionConfig",
        "neural production system (Goyal et al. 2021)",
    ),
    "accumulator": CoreEntry(
        "accumulator", "AccumulatorCore", "AccumulatorConfig", "a gated linear sum, as an anchor"
    ),
}


def nearest(name: str, allowed: list[str], kind: str) -> str:
    """The one-line complaint about an unknown name, with the nearest known one."""
    close = difflib.get_close_matches(name, allowed, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(sorted(allowed))}"
    return f"unknown {kind} {name!r}; {hint}"


def core_config(name: str, options: Mapping[str, Any] | None = None) -> Any:
    """The frozen configuration of core `name` with `options` in place of its defaults.

    Raises:
        ValueError: unknown core or option (with the nearest known one), or a value out of range.
    """
    if name not in CORES:
        raise ValueError(nearest(name, list(CORES), "core"))
    _, config_class = CORES[name].load()
    fields = [field.name for field in dataclasses.fields(config_class)]
    for option in options or {}:
        if option not in fields:
            raise ValueError(nearest(option, fields, f"option of core {name!r}:"))
    return config_class(**(options or {}))


def make_core(name: str, input_size: int, options: Mapping[str, Any] | None = None) -> Core:
    """Build core `name` for inputs [T, B, input_size].

    Raises:
        ValueError: unknown core or option (with the nearest known one), or a value out of range.
    """
    config = core_config(name, options)
    core_class, _ = CORES[name].load()
    core: Core = core_class(input_size, config)
    return core
