"""Specialisation measures against scikit-learn and closed forms."""

import numpy as np
import pytest
import torch
from scipy.stats import chi2_contingency
from sklearn.metrics import mutual_info_score

from s2lab.agents.cores import make_core
from s2lab.agents.cores.specialisation import beside_chance, chosen, collapse, specialisation


def test_mutual_information_is_scikit_learns() -> None:
    generator = torch.Generator().manual_seed(0)
    used = torch.rand(50, 8, 3, generator=generator) < 0.4
    events = torch.stack([used[..., 0] ^ (torch.rand(50, 8, generator=generator) < 0.1)], dim=2)
    found = specialisation(used, events)
    for k in range(3):
        expected = mutual_info_score(used[..., k].flatten(), events[..., 0].flatten()) / np.log(2)
        assert found.information[k, 0].item() == pytest.approx(expected, abs=1e-12)
    assert found.information[0, 0] > 10 * found.information[1:, 0].max()


def test_collapse_is_zero_when_even_and_one_when_one_does_everything() -> None:
    assert collapse(torch.tensor([0.5, 0.5, 0.5])) == pytest.approx(0)
    assert collapse(torch.tensor([0.0, 0.7, 0.0])) == pytest.approx(1)
    assert collapse(torch.tensor([0.9])) == 0


def test_a_trace_can_be_measured() -> None:
    core = make_core("scoff", 5, {"schema_count": 3, "active_count": 2})
    reset = torch.zeros(7, 4, dtype=torch.bool)
    trace = core.trace(torch.randn(7, 4, 5), core.initial_state(4), reset)
    assert specialisation(trace["active"]).usage.sum().item() == pytest.approx(2)
    assert specialisation(chosen(trace["schema"], 3)).usage.sum().item() == pytest.approx(1)
    with pytest.raises(ValueError, match="one row of events per step"):
        specialisation(trace["active"], torch.zeros(6, 4, 1, dtype=torch.bool))


def entropy(p: float) -> float:
    """Of a coin, in bits."""
    return float(-p * np.log2(p) - (1 - p) * np.log2(1 - p))


def test_information_beside_chance_is_that_of_a_noisy_channel() -> None:
    """A module that shows a fair coin, wrong one time in ten: 1 - H(0.1) bits, a closed form."""
    generator = torch.Generator().manual_seed(0)
    event = torch.rand(1000, 16, generator=generator) < 0.5
    wrong = torch.rand(1000, 16, generator=generator) < 0.1
    used = torch.stack([event ^ wrong, torch.rand(1000, 16, generator=generator) < 0.3], -1)
    found = beside_chance(used, event[..., None], generator, shifts=100)
    assert found.bits[0, 0].item() == pytest.approx(1 - entropy(0.1), abs=0.02)
    assert found.bits[1, 0].item() < 0.001
    # By chance, the plug-in estimate of two independent bits is 1 / (2 N ln 2) on average.
    expected = 1 / (2 * 16_000 * np.log(2))
    assert found.by_chance.mean().item() == pytest.approx(expected, rel=0.4)
    assert found.best[0] == found.bits[0, 0]
    assert found.p_value[0].item() == pytest.approx(1 / 101)


def slow(generator: torch.Generator, steps: int, rows: int) -> torch.Tensor:
    """Bits [T, B] that last fifty steps on average."""
    flips = torch.rand(steps, rows, generator=generator) < 0.02
    return flips.cumsum(0) % 2 == 1


def test_slow_signals_that_have_nothing_in_common_are_not_beyond_chance() -> None:
    """Steps taken as independent would call nearly all of these significant."""
    generator = torch.Generator().manual_seed(1)
    p_values, naive = [], []
    for _ in range(40):
        used, event = slow(generator, 300, 4)[..., None], slow(generator, 300, 4)[..., None]
        found = beside_chance(used, event, generator, shifts=60)
        p_values.append(found.p_value.item())
        table = np.histogram2d(used.flatten().numpy(), event.flatten().numpy(), bins=2)[0]
        naive.append(chi2_contingency(table + 0.5).pvalue)
    assert sum(p < 0.05 for p in naive) > 15
    assert sum(p < 0.05 for p in p_values) <= 6  # two expected; above six in 1 of 100


def test_schemata_of_several_files_are_shifted_together() -> None:
    """Each file's row stands beside its own world's events, and keeps the known information."""
    generator = torch.Generator().manual_seed(2)
    event = torch.rand(500, 6, generator=generator) < 0.25
    schema = torch.stack([event.long(), event.long(), torch.zeros(500, 6, dtype=torch.long)], -1)
    found = beside_chance(
        chosen(schema, 2), event[..., None], generator, shifts=20, rows_per_world=3
    )
    q = event.double().mean().item()
    # Two of three files show the event in full: the share of ones is 2 q / 3.
    expected = entropy(2 * q / 3) - q * entropy(2 / 3)
    assert found.bits[1, 0].item() == pytest.approx(expected, abs=1e-9)
    with pytest.raises(ValueError, match="one row of events per step"):
        beside_chance(chosen(schema, 2), event[..., None], generator)
