"""What becomes of a whole run when the disk fails it, and what readers leave untouched."""

import errno
import hashlib
from pathlib import Path
from typing import Any

import pytest

import s2lab
from s2lab import checkpoint, durable
from s2lab.cli import main
from s2lab.run_folder import RunFolder

WORDS = [
    "train", "MiniGrid-Empty-5x5-v0", "--agent", "none", "--steps", "768", "--track", "off",
    "--quiet", "--eval-episodes", "2", "--vary", "log_every=64", "save_every=128",
    "--ppo", "num_envs=4", "rollout_steps=16", "minibatches=2",
]  # fmt: skip


def rows(run: RunFolder) -> list[dict[str, float]]:
    return [{k: v for k, v in r.items() if not k.startswith("time")} for r in run.metrics()]


def contents(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.mark.parametrize("stage", ["before fsync model.safetensors", "metrics line"])
def test_a_disk_that_fills_up_costs_what_came_after_the_last_checkpoint(
    stage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = 0

    def fill(at: str) -> None:
        nonlocal seen
        seen += at == stage
        if at == stage and seen >= 4:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(durable, "at_stage", fill)
    assert main([*WORDS, "--runs", str(tmp_path / "full")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    (path,) = (tmp_path / "full").glob("MiniGrid*")
    assert "disk full while writing" in line
    assert "s2lab resume" in line
    run = RunFolder.open(path)
    assert run.summary["status"] == "failed"
    assert 0 < checkpoint.load(run.checkpoints).step < 768
    monkeypatch.setattr(durable, "at_stage", durable.no_fault)
    assert main(["resume", str(path), "--quiet", "--track", "off"]) == 0
    assert main([*WORDS, "--runs", str(tmp_path / "whole")]) == 0
    (undisturbed,) = (tmp_path / "whole").glob("MiniGrid*")
    assert rows(run) == rows(RunFolder.open(undisturbed))


def test_looking_at_a_run_changes_nothing_and_a_run_that_trains_can_be_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No lock stands in a reader's way, nor does a reader leave anything behind."""
    looks: list[Any] = []

    def look(at: str) -> None:
        if at == "checkpoint renamed":
            before = contents(tmp_path)
            codes = [main(["compare", str(tmp_path)]), main(["watch", str(tmp_path), "--once"])]
            looks.append((codes, contents(tmp_path) == before, sorted(before)))

    monkeypatch.setattr(durable, "at_stage", look)
    assert main([*WORDS, "--runs", str(tmp_path)]) == 0
    assert len(looks) >= 5
    for codes, unchanged, files in looks:
        assert codes == [0, 0]
        assert unchanged
        assert not [name for name in files if "lock" in name]
    assert s2lab.load(next(tmp_path.glob("MiniGrid*")))
