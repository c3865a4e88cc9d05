"""Curves read from metrics.jsonl, against the rows that were written."""

import json
from pathlib import Path

import numpy as np
import pytest

from s2lab.reporting import curves
from s2lab.reporting.curves import on_one_grid, read_recording, steps_to_reach, thinned

METRIC = "rollout/success_rate"


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    (path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def row(step: int, value: float, time: float = 0.0, name: str = METRIC) -> dict[str, object]:
    return {"step": step, "time": time, name: value}


def test_rows_repeated_by_a_resume_replace_those_lost_in_the_crash(tmp_path: Path) -> None:
    rows = [row(10, 0.1), row(20, 0.2), row(30, 0.9), row(20, 0.25), row(30, 0.3)]
    recording = read_recording(write(tmp_path, rows), [METRIC])
    np.testing.assert_array_equal(recording.curves[METRIC].steps, [10, 20, 30])
    np.testing.assert_array_equal(recording.curves[METRIC].values, [0.1, 0.25, 0.3])


def test_metrics_logged_in_rows_of_their_own_do_not_disturb_each_other(tmp_path: Path) -> None:
    rows = [row(10, 0.1), row(10, 0.7, name="eval/success_rate"), row(20, 0.2)]
    rows.append(row(15, 0.8, name="eval/success_rate"))
    recording = read_recording(write(tmp_path, rows), [METRIC, "eval/success_rate"])
    np.testing.assert_array_equal(recording.curves[METRIC].steps, [10, 20])
    np.testing.assert_array_equal(recording.curves["eval/success_rate"].steps, [10, 15])


def test_the_night_between_a_stop_and_a_resume_is_not_training_time(tmp_path: Path) -> None:
    times = [100.0, 101, 102, 103, 40_000, 40_001]
    rows = [row(k, 0.5, time) for k, time in enumerate(times)]
    curve = read_recording(write(tmp_path, rows), [METRIC]).curves[METRIC]
    np.testing.assert_array_equal(curve.elapsed_s, [0, 1, 2, 3, 4, 5])


def test_a_missing_or_empty_file_has_no_curves(tmp_path: Path) -> None:
    assert read_recording(tmp_path, [METRIC]).curves == {}
    (tmp_path / "metrics.jsonl").write_text("\n")
    recording = read_recording(tmp_path, [METRIC])
    assert (recording.curves, recording.damage) == ({}, "")


def test_long_files_are_read_in_evenly_spread_lines_and_to_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(curves, "WHOLE_BELOW", 1000)
    monkeypatch.setattr(curves, "LINES", 50)
    rng = np.random.default_rng(0)
    rows = [{**row(k, k / 5000), "note": "x" * int(rng.integers(80))} for k in range(5000)]
    curve = read_recording(write(tmp_path, rows), [METRIC]).curves[METRIC]
    assert 40 <= curve.steps.size <= 52
    np.testing.assert_allclose(curve.values, curve.steps / 5000)
    assert curve.steps[0] == 0
    assert curve.steps[-1] == 4999
    assert np.diff(curve.steps).max() < 3 * 5000 / 50
    with open(tmp_path / "metrics.jsonl", "a") as file:
        file.write('{"step": 5000, "ti')
    recording = read_recording(tmp_path, [METRIC])
    assert "cut or damaged at" in recording.damage
    assert recording.curves[METRIC].steps[-1] > 4900


def test_every_line_of_a_long_file_is_met_once_when_all_are_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, [row(k, 0.5) for k in range(300)])
    whole = read_recording(tmp_path, [METRIC]).curves[METRIC]
    monkeypatch.setattr(curves, "WHOLE_BELOW", 10)
    monkeypatch.setattr(curves, "LINES", 10**9)
    spread = read_recording(tmp_path, [METRIC]).curves[METRIC]
    np.testing.assert_array_equal(spread.steps, whole.steps)


def test_curves_without_a_common_stretch_have_no_mean() -> None:
    early, late = np.array([0.0, 1.0]), np.array([5.0, 6.0])
    grid, values = on_one_grid([early, late], [early, late])
    assert grid.size == 0
    assert values.shape == (2, 0)


def test_steps_to_reach_a_level_are_those_of_the_first_row_there(tmp_path: Path) -> None:
    rows = [row(10, 0.1), row(20, 0.5), row(30, 0.4)]
    curve = read_recording(write(tmp_path, rows), [METRIC]).curves[METRIC]
    assert steps_to_reach(curve, 0.5) == 20
    assert steps_to_reach(curve, 0.6) == float("inf")


def test_a_thinned_curve_keeps_its_ends(tmp_path: Path) -> None:
    curve = read_recording(write(tmp_path, [row(k, 0.1) for k in range(999)]), [METRIC]).curves[
        METRIC
    ]
    thin = thinned(curve, 10)
    assert (thin.steps.size, thin.steps[0], thin.steps[-1]) == (10, 0, 998)
