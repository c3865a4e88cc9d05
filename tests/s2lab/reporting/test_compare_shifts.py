"""Shifts in a comparison: figures are counted by hand from the episodes written here."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from s2lab.compare import compare
from s2lab.reporting.comparison_page import comparison_sections
from s2lab.reporting.comparison_tables import comparison_tables
from s2lab.reporting.page import render_page
from s2lab.reporting.tables import to_csv


def shift(run: Path, name: str, train: Sequence[int], test: Sequence[int], **more: Any) -> None:
    """As `s2lab eval --shift` leaves it."""
    sides = {
        side: {"policy": "sampled", "success": list(s), "return": [0.5 * k for k in s],
               "length": [9] * len(s), **more}
        for side, s in (("train", train), ("test", test))
    }  # fmt: skip
    (run / f"eval-{name}.json").write_text(json.dumps({"format": 1, "shift": name, **sides}))


@pytest.fixture
def shifted(make_run: Any, tmp_path: Path) -> Path:
    for seed in range(3):
        for agent, won in (("lstm", 1), ("rims", 3)):
            run = make_run(agent, seed)
            shift(run, "larger_rooms", [1, 1, 1, 1], [1] * won + [0] * (4 - won))
    return tmp_path / "runs"


def test_both_sides_and_the_change_between_them_are_counted(shifted: Path) -> None:
    found = {each.label: each for each in compare(shifted).shifts}
    assert found["lstm"].train.estimate == 1
    assert found["lstm"].test.estimate == 0.25
    assert found["lstm"].change.estimate == -0.75
    assert found["rims"].test_scores == (0.75, 0.75, 0.75)
    assert (found["rims"].change.low, found["rims"].change.high) == (-0.25, -0.25)
    returns = {
        each.label: each.test.estimate for each in compare(shifted, metric="mean_return").shifts
    }
    assert returns == {"lstm": 0.125, "rims": 0.375}


def test_shifts_are_a_table_and_a_drawing_of_the_page(shifted: Path) -> None:
    comparison = compare(shifted)
    lines = to_csv(comparison_tables(comparison)["shifts"]).splitlines()
    assert lines[0].startswith("Shift,Agent,Runs,Train side,Train side low,Train side high,Test")
    assert lines[1] == "larger_rooms,lstm,3,1,1,1,0.25,0.25,0.25,-0.75,-0.75,-0.75"
    page = render_page(title="t", subtitle="", sections=comparison_sections(comparison), footer="")
    assert "larger_rooms, train side" in page
    assert "larger_rooms, test side" in page


def test_runs_without_shifts_have_no_such_table(make_run: Any, tmp_path: Path) -> None:
    make_run("lstm")
    comparison = compare(tmp_path / "runs")
    assert comparison.shifts == ()
    assert "shifts" not in comparison_tables(comparison)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"train": 3, "test": {}}', '{"train": {}}'])
def test_a_damaged_shift_costs_itself_only(text: str, shifted: Path) -> None:
    run = sorted(shifted.iterdir())[0]
    (run / "eval-larger_rooms.json").write_text(text)
    counts = {each.label: len(each.test_scores) for each in compare(shifted).shifts}
    assert counts == {"lstm": 2, "rims": 3}


def test_a_shift_played_in_different_ways_is_warned_about(shifted: Path) -> None:
    run = sorted(shifted.iterdir())[0]
    shift(run, "larger_rooms", [1], [0], policy="greedy")
    (line,) = [text for text in compare(shifted).warnings if "Shift" in text]
    assert "1 greedy episodes, 4 sampled episodes" in line


def test_a_single_run_has_the_interval_of_its_episodes(make_run: Any, tmp_path: Path) -> None:
    shift(make_run("lstm"), "larger_rooms", [1] * 10, [1] * 5 + [0] * 5)
    (found,) = compare(tmp_path / "runs").shifts
    # Wilson 1927 for 5 of 10: 0.5 +- 0.2634, as statsmodels' proportion_confint gives it.
    assert found.test.low == pytest.approx(0.2366, abs=1e-4)
    assert found.test.high == pytest.approx(0.7634, abs=1e-4)
    assert found.change.low != found.change.low
