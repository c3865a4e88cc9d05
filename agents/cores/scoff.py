"""Schemata and object files (SCOFF; Goyal et al. 2020, arXiv 2006.16225).

Object files that choose their dynamics among shared schemata (`schemata.py`) and communicate as
RIMs do (`pairwise.py`), through a shared workspace (`shared_workspace.py`), or not at all.
"""

from dataclasses import dataclass
from typing import Literal

from s2lab.agents.cores.contract import Kernel, check_kernel, require
from s2lab.agents.cores.modular import Communication, ModularCore
from s2lab.agents.cores.pairwise import PairwiseCommunication
from s2lab.agents.cores.rims import check_modules
from s2lab.agents.cores.schemata import Schemata
from s2lab.agents.cores.shared_workspace import SharedWorkspace
from s2lab.agents.cores.workspace import check_workspace


@dataclass(frozen=True)
class SCOFFConfig:
    """Sizes of SCOFF."""

    module_count: int = 6
    """K, object files."""
    module_size: int = 32
    """H, units of one object file."""
    active_count: int = 4
    """k_A, object files that update at each step."""
    key_size: int = 64
    """d of the input attention."""
    schema_count: int = 4
    """J, schemata; 1 is the ablation without a choice."""
    temperature: float = 0.5
    """tau of the Gumbel-softmax; 0.5 in the paper."""
    noise: bool = True
    """Gumbel noise while training from a generator (`Schemata.generator`); otherwise there never is
    any, so that a sequence run twice agrees, as the probability ratio of PPO demands."""
    keep_bias: float = 0.0
    """Initial bias of the gate that keeps the old state; ln(steps to hold) where memories must be
    long (Tallec & Ollivier 2018)."""
    communication: Literal["pairwise", "workspace", "none"] = "pairwise"
    """How object files communicate."""
    heads: int = 4
    """Heads of the communication."""
    head_size: int = 16
    """Width of one communication head."""
    slots: int = 4
    """S, slots of the workspace, where there is one."""
    writers: int = 3
    """Object files that may write to one slot."""
    kernel: Kernel = "auto"
    """How to compute it: fused CPU kernels, plain torch, or whichever suits the device."""

    def __post_init__(self) -> None:
        check_kernel(self.kernel)
        check_modules(self.module_count, self.module_size, self.active_count, self.key_size)
        check_workspace(self.slots, self.heads, self.head_size, self.writers)
        require(
            self.schema_count >= 1, f"schema_count is {self.schema_count}; at least 1 is needed"
        )
        require(self.temperature > 0, f"temperature is {self.temperature}; it must be positive")
        require(
            self.communication in ("pairwise", "workspace", "none"),
            f"communication is {self.communication!r}; "
            "it must be 'pairwise', 'workspace' or 'none'",
        )


class SCOFFCore(ModularCore):
    """State: h [B, K, H] (and the workspace); outputs are all h, flattened to [T, B, K * H]."""

    def __init__(self, input_size: int, config: SCOFFConfig) -> None:
        count, size = config.module_count, config.module_size
        files = Schemata(
            input_size,
            count,
            size,
            config.active_count,
            config.key_size,
            config.schema_count,
            config.temperature,
            config.noise,
            config.keep_bias,
        )
        channel: Communication | None = None
        if config.communication == "pairwise":
            channel = PairwiseCommunication(count, size, config.heads, config.head_size)
        elif config.communication == "workspace":
            channel = SharedWorkspace(
                count, size, config.slots, config.heads, config.head_size, config.writers
            )
        super().__init__(input_size, files, channel, config.kernel)
        self.config = config
