"""What every recurrent core promises. Knows no core, no task, no trainer.

A core maps a sequence to a sequence: what does not depend on time is computed once for all T.

    outputs, state = core(inputs, state, reset)

    inputs   [T, B, I]   one row per time step
    state    tuple of tensors [B, ...], as `initial_state` makes them
    reset    [T, B] bool: a true `reset[t, b]` puts row b back to its initial state before step t
    outputs  [T, B, O]   O is `output_size`

Acting is the same call with T = 1.
"""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

State = tuple[Tensor, ...]
Kernel = Literal["auto", "fused", "torch"]


class Core(nn.Module, ABC):
    """The contract as a class: two sizes, an initial state, a sequence, and a look inside.

    A base class and not a Protocol because a core must also be an `nn.Module`: parameters,
    devices, state_dict.
    """

    memoryless = False
    """Whether outputs are a function of the same step's inputs alone."""

    def __init__(self, input_size: int, output_size: int) -> None:
        super().__init__()
        if input_size < 1:
            raise ValueError(f"input_size is {input_size}; a core needs at least 1 input feature")
        self.input_size = input_size
        self.output_size = output_size

    @abstractmethod
    def initial_state(
        self,
        batch_size: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> State:
        """Fresh state: a tuple of floating-point tensors [batch_size, ...] without gradient."""

    @abstractmethod
    def forward(self, inputs: Tensor, state: State, reset: Tensor) -> tuple[Tensor, State]:
        """Run T steps. See the module docstring for shapes."""

    @torch.no_grad()
    def trace(self, inputs: Tensor, state: State, reset: Tensor) -> dict[str, Tensor]:
        """What happened inside, step by step, without gradient: tensors [T, B, ...] by name.

        Every core reports "outputs" [T, B, O]; modular cores add who was active, attention and
        choices.
        """
        outputs, _ = self(inputs, state, reset)
        return {"outputs": outputs}

    if TYPE_CHECKING:

        def __call__(self, inputs: Tensor, state: State, reset: Tensor) -> tuple[Tensor, State]: ...


def check_inputs(core: Core, inputs: Tensor, state: State, reset: Tensor) -> None:
    """Refuse shapes that would broadcast into a silently wrong answer.

    Raises:
        ValueError: naming the shape received and the shape expected.
    """
    if inputs.dim() != 3 or inputs.shape[2] != core.input_size or inputs.shape[0] < 1:
        expected = f"[T >= 1, B, {core.input_size}]"
        raise ValueError(f"inputs have shape {list(inputs.shape)}; this core takes {expected}")
    if reset.shape != inputs.shape[:2] or reset.dtype != torch.bool:
        raise ValueError(
            f"reset is {reset.dtype} {list(reset.shape)}; "
            f"it must be torch.bool {list(inputs.shape[:2])}, one flag per row and step"
        )
    for part in state:
        if part.shape[0] != inputs.shape[1]:
            raise ValueError(
                f"a state tensor has {part.shape[0]} rows and the inputs {inputs.shape[1]}; "
                "make it with core.initial_state(batch_size)"
            )


def values_are_fixed(tensor: Tensor) -> bool:
    """Whether Python may look at a tensor's numbers: not under torch.compile or in a CUDA graph,
    which are used again with others."""
    captured = tensor.is_cuda and torch.cuda.is_current_stream_capturing()
    return not (torch.compiler.is_compiling() or captured)


def steps_with_reset(reset: Tensor) -> list[bool]:
    """For each step t, whether any row is reset there: one transfer instead of T masked fills.

    True throughout where values may not be looked at.
    """
    if not values_are_fixed(reset):
        return [True] * len(reset)
    flags: list[bool] = reset.any(dim=1).tolist()
    return flags


def use_fused(kernel: Kernel, inputs: Tensor) -> bool:
    """Whether a core should run its fused CPU kernels on these inputs.

    auto: fused on the CPU in single or double precision, plain torch elsewhere, under
    torch.compile and under autocast. torch: never, as a reference. fused: always.

    Raises:
        ValueError: fused kernels are demanded for inputs they cannot take.
    """
    possible = inputs.device.type == "cpu" and inputs.dtype in (torch.float32, torch.float64)
    if kernel == "fused" and not possible:
        raise ValueError(
            f"kernel is 'fused' and the inputs are {inputs.dtype} on {inputs.device}; "
            "fused kernels take float32 or float64 on the CPU: use kernel='auto'"
        )
    if kernel == "torch" or not possible or torch.compiler.is_compiling():
        return False
    return kernel == "fused" or not torch.is_autocast_enabled("cpu")


def check_kernel(kernel: str) -> None:
    """Raise ValueError unless `kernel` is one of the three choices."""
    allowed = ("auto", "fused", "torch")
    require(kernel in allowed, f"kernel is {kernel!r}; it must be 'auto', 'fused' or 'torch'")


def require(condition: bool, message: str) -> None:
    """Raise ValueError(message) unless `condition`: one line for a configuration's checks."""
    if not condition:
        raise ValueError(message)
