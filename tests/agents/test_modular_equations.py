"""RIMs, workspace and SCOFF against their papers' equations, plain and fused alike."""

import pytest
import torch
from equality import assert_equal_everywhere, gradients
from modular_restatement import CASES, F, build, problem, slow
from torch import Tensor


@pytest.mark.parametrize(("steps", "rows"), [(6, 3), (1, 1)], ids=["T=6 B=3", "T=1 B=1"])
@pytest.mark.parametrize("kernel", ["torch", "fused"])
@pytest.mark.parametrize("case", CASES)
def test_core_equals_the_papers_equations_with_all_gradients(
    case: str, kernel: str, steps: int, rows: int
) -> None:
    core = build(case, kernel)
    inputs, state, reset = problem(core, steps, rows)
    assert_equal_everywhere(
        gradients(lambda x, s: core(x, s, reset)[0], core, inputs, state),
        gradients(lambda x, s: slow(core, x, s, reset), core, inputs, state),
    )


@pytest.mark.parametrize("kernel", ["torch", "fused"])
def test_training_scoff_is_the_equations_with_gumbel_noise(kernel: str) -> None:
    core = build("scoff", kernel).train()
    inputs, state, reset = problem(core, 6, 3)
    noise: list[Tensor] = []
    gumbel = core.cells.gumbel

    def remembered(x: Tensor) -> Tensor:
        core.cells.generator = torch.Generator().manual_seed(7)
        noise.append(gumbel(x))
        return noise[-1]

    core.cells.gumbel = remembered
    ours = list(gradients(lambda x, s: core(x, s, reset)[0], core, inputs, state))
    theirs = gradients(lambda x, s: slow(core, x, s, reset, noise[0]), core, inputs, state)
    assert noise[0].abs().min() > 0
    assert_equal_everywhere(iter(ours), theirs)


def test_gumbel_noise_has_the_gumbel_distribution() -> None:
    core = build("scoff").train()
    core.cells.generator = torch.Generator().manual_seed(0)
    noise = core.cells.project(torch.zeros(500, 20, F, dtype=torch.float64))[2]
    assert noise.mean().item() == pytest.approx(0.5772, abs=0.02)  # Euler-Mascheroni
    assert noise.var().item() == pytest.approx(1.6449, abs=0.05)  # pi^2 / 6


def test_evaluation_has_no_noise_and_training_follows_its_generator() -> None:
    core = build("scoff")
    inputs, state, reset = problem(core, 6, 3)
    first, second = core(inputs, state, reset)[0], core(inputs, state, reset)[0]
    assert torch.equal(first, second)
    core.train()
    drawn = []
    for seed in (1, 1, 2):
        core.cells.generator = torch.Generator().manual_seed(seed)
        drawn.append(core(inputs, state, reset)[0])
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


@pytest.mark.parametrize("kernel", ["torch", "fused"])
@pytest.mark.parametrize("case", ["rims", "workspace, hard", "scoff"])
def test_inactive_modules_keep_state_and_learn_nothing(case: str, kernel: str) -> None:
    core = build(case, kernel)
    inputs, state, _ = problem(core, 1, 4, seed=5)
    leaves = tuple(part.clone().requires_grad_() for part in state)
    reset = torch.zeros(1, 4, dtype=torch.bool)
    active = core.trace(inputs, state, reset)["active"][0]  # [B, K]
    assert active.sum(1).tolist() == [2] * 4
    _, after = core(inputs, leaves, reset)
    for part in range(core.cells.parts):
        assert torch.equal(after[part][~active], state[part][~active])
        assert not torch.equal(after[part][active], state[part][active])
    weight = torch.randn_like(after[0])
    (kept,) = torch.autograd.grad((after[0] * weight).sum(), leaves[:1], retain_graph=True)
    assert torch.equal(kept[~active], weight[~active])
    for k in range(core.cells.module_count):
        rows = active[:, k]
        own = [p for p in core.parameters() if p.dim() == 3 and p.shape[0] == 4]
        for parameter in own:
            (gradient,) = torch.autograd.grad(
                after[0].sum(), parameter, retain_graph=True, allow_unused=True
            )
            assert gradient is not None
            assert (gradient[k] == 0).all() == (not rows.any())


