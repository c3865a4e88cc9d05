"""`s2lab reproduce imitation`: where 99 % is crossed, what is done again, what is shown."""

import shutil
from pathlib import Path

import pytest

from s2lab.reproduce import imitation
from s2lab.reproduce.imitation import Ladder, needed
from s2lab.reproduce.records import read_record


@pytest.mark.parametrize(
    ("rates", "words"),
    [
        ({1000: 0.9, 4000: 0.995}, "3,700"),  # 1000 * 4 ** (0.09 / 0.095), to the hundred
        ({1000: 0.98, 2000: 0.99}, "2,000"),
        ({1000: 0.995}, "at most 1,000"),
        ({1000: 0.5, 2000: 0.6}, "more than 2,000"),
    ],
)
def test_the_crossing_is_interpolated_over_the_logarithm(
    rates: dict[int, float], words: str
) -> None:
    assert needed(rates) == words


@pytest.mark.slow
def test_a_table_is_measured_once_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    world = "BabyAI-GoToRedBallGrey-v0"
    monkeypatch.setattr(imitation, "QUICK", {world: Ladder((8, 16), (8_400, 12_400), 600)})
    assert imitation.reproduce(quick=True, seeds=(0,)) == 0
    record = read_record(tmp_path / "runs/records/imitation-quick.json")
    assert [row["demonstrations"] for row in record["rows"]] == [8, 16]
    assert "8,400 to 12,400" in capsys.readouterr().out
    runs = sorted((tmp_path / "runs/reproduce/imitation" / world / "runs").iterdir())
    before = [(run / "metrics.jsonl").read_bytes() for run in runs]
    assert imitation.reproduce(quick=True, seeds=(0,)) == 0
    after = sorted((tmp_path / "runs/reproduce/imitation" / world / "runs").iterdir())
    assert after == runs
    assert [(run / "metrics.jsonl").read_bytes() for run in after] == before
    again = read_record(tmp_path / "runs/records/imitation-quick.json")
    assert again["rows"] == record["rows"]
    shutil.rmtree(tmp_path / "runs/reproduce")  # as in a clone, which has the record alone
    assert imitation.reproduce(quick=True, seeds=(0,)) == 0
    assert not (tmp_path / "runs/reproduce").exists()
    monkeypatch.setattr(imitation, "QUICK", {world: Ladder((8,), (8_400, 12_400), 400)})
    assert imitation.reproduce(quick=True, seeds=(0,)) == 0
    other = read_record(tmp_path / "runs/records/imitation-quick.json")
    assert [row["steps"] for row in other["rows"]] != [row["steps"] for row in record["rows"]]
