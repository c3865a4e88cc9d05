"""RIM modules that talk through a shared global workspace (Goyal et al. 2021, arXiv 2103.01197).

LSTM modules that compete for the input (`lstm_modules.py`) and write to, and read from, one memory
(`shared_workspace.py`); departures are named there.
"""

from dataclasses import dataclass
from typing import Literal

from s2lab.agents.cores.contract import Kernel, check_kernel, require
from s2lab.agents.cores.lstm_modules import LSTMModules
from s2lab.agents.cores.modular import ModularCore
from s2lab.agents.cores.rims import check_modules
from s2lab.agents.cores.shared_workspace import SharedWorkspace


@dataclass(frozen=True)
class WorkspaceConfig:
    """Sizes of RIMs with a workspace; defaults are those of its authors' recurrent form."""

    module_count: int = 6
    """K, modules."""
    module_size: int = 32
    """H, units of one module."""
    active_count: int = 4
    """k_A, modules that update at each step."""
    key_size: int = 64
    """d of the input attention."""
    slots: int = 4
    """S, slots of the workspace."""
    heads: int = 4
    """Heads of writing and reading."""
    head_size: int = 16
    """Width of one head; a slot is heads * head_size wide."""
    competition: Literal["hard", "soft"] = "hard"
    """hard: only the best `writers` modules write to a slot; soft: all do, by attention."""
    writers: int = 3
    """Modules that may write to one slot under hard competition."""
    forget_bias: float = 1.0
    """Initial bias of the forget gates: 1 as in Jozefowicz et al. 2015; ln(steps to hold) where
    memories must be long (Tallec & Ollivier 2018)."""
    kernel: Kernel = "auto"
    """How to compute it: fused CPU kernels, plain torch, or whichever suits the device."""

    def __post_init__(self) -> None:
        check_kernel(self.kernel)
        check_modules(self.module_count, self.module_size, self.active_count, self.key_size)
        check_workspace(self.slots, self.heads, self.head_size, self.writers)
        require(
            self.competition in ("hard", "soft"),
            f"competition is {self.competition!r}; it must be 'hard' or 'soft'",
        )


def check_workspace(slots: int, heads: int, head_size: int, writers: int) -> None:
    """Raise ValueError when the sizes of a workspace cannot be."""
    for name, value in (
        ("slots", slots),
        ("heads", heads),
        ("head_size", head_size),
        ("writers", writers),
    ):
        require(value >= 1, f"{name} is {value}; it must be at least 1")
    require(
        slots <= heads * head_size,
        f"slots is {slots}; with slots {heads * head_size} wide there can be as many at most",
    )


class WorkspaceCore(ModularCore):
    """State: h and c [B, K, H], memory [B, S, D]; outputs are all h, flattened to [T, B, K * H]."""

    def __init__(self, input_size: int, config: WorkspaceConfig) -> None:
        count, size = config.module_count, config.module_size
        modules = LSTMModules(
            input_size, count, size, config.active_count, config.key_size, config.forget_bias
        )
        writers = config.writers if config.competition == "hard" else None
        workspace = SharedWorkspace(
            count, size, config.slots, config.heads, config.head_size, writers
        )
        super().__init__(input_size, modules, workspace, config.kernel)
        self.config = config
