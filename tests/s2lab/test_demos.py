"""`s2lab demos`: worker processes, stopping and going on, what is refused."""

import errno
import json
from pathlib import Path
from typing import Any

import pytest

from s2lab import demos
from s2lab.cli import main
from s2lab.clock import StopRequest
from s2lab.envs.demonstrations import DemonstrationWriter, read_demonstrations

WORLD = "BabyAI-GoToRedBallNoDists-v0"


@pytest.mark.slow
def test_an_interrupted_recording_goes_on_to_the_same_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["demos", WORLD, "--processes", "1", "--quiet", "--episodes", "40", "--out"]
    assert main([*words, str(tmp_path / "whole")]) == 0

    def stopped_at_once(self: StopRequest) -> StopRequest:
        self.requested = True
        return self

    with monkeypatch.context() as patch:
        patch.setattr(StopRequest, "__enter__", stopped_at_once)
        assert main([*words, str(tmp_path / "halves")]) == 130
    assert 0 < len(read_demonstrations(tmp_path / "halves")) < 40
    capsys.readouterr()
    assert main([*words, str(tmp_path / "halves"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["episodes"] == 40
    # It holds more than this already: nothing is added.
    assert main([word.replace("40", "10") for word in words] + [str(tmp_path / "halves")]) == 0
    for name in ("actions.bin", "episodes.bin", "demos.json"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "halves" / name).read_bytes()


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_loses_nothing_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = DemonstrationWriter.add

    def add(self: DemonstrationWriter, attempts: Any) -> None:
        if self.episodes:
            raise OSError(errno.ENOSPC, "No space left on device")
        whole(self, attempts)

    monkeypatch.setattr(DemonstrationWriter, "add", add)
    words = ["demos", WORLD, "--processes", "1", "--quiet", "--episodes", "40"]
    assert main([*words, "--out", str(tmp_path)]) == 2
    assert "disk full" in capsys.readouterr().err
    assert len(read_demonstrations(tmp_path)) == demos.CHUNK


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["BabyAI-GoToLocl-v0"], "did you mean 'BabyAI-GoToLocal-v0'"),
        (["MiniGrid-Empty-8x8-v0"], "the bot plays minigrid's BabyAI worlds"),
        (["BabyAI-GoTo-v0", "--deadline", "0"], "--deadline must be above 0"),
        (["BabyAI-GoTo-v0", "--first-seed", "-1"], "--first-seed must be between"),
    ],
)
def test_bad_words_are_one_line(
    words: list[str], complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demos", *words, "--episodes", "5", "--out", str(tmp_path / "demos")]) == 2
    assert complaint in capsys.readouterr().err
    assert not (tmp_path / "demos").exists()


@pytest.mark.slow
def test_a_world_that_the_bot_never_solves_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demos, "HOPELESS", 16)
    words = ["demos", "BabyAI-KeyInBox-v0", "--episodes", "5", "--processes", "1", "--quiet"]
    assert main([*words, "--out", str(tmp_path)]) == 2
    assert "solves no episode of BabyAI-KeyInBox-v0: 16 raised" in capsys.readouterr().err
