"""What only the fused kernels can get wrong: precision, buffers, gradients by differences."""

import pytest
import torch
from modular_restatement import CASES, F, build, problem
from torch import Tensor

from s2lab.agents.cores import make_core


@pytest.mark.parametrize("case", CASES)
def test_fused_means_fused(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    core = build(case, "fused")
    monkeypatch.setattr(core, "run", None)  # the plain loop
    inputs, state, reset = problem(core, 2, 2)
    core(inputs, state, reset)


@pytest.mark.parametrize("case", ["rims", "workspace, hard", "scoff"])
def test_single_precision_kernels_agree_with_plain_torch(case: str) -> None:
    """At sizes where vector loops have whole blocks and remainders."""
    name, options = CASES[case]
    sizes = {"module_size": 19, "head_size": 6, "key_size": 7}
    torch.manual_seed(0)
    fused = make_core(name, F, options | sizes | {"kernel": "fused"}).eval()
    plain = make_core(name, F, options | sizes | {"kernel": "torch"}).eval()
    plain.load_state_dict(fused.state_dict())
    inputs, reset = torch.randn(9, 37, F), torch.rand(9, 37) < 0.1
    found = []
    for core in (fused, plain):
        outputs, _ = core(inputs, core.initial_state(37), reset)
        outputs.square().mean().backward()
        found.append([outputs.detach(), *(p.grad for p in core.parameters())])
    for mine, other in zip(*found, strict=True):
        torch.testing.assert_close(mine, other, rtol=2e-3, atol=2e-5 * float(other.abs().max()))


@pytest.mark.parametrize("case", ["rims", "workspace, hard", "scoff"])
def test_buffers_lent_to_one_graph_are_not_lent_to_another(case: str) -> None:
    """Two sequences whose graphs live at the same time, and a backward pass run twice."""
    core = build(case, "fused")
    inputs, state, reset = problem(core, 4, 3)
    alone = core(inputs, state, reset)[0].sum()
    expected = torch.autograd.grad(alone, list(core.parameters()), allow_unused=True)
    first = core(inputs, state, reset)[0].sum()
    core(inputs * 2, state, reset)[0].sum().backward()
    for _ in range(2):
        again = torch.autograd.grad(
            first, list(core.parameters()), allow_unused=True, retain_graph=True
        )
        for mine, other in zip(again, expected, strict=True):
            assert (mine is None and other is None) or torch.equal(mine, other)


@pytest.mark.parametrize(
    "case",
    [
        "rims, all active",
        "rims, silent",
        "workspace, all active",
        "scoff, one schema, all active",  # of several, the straight-through choice is no gradient
    ],
)
def test_gradcheck_where_the_equations_block_no_gradient(case: str) -> None:
    core = build(case, "fused")
    inputs, state, reset = problem(core, 3, 2)
    leaves = tuple(part.requires_grad_() for part in (inputs, *state))
    parameters = tuple(core.parameters())

    def run(*tensors: Tensor) -> tuple[Tensor, ...]:
        outputs, after = core(tensors[0], tuple(tensors[1 : 1 + len(state)]), reset)
        return outputs, *after

    assert torch.autograd.gradcheck(run, (*leaves, *parameters), fast_mode=True)
