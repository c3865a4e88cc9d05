"""Outputs and all gradients of two ways to run a core, side by side."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from s2lab.agents.cores.contract import Core, State


def gradients(
    run: Callable[[Tensor, State], Tensor], core: Core, inputs: Tensor, state: State
) -> Iterator[tuple[str, Tensor]]:
    """Outputs, then the gradient of a fixed mixture of them by everything that has one; the age of
    a transformer's memory [B, 1] has none."""
    leaves = [part.clone().requires_grad_(part.dim() > 2) for part in (inputs, *state)]
    outputs = run(leaves[0], tuple(leaves[1:]))
    yield "outputs", outputs.detach()
    mixture = torch.randn(
        outputs.shape, generator=torch.Generator().manual_seed(3), dtype=outputs.dtype
    )
    named = dict(zip(["inputs", *(f"state {n}" for n in range(len(state)))], leaves, strict=True))
    named |= dict(core.named_parameters())
    names = [name for name, leaf in named.items() if leaf.requires_grad]
    wanted = [named[name] for name in names]
    found = torch.autograd.grad((outputs * mixture).sum(), wanted, allow_unused=True)
    for name, leaf, gradient in zip(names, wanted, found, strict=True):
        yield name, torch.zeros_like(leaf) if gradient is None else gradient


def assert_equal_everywhere(
    ours: Iterator[tuple[str, Tensor]], theirs: Iterator[tuple[str, Tensor]]
) -> None:
    for (name, mine), (_, other) in zip(ours, theirs, strict=True):
        floor = 1e-3 * other.abs().max() + 1e-7  # where a gradient is zero, rounding is not
        worst = ((mine - other).abs() / (other.abs() + floor)).max()
        assert worst < 1e-6, f"{name}: off by {worst:.1e} relative"
