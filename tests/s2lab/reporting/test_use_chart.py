"""Strips of use: where the bars are, from a trace to a drawing."""

import re
from itertools import groupby

import numpy as np
import pytest

from s2lab.reporting.use_chart import runs_of, use_chart


def test_runs_are_those_of_itertools() -> None:
    flags = np.random.default_rng(0).random(200) < 0.5
    at, expected = 0, []
    for value, group in groupby(flags.tolist()):
        length = len(list(group))
        if value:
            expected.append((at, at + length))
        at += length
    assert list(runs_of(flags)) == expected


def test_a_trace_is_drawn_with_a_bar_per_run_as_long_as_its_share_of_steps() -> None:
    torch = pytest.importorskip("torch")
    from s2lab.agents.cores import make_core

    core = make_core("rims", 5, {"module_count": 3, "active_count": 1})
    reset = torch.zeros(30, 2, dtype=torch.bool)
    trace = core.trace(torch.randn(30, 2, 5), core.initial_state(2), reset)
    used = trace["active"][:, 0].numpy()  # [T, K]
    names = ["a", "b", "c"]
    drawing = use_chart(used, names, title="use", events={"door": used[:, 0]}).svg
    widths = [float(w) for w in re.findall(r'<rect x="[^"]*" y="[^"]*" width="([^"]*)"', drawing)]
    bars = sum(len(list(runs_of(used[:, k]))) for k in (0, 0, 1, 2))
    assert len(widths) == bars
    steps = 30 + used[:, 0].sum()  # one module at each step, and the event
    whole = use_chart(np.ones((30, 1), bool), ["a"], title="use", events={"door": used[:, 0]}).svg
    full = max(float(w) for w in re.findall(r'width="([^"]*)" height="16" class="use"', whole))
    assert sum(widths) == pytest.approx(full * steps / 30, rel=0.02)


def test_flags_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"used is \[4, 2\]; it must be \[T, 3\]"):
        use_chart(np.zeros((4, 2), bool), ["a", "b", "c"], title="use")
    with pytest.raises(ValueError, match=r"event 'door' is \[3\]; it must be \[4\]"):
        use_chart(np.zeros((4, 1), bool), ["a"], title="use", events={"door": np.zeros(3, bool)})
