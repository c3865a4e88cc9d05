"""Specialisation measures against scikit-learn and closed forms."""

import numpy as np
import pytest
import torch
from sklearn.metrics import mutual_info_score

from s2lab.agents.cores import make_core
from s2lab.agents.cores.specialisation import chosen, collapse, specialisation


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
