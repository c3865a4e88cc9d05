"""Recurrent independent mechanisms (Goyal et al. 2019, arXiv 1909.10893).

LSTM modules that compete for the input (`lstm_modules.py`, eqs. 1 to 3) and talk to each other
(`pairwise.py`, eqs. 4 and 5); departures are named there.
"""

from dataclasses import dataclass

from s2lab.agents.cores.contract import Kernel, check_kernel, require
from s2lab.agents.cores.lstm_modules import LSTMModules
from s2lab.agents.cores.modular import ModularCore
from s2lab.agents.cores.pairwise import PairwiseCommunication


@dataclass(frozen=True)
class RIMsConfig:
    """Sizes of RIMs; defaults are those used in reinforcement learning."""

    module_count: int = 6
    """K, modules. 6 in the paper's copying and MNIST experiments."""
    module_size: int = 32
    """H, units of one module (100 in the paper's 600-unit models)."""
    active_count: int = 4
    """k_A, modules that update at each step; 30 to 70 % of K is best in the paper."""
    key_size: int = 64
    """d of the input attention; 64 in the paper."""
    communicate: bool = True
    """Whether modules exchange messages; off is the paper's ablation."""
    heads: int = 4
    """Heads of the communication; 4 in the paper."""
    head_size: int = 16
    """Width of one communication head; 16 or 32 in the paper's code."""
    forget_bias: float = 1.0
    """Initial bias of the forget gates: 1 as in Jozefowicz et al. 2015; ln(steps to hold) where
    memories must be long (Tallec & Ollivier 2018)."""
    kernel: Kernel = "auto"
    """How to compute it: fused CPU kernels, plain torch, or whichever suits the device."""

    def __post_init__(self) -> None:
        check_kernel(self.kernel)
        check_modules(self.module_count, self.module_size, self.active_count, self.key_size)
        require(self.heads >= 1, f"heads is {self.heads}; it must be at least 1")
        require(self.head_size >= 1, f"head_size is {self.head_size}; it must be at least 1")


def check_modules(count: int, size: int, active: int, key_size: int) -> None:
    """Raise ValueError when the sizes of competing modules cannot be."""
    require(count >= 1, f"module_count is {count}; it must be at least 1")
    require(size >= 1, f"module_size is {size}; it must be at least 1")
    require(
        1 <= active <= count,
        f"active_count is {active}; it must be between 1 and module_count ({count})",
    )
    require(key_size >= 1, f"key_size is {key_size}; it must be at least 1")


class RIMsCore(ModularCore):
    """State: h and c [B, K, H]; outputs are all h, flattened to [T, B, K * H]."""

    def __init__(self, input_size: int, config: RIMsConfig) -> None:
        count, size = config.module_count, config.module_size
        modules = LSTMModules(
            input_size, count, size, config.active_count, config.key_size, config.forget_bias
        )
        pairwise = PairwiseCommunication(count, size, config.heads, config.head_size)
        channel = pairwise if config.communicate else None
        super().__init__(input_size, modules, channel, config.kernel)
        self.config = config