@pytest.mark.parametrize("kernel", ["torch", "fused"])
def test_a_module_that_is_inactive_in_every_row_gets_no_gradient_at_all(kernel: str) -> None:
    core = build("rims, one active", kernel)
    inputs, _, _ = problem(core, 1, 1, seed=6)
    state = core.initial_state(1, dtype=torch.float64)
    reset = torch.zeros(1, 1, dtype=torch.bool)
    (winner,) = core.trace(inputs, state, reset)["active"][0, 0].nonzero().flatten().tolist()
    core(inputs, state, reset)[0].sum().backward()
    p = dict(core.named_parameters())
    for name in ("cells.bias", "communication.query_key_value"):
        for k in range(4):
            assert (p[name].grad[k].abs().sum() > 0) == (k == winner), name


@pytest.mark.parametrize("kernel", ["torch", "fused"])
def test_ties_go_to_the_lower_module(kernel: str) -> None:
    core = build("rims", kernel)
    p = dict(core.named_parameters())
    with torch.no_grad():
        for name in ("cells.recurrent", "cells.bias"):
            p[name].copy_(p[name][:1].expand_as(p[name]).clone())
    inputs, _, reset = problem(core, 5, 3)
    state = core.initial_state(3, dtype=torch.float64)
    active = core.trace(inputs[:1], state, reset[:1])["active"]
    assert active[0].tolist() == [[True, True, False, False]] * 3
    moved = (core(inputs[:1], state, reset[:1])[1][0] != 0).any(-1)  # [B, K]
    assert torch.equal(moved, active[0])


@pytest.mark.parametrize("kernel", ["torch", "fused"])
def test_ties_among_schemata_go_to_the_lower_one(kernel: str) -> None:
    """Where nothing of a state is read, all logits are zero."""
    core = build("scoff", kernel)
    torch.nn.init.zeros_(core.cells.choice_read)
    inputs, state, reset = problem(core, 5, 3)
    assert (core.trace(inputs, state, reset)["schema"] == 0).all()
    core(inputs, state, reset)[0].sum().backward()
    by_schema = core.cells.drive.bias.grad.view(3, -1).abs().sum(1)
    assert (by_schema > 0).tolist() == [True, False, False]


@pytest.mark.parametrize("kernel", ["torch", "fused"])
def test_ties_among_writers_go_to_the_lower_modules(kernel: str) -> None:
    """All modules are alike and active."""
    core = build("workspace, all active", kernel)
    cells, count = core.cells, core.cells.module_count
    with torch.no_grad():
        alike = (cells.drive.weight, cells.drive.bias, cells.recurrent, cells.bias)
        for weight in (*alike, core.communication.read_query):
            blocks = weight.view(count, weight.numel() // count)
            blocks.copy_(blocks[:1].expand(count, -1).clone())
    inputs, _, reset = problem(core, 1, 3)
    state = core.initial_state(3, dtype=torch.float64)
    wrote = core.trace(inputs, state, reset)["workspace_write"][0]  # [B, heads, S, K]
    assert ((wrote > 0) == torch.tensor([True, True, False, False])).all()
    core(inputs, state, reset)[0].sum().backward()
    grads = cells.drive.bias.grad.view(count, -1)
    torch.testing.assert_close(grads[0], grads[1])
    torch.testing.assert_close(grads[2], grads[3])
    assert not torch.allclose(grads[0], grads[2])


@pytest.mark.parametrize("case", ["rims", "workspace, hard", "scoff"])
def test_trace_tells_who_was_active_and_where_attention_went(case: str) -> None:
    core = build(case)
    inputs, state, reset = problem(core, 6, 3)
    seen = core.trace(inputs, state, reset)
    torch.testing.assert_close(seen["outputs"], core(inputs, state, reset)[0])
    assert seen["active"].shape == (6, 3, 4)
    attention_maps = [v for name, v in seen.items() if name in ("communication", "workspace_read")]
    assert attention_maps
    for weights in attention_maps:
        torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights[..., 0]))
    if case == "workspace, hard":
        wrote = seen["workspace_write"]  # [T, B, heads, S, K]
        assert ((wrote > 0).sum(-1) == 2).all()
    if case == "scoff":
        assert seen["schema"].shape == (6, 3, 4)
        assert set(seen["schema"].unique().tolist()) <= {0, 1, 2}
