"""RMC, transformer, production system and accumulator against their equations in loops."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from equality import assert_equal_everywhere, gradients
from other_restatement import slow_accumulator, slow_production, slow_rmc, slow_transformer
from torch import Tensor

from s2lab.agents.cores import make_core
from s2lab.agents.cores.contract import Core, State

F = 5
Slow = Callable[[Any, list[Tensor], State, list[bool]], Tensor]
CASES: dict[str, tuple[str, dict[str, Any], Slow]] = {
    "rmc": ("rmc", {"slots": 3, "heads": 2, "head_size": 3}, slow_rmc),
    "rmc, one slot": ("rmc", {"slots": 1, "heads": 1, "head_size": 4}, slow_rmc),
    "transformer": (
        "transformer",
        {"size": 6, "heads": 2, "memory": 3, "layers": 2},
        slow_transformer,
    ),
    "transformer, long memory": (
        "transformer",
        {"size": 4, "heads": 1, "memory": 20, "layers": 1},
        slow_transformer,
    ),
    "production": ("production", {"slots": 3, "slot_size": 4, "hidden_size": 5}, slow_production),
    "production, one rule": (
        "production",
        {"slots": 1, "slot_size": 3, "hidden_size": 5, "rule_count": 1},
        slow_production,
    ),
    "accumulator": ("accumulator", {"hidden_size": 4}, slow_accumulator),
}
FUSED = ("rmc", "transformer")  # those with kernels; each must be taken where it is demanded
ALL = [
    (case, kernel)
    for case, (name, _, _) in CASES.items()
    for kernel in (("torch", "fused") if name in FUSED else (None,))
]


def build(case: str, kernel: str | None = None) -> tuple[Core, Slow]:
    name, options, slow = CASES[case]
    torch.manual_seed(0)
    core = make_core(name, F, options | ({"kernel": kernel} if kernel else {})).double().eval()
    with torch.no_grad():
        for parameter in core.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return core, slow


@pytest.mark.parametrize(("steps", "rows"), [(8, 3), (1, 1)], ids=["T=8 B=3", "T=1 B=1"])
@pytest.mark.parametrize(("case", "kernel"), ALL)
def test_core_equals_the_papers_equations_with_all_gradients(
    case: str, kernel: str | None, steps: int, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    core, slow = build(case, kernel)
    if kernel == "fused":  # not by the plain form
        monkeypatch.setattr("s2lab.agents.cores.rmc.RMCCore.run", None)
        monkeypatch.setattr("s2lab.agents.cores.transformer.plain_look", None)
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(steps, rows, F, generator=generator, dtype=torch.float64)
    inputs[steps // 2, 0] = 0
    reset = torch.rand(steps, rows, generator=generator) < 0.2
    _, state = core(inputs, core.initial_state(rows, dtype=torch.float64), reset)
    state = tuple(part.detach() for part in state)

    def restated(x: Tensor, s: State) -> Tensor:
        columns = [
            slow(core, list(x[:, b]), tuple(part[b] for part in s), reset[:, b].tolist())
            for b in range(rows)
        ]
        return torch.stack(columns, dim=1)

    assert_equal_everywhere(
        gradients(lambda x, s: core(x, s, reset)[0], core, inputs, state),
        gradients(restated, core, inputs, state),
    )


def test_the_transformer_sees_no_further_back_than_its_memory() -> None:
    core, _ = build("transformer")  # two layers, so a change reaches at most 2 * 3 steps ahead
    inputs = torch.randn(12, 1, F, dtype=torch.float64)
    changed = inputs.clone()
    changed[2] += 1
    reset = torch.zeros(12, 1, dtype=torch.bool)
    start = core.initial_state(1, dtype=torch.float64)
    moved = (core(inputs, start, reset)[0] != core(changed, start, reset)[0]).any(-1).flatten()
    assert moved.tolist() == [False] * 2 + [True] * 7 + [False] * 3


def test_only_the_primary_slot_changes() -> None:
    core, _ = build("production")
    inputs = torch.randn(1, 20, F, dtype=torch.float64)
    state = (torch.randn(20, 3, 4, dtype=torch.float64),)
    reset = torch.zeros(1, 20, dtype=torch.bool)
    primary = core.trace(inputs, state, reset)["primary"][0]
    _, (after,) = core(inputs, state, reset)
    changed = (after != state[0]).any(-1)  # [B, S]
    assert torch.equal(changed, torch.nn.functional.one_hot(primary, 3).bool())
    assert len(primary.unique()) > 1


@pytest.mark.parametrize(
    ("case", "kernel"),
    [
        ("transformer", "fused"),
        ("transformer", "torch"),
        ("production, one rule", None),  # of several, the straight-through choice is no gradient
        ("accumulator", None),
    ],
)
def test_gradcheck(case: str, kernel: str | None) -> None:
    core, _ = build(case, kernel)
    inputs = torch.randn(5, 2, F, dtype=torch.float64, requires_grad=True)
    reset = torch.zeros(5, 2, dtype=torch.bool)
    reset[2, 1] = True
    state = core.initial_state(2, dtype=torch.float64)
    parameters = tuple(core.parameters())

    def run(*tensors: Tensor) -> tuple[Tensor, ...]:
        outputs, after = core(tensors[0], state, reset)
        return outputs, after[0]

    assert torch.autograd.gradcheck(run, (inputs, *parameters), fast_mode=True)


def test_equal_slots_and_equal_rules_give_way_to_the_first() -> None:
    core, _ = build("production")
    for weight in (core.rule_key, core.slot_key.weight, core.slot_key.bias):
        torch.nn.init.zeros_(weight)  # so that all scores are exactly zero
    inputs, reset = torch.randn(1, 6, F, dtype=torch.float64), torch.zeros(1, 6, dtype=torch.bool)
    seen = core.trace(inputs, core.initial_state(6, dtype=torch.float64), reset)
    assert not seen["primary"].any()
    assert not seen["rule"].any()


def test_a_production_system_draws_no_noise_in_evaluation() -> None:
    core, _ = build("production")
    inputs, reset = torch.randn(4, 20, F, dtype=torch.float64), torch.zeros(4, 20, dtype=torch.bool)
    state = core.initial_state(20, dtype=torch.float64)
    found = []
    for training in (False, False, True):
        core.generator = torch.Generator().manual_seed(len(found))
        found.append(core.train(training)(inputs, state, reset)[0])
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


@pytest.mark.parametrize("case", ["rmc", "transformer"])
def test_trace_tells_where_attention_went(case: str) -> None:
    core, _ = build(case, "fused")
    inputs, reset = torch.randn(6, 3, F, dtype=torch.float64), torch.zeros(6, 3, dtype=torch.bool)
    reset[3, 0] = True
    state = core.initial_state(3, dtype=torch.float64)
    seen = core.trace(inputs, state, reset)
    torch.testing.assert_close(seen["outputs"], core(inputs, state, reset)[0])
    weights = seen["attention"]
    assert weights.shape[:2] == (6, 3)
    torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights[..., 0]))
    if case == "transformer":  # memory 3, so place 3 + t is step t
        assert (weights[4, 0, ..., : 3 + 3] == 0).all(), "before the reset"
        assert (weights[4, 1, ..., 3 + 1 : 3 + 5] > 0).all()
