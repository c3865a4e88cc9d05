"""How far every core's passes on a GPU are from the same passes on the CPU."""

from dataclasses import fields
from typing import Any

import torch

from s2lab.agents.cores import CORES, make_core
from s2lab.bench.cores_cuda import WAYS, prepared


def core_differences() -> dict[str, float]:
    """Of every core, double precision, resets midway: how far the GPU is from the CPU.

    The largest difference of outputs, state and gradients, launched and in a CUDA graph, as a share
    of the largest number of its kind.
    """
    found = dict[str, float]()
    for name in CORES:
        torch.manual_seed(0)
        has_kernels = "kernel" in {option.name for option in fields(CORES[name].load()[1])}
        core = make_core(name, 5, {"kernel": "torch"} if has_kernels else {}).double().eval()
        inputs = torch.randn(6, 3, 5, dtype=torch.float64)
        reset = torch.rand(6, 3) < 0.3
        given = (inputs, core.initial_state(3, dtype=torch.float64), reset)
        wanted = outcome(core, core, given)
        moved = core.cuda()
        there = (inputs.cuda(), tuple(part.cuda() for part in given[1]), reset.cuda())
        ways = WAYS[:2] if any(True for _ in core.parameters()) else WAYS[:1]
        for way in ways:
            example = (there[0].clone().requires_grad_(), *there[1:])
            try:
                ours = outcome(moved, prepared(moved, example, way), there)
            except RuntimeError as error:  # of CUDA; the others are still to be compared
                print(f"{name}, {way}: {str(error)[:300]}", flush=True)
                ours = [torch.full((1,), torch.inf)] * len(wanted)
            apart = [relative(mine, theirs) for mine, theirs in zip(ours, wanted, strict=True)]
            found[f"{name}, {way}"] = max(apart)
    return found


def outcome(core: Any, run: Any, given: Any) -> list[torch.Tensor]:
    """Outputs, last state, and gradients of inputs and weights, on the host."""
    inputs, state, reset = given
    inputs = inputs.clone().requires_grad_()
    weights = list(core.parameters())
    outputs, last = run(inputs, state, reset)
    weighed = torch.linspace(-1, 1, outputs.numel(), dtype=outputs.dtype, device=outputs.device)
    loss = (outputs.flatten() * weighed).sum()
    gradients = torch.autograd.grad(loss, [inputs, *weights], allow_unused=True)
    parts = [outputs, *last, *(part for part in gradients if part is not None)]
    return [part.detach().cpu() for part in parts]


def relative(mine: torch.Tensor, other: torch.Tensor) -> float:
    """The largest difference as a share of the largest number."""
    if mine.numel() == 0:
        return 0.0
    return float((mine - other).abs().max() / other.abs().max().clamp_min(1e-300))
