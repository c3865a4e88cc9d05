"""`s2lab bench`: the command, and what the worlds' bench compares."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from s2lab.bench import envs
from s2lab.bench.harness import Row
from s2lab.cli import main


def test_an_unknown_bench_and_no_runs_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "envz"]) == 2
    assert "unknown bench 'envz'; did you mean 'envs'?" in capsys.readouterr().err
    assert main(["bench", "envs", "--runs", "0"]) == 2
    assert "runs is 0; give a number between 1 and 100" in capsys.readouterr().err


def test_rows_are_printed_and_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def rows(runs: int) -> Iterator[Row]:
        yield Row("steps", 2.0, "steps/s", "peer", 1.0, 2.0, runs)

    monkeypatch.setattr(envs, "rows", rows)
    assert main(["bench", "envs", "--runs", "3", "--json", str(tmp_path / "out.json")]) == 0
    assert "steps  2 steps/s  peer  1 steps/s  2.00" in capsys.readouterr().out
    (row,) = json.loads((tmp_path / "out.json").read_text())["rows"]
    assert (row["ratio"], row["runs"]) == (2.0, 3)


def test_a_bench_of_a_world_beats_its_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"COUNT": 64, "STEPS": 5, "SINGLE_STEPS": 20, "SYNC_STEPS": 2}.items():
        monkeypatch.setattr(envs, name, value)
    monkeypatch.setattr(envs, "JAX_ENGINES", {})
    rows = list(envs.compare("Empty-8x8", "MiniGrid-Empty-8x8-v0", 1))
    assert [row.peer for row in rows] == [
        "minigrid, one environment",
        "minigrid, SyncVectorEnv of 16",
    ]
    assert all(row.ratio is not None and row.ratio > 2 for row in rows)  # hundreds, if idle
