"""Claims that hold for every registered core."""

import pytest
import torch
from torch import Tensor

from s2lab.agents.cores import CORES, make_core
from s2lab.agents.cores.contract import Core

T, B, F = 9, 4, 5


def built(name: str) -> Core:
    torch.manual_seed(1)
    return make_core(name, F).double().eval()


def sequence() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(2)
    inputs = torch.randn(T, B, F, generator=generator, dtype=torch.float64)
    reset = torch.rand(T, B, generator=generator) < 0.25
    reset[0] = False
    return inputs, reset


@pytest.mark.parametrize("name", sorted(CORES))
def test_one_call_equals_one_call_per_step(name: str) -> None:
    core = built(name)
    inputs, reset = sequence()
    whole, last = core(inputs, core.initial_state(B, dtype=torch.float64), reset)
    state = core.initial_state(B, dtype=torch.float64)
    for t in range(T):
        step, state = core(inputs[t : t + 1], state, reset[t : t + 1])
        torch.testing.assert_close(step[0], whole[t], rtol=1e-9, atol=1e-11)
    for ours, theirs in zip(state, last, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", sorted(CORES))
def test_in_training_a_sequence_run_again_agrees_with_its_steps_run_before(name: str) -> None:
    """With no option set: what PPO acted with is what it learns from, its ratio starts at 1."""
    core = built(name).train()
    inputs, reset = sequence()
    state = core.initial_state(B, dtype=torch.float64)
    acted = []
    for t in range(T):
        step, state = core(inputs[t : t + 1], state, reset[t : t + 1])
        acted.append(step[0].detach())
    learnt, _ = core(inputs, core.initial_state(B, dtype=torch.float64), reset)
    torch.testing.assert_close(torch.stack(acted), learnt, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", sorted(CORES))
def test_a_reset_row_forgets_all_that_came_before(name: str) -> None:
    core = built(name)
    inputs, _ = sequence()
    reset = torch.zeros(T, B, dtype=torch.bool)
    reset[4, 1] = True
    garbage = tuple(
        torch.full_like(part, float("nan")) for part in core.initial_state(B, dtype=torch.float64)
    )
    outputs, _ = core(inputs, core.initial_state(B, dtype=torch.float64), reset)
    fresh, _ = core(inputs[4:], core.initial_state(B, dtype=torch.float64), reset[4:])
    poisoned, _ = core(inputs[4:], garbage, torch.ones_like(reset[4:]))
    torch.testing.assert_close(outputs[4:, 1], fresh[:, 1], rtol=1e-9, atol=1e-11)
    torch.testing.assert_close(poisoned[0], fresh[0], rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", sorted(CORES))
def test_rows_of_a_batch_do_not_meet(name: str) -> None:
    core = built(name)
    inputs, reset = sequence()
    together, _ = core(inputs, core.initial_state(B, dtype=torch.float64), reset)
    for b in range(B):
        alone, _ = core(
            inputs[:, b : b + 1],
            core.initial_state(1, dtype=torch.float64),
            reset[:, b : b + 1],
        )
        torch.testing.assert_close(alone[:, 0], together[:, b], rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", sorted(CORES))
def test_state_and_outputs_have_the_promised_shapes(name: str) -> None:
    core = make_core(name, F)
    inputs = torch.randn(1, 1, F)
    state = core.initial_state(1)
    outputs, after = core(inputs, state, torch.ones(1, 1, dtype=torch.bool))
    assert outputs.shape == (1, 1, core.output_size)
    assert [part.shape for part in after] == [part.shape for part in state]
    assert all(part.is_floating_point() for part in state)
    assert core.trace(inputs, state, torch.ones(1, 1, dtype=torch.bool))["outputs"].shape == (
        1,
        1,
        core.output_size,
    )
