"""Straight-through choices among several schemata or rules, by differences of what they stand for.

Such a choice is worth the hard one and has the slope of the soft one. Around a point that is the
plain function hard(point) + soft - soft(point), with the two numbers of the point held fixed: its
differences are the gradient, and no autograd takes part in them.
"""

from collections.abc import Callable, Iterator

import modular_restatement as modular
import other_restatement as other
import pytest
import torch
from test_other_cores import build as build_other
from torch import Tensor

from s2lab.agents.cores.contract import Core, State
from s2lab.agents.cores.production import straight_through

STEP = 1e-6
Value = Callable[[], Tensor]


class Held:
    """Choices that remember the point where they were made first."""

    def __init__(self) -> None:
        self.points: list[list[float]] = []  # hard - soft of each choice, in order
        self.picked: set[int] = set()
        self.again: Iterator[list[float]] | None = None

    def __call__(self, hard: list[bool], soft: list[Tensor]) -> list[Tensor]:
        if self.again is None:
            self.picked.add(hard.index(True))
            self.points.append([b - s.item() for b, s in zip(hard, soft, strict=True)])
            return [soft[0].new_tensor(float(b)) for b in hard]
        return [s + away for s, away in zip(soft, next(self.again), strict=True)]


def assert_slopes_are_differences(
    core: Core, run: Callable[[], Tensor], restated: Value, leaves: dict[str, Tensor], held: Held
) -> None:
    """Along a random direction of each leaf, of a fixed mixture of all outputs."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        first = restated()  # here the points are taken
    mixture = torch.randn(first.shape, generator=generator, dtype=first.dtype)
    outputs = run()
    torch.testing.assert_close(outputs.detach(), first)
    found = torch.autograd.grad((outputs * mixture).sum(), list(leaves.values()))
    assert len(held.picked) > 1, "one choice everywhere would show nothing"
    for (name, leaf), slope in zip(leaves.items(), found, strict=True):
        way = torch.randn(leaf.shape, generator=generator, dtype=leaf.dtype)
        ends = []
        with torch.no_grad():
            for sign in (1, -1):
                leaf.add_(sign * STEP * way)
                held.again = iter(held.points)
                ends.append((restated() * mixture).sum().item())
                leaf.sub_(sign * STEP * way)
        difference = (ends[0] - ends[1]) / (2 * STEP)
        assert (slope * way).sum().item() == pytest.approx(difference, rel=1e-5, abs=1e-7), name


def named(core: Core, inputs: Tensor, state: State) -> dict[str, Tensor]:
    """Inputs, state and parameters, all to be moved."""
    found = {"inputs": inputs} | {f"state {n}": part for n, part in enumerate(state)}
    return {
        n: leaf.requires_grad_() for n, leaf in {**found, **dict(core.named_parameters())}.items()
    }


@pytest.mark.parametrize("kernel", ["torch", "fused"])
def test_scoffs_slopes_are_those_of_its_soft_choice(
    kernel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All files are active: where some are not, gradients are blocked on purpose."""
    core = modular.build("scoff, all active", kernel)
    inputs, state, reset = modular.problem(core, 3, 2)
    held = Held()
    monkeypatch.setattr(modular, "straight_through", held)
    assert_slopes_are_differences(
        core,
        lambda: core(inputs, state, reset)[0],
        lambda: modular.slow(core, inputs, state, reset),
        named(core, inputs, state),
        held,
    )


def test_the_production_systems_slopes_are_those_of_its_soft_choices(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    core, slow = build_other("production")
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(4, 1, 5, generator=generator, dtype=torch.float64)
    state = (torch.randn(1, 3, 4, generator=generator, dtype=torch.float64),)
    held = Held()
    monkeypatch.setattr(other, "straight_through", held)
    assert_slopes_are_differences(
        core,
        lambda: core(inputs, state, torch.zeros(4, 1, dtype=torch.bool))[0],
        lambda: slow(core, list(inputs[:, 0]), (state[0][0],), [False] * 4).unsqueeze(1),
        named(core, inputs, state),
        held,
    )


def test_one_choice_in_closed_form() -> None:
    """y = sum of w_n c_n is c at the best, and dy / dlogit_n = s_n (c_n - sum of s c) / tau."""
    logits = torch.tensor([0.3, -0.2, 1.1], dtype=torch.float64, requires_grad=True)
    worth, tau = torch.tensor([2.0, -1.0, 0.5], dtype=torch.float64), 0.7
    y = (straight_through(logits, tau) * worth).sum()
    (slope,) = torch.autograd.grad(y, logits)
    powers = torch.exp(logits.detach() / tau)
    soft = powers / powers.sum()
    assert y.item() == worth[2].item()
    torch.testing.assert_close(slope, soft * (worth - (soft * worth).sum()) / tau)
