"""Damage is noticed and named; a kill or a full disk at any stage of a save loses nothing good."""

import errno
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from s2lab import checkpoint, durable
from s2lab.errors import UserError


def write(folder: Path, step: int, *, best: bool = False) -> Path:
    return checkpoint.save(folder, step, {"clock": {"step": step}}, best=best)


def alter(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def resign(folder: Path) -> None:
    """Make SHA256SUMS right for what is there."""
    names = checkpoint.checkpoint_folder.FILES
    sums = [f"{hashlib.sha256((folder / n).read_bytes()).hexdigest()}  {n}\n" for n in names]
    (folder / "SHA256SUMS").write_text("".join(sums))


@pytest.mark.parametrize("name", [*checkpoint.checkpoint_folder.FILES, "SHA256SUMS"])
@pytest.mark.parametrize("damage", [alter, truncate, Path.unlink])
def test_damage_falls_back_to_the_previous_good_one_and_says_why(
    tmp_path: Path, name: str, damage: Callable[[Path], None]
) -> None:
    write(tmp_path, 1)
    newest = write(tmp_path, 2)
    damage(newest / name)
    with pytest.warns(UserWarning, match=r"step_000000002: .*falling back to step_000000001"):
        found = checkpoint.load(tmp_path)
    assert found.parts == {"clock": {"step": 1}}
    with pytest.raises(UserError, match="no good checkpoint"):
        checkpoint.load(tmp_path, "step_000000002")


def test_a_missing_folder_falls_back_too(tmp_path: Path) -> None:
    write(tmp_path, 1)
    for path in (newest := write(tmp_path, 2)).iterdir():
        path.unlink()
    newest.rmdir()
    with pytest.warns(UserWarning, match="the folder is missing"):
        assert checkpoint.load(tmp_path).step == 1


def test_with_nothing_good_left_every_damage_is_named(tmp_path: Path) -> None:
    for step in (1, 2):
        alter(write(tmp_path, step) / "state.json")
    with pytest.raises(UserError, match=r"step_000000002: state.json .*step_000000001: state.json"):
        checkpoint.load(tmp_path)


def test_a_damaged_best_falls_back(tmp_path: Path) -> None:
    write(tmp_path, 1)
    alter(write(tmp_path, 2, best=True) / "model.safetensors")
    with pytest.warns(UserWarning, match="falling back to step_000000001"):
        assert checkpoint.load(tmp_path, "best").step == 1


@pytest.mark.parametrize("text", ["", "../elsewhere", "step_1\n", "\x00\xff", "step_000000009x"])
def test_a_damaged_pointer_is_named_and_the_newest_taken(tmp_path: Path, text: str) -> None:
    write(tmp_path, 1)
    write(tmp_path, 2)
    (tmp_path / "latest").write_text(text, encoding="latin-1")
    with pytest.warns(UserWarning, match="latest does not name a checkpoint"):
        assert checkpoint.load(tmp_path).step == 2
    assert write(tmp_path, 3).name == (tmp_path / "latest").read_text().strip()


def test_a_missing_pointer_means_the_newest(tmp_path: Path) -> None:
    write(tmp_path, 1)
    write(tmp_path, 2)
    (tmp_path / "latest").unlink()
    assert checkpoint.load(tmp_path).step == 2


def test_the_only_checkpoint_left_aside_by_a_crash_still_counts(tmp_path: Path) -> None:
    assert not checkpoint.exists(tmp_path / "nowhere")
    only = write(tmp_path, 1)
    only.rename(tmp_path / f".old-{only.name}")
    assert checkpoint.exists(tmp_path)
    assert checkpoint.load(tmp_path).step == 1


def test_a_newer_format_is_refused_not_skipped(tmp_path: Path) -> None:
    write(tmp_path, 1)
    newest = write(tmp_path, 2)
    state = json.loads((newest / "state.json").read_text()) | {"format": 2}
    (newest / "state.json").write_text(json.dumps(state))
    resign(newest)
    with pytest.raises(UserError, match=r"newer s2lab \(format 2, .* up to 1\): upgrade"):
        checkpoint.load(tmp_path)


@pytest.mark.parametrize(
    "text", ["[]", "{", '{"format": 1}', '{"format": 1, "step": 2, "parts": 3}']
)
def test_rightly_signed_nonsense_is_damage_too(tmp_path: Path, text: str) -> None:
    write(tmp_path, 1)
    newest = write(tmp_path, 2)
    (newest / "state.json").write_text(text)
    resign(newest)
    with pytest.warns(UserWarning, match="its contents make no sense"):
        assert checkpoint.load(tmp_path).step == 1


def test_pruning_never_counts_a_damaged_one_as_something_to_fall_back_to(tmp_path: Path) -> None:
    write(tmp_path, 1)
    alter(write(tmp_path, 2) / "state.json")
    alter(write(tmp_path, 3) / "state.json")
    newest = write(tmp_path, 4)
    alter(newest / "state.json")
    with pytest.warns(UserWarning, match="falling back to step_000000001"):
        assert checkpoint.load(tmp_path).step == 1


def stages_of_a_save(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    write(folder, 2)
    seen: list[str] = []
    monkeypatch.setattr(durable, "at_stage", seen.append)
    write(folder, 2, best=True)
    monkeypatch.undo()
    return seen


def test_a_full_disk_at_any_stage_leaves_the_previous_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = stages_of_a_save(tmp_path / "probe", monkeypatch)
    assert len(stages) > 8
    for number, stage in enumerate(stages[:-1]):
        folder = tmp_path / str(number)
        write(folder, 1)
        write(folder, 2, best=True)

        def full(reached: str, stage: str = stage) -> None:
            if reached == stage:
                raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(durable, "at_stage", full)
        for step in (2, 3):
            with pytest.raises(UserError, match=r"disk full while writing .* free some space"):
                checkpoint.save(folder, step, {"clock": {"step": step}}, best=True)
        monkeypatch.undo()
        assert checkpoint.load(folder).step in (2, 3)
        assert checkpoint.load(folder, "best").step in (2, 3)
        assert checkpoint.load(folder, "step_000000001").step == 1
        assert not list(folder.glob(".*")), stage
        assert write(folder, 4).name == "step_000000004"


KILLS = """
import json, os, pathlib, signal, sys
from s2lab import checkpoint, durable

def write(folder, step, value, best):
    checkpoint.save(folder, step, {"clock": {"value": value}}, best=best)

def killed_at(stage, folder, step, value):
    child = os.fork()
    if child == 0:
        def hook(reached):
            if reached == stage:
                os.kill(os.getpid(), signal.SIGKILL)
        durable.at_stage = hook
        write(folder, step, value, True)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

root = pathlib.Path(sys.argv[1])
for number, stage in enumerate(json.loads(sys.argv[2])):
    for step in (2, 3):  # a step that exists, and a new one
        folder = root / f"{number}-{step}"
        write(folder, 1, 10, False)
        write(folder, 2, 20, False)
        code = killed_at(stage, folder, step, 99)
        found = checkpoint.load(folder).parts["clock"]["value"]
        write(folder, 4, 40, False)
        left = [p.name for p in folder.glob(".*")]
        after = checkpoint.load(folder).parts["clock"]["value"]
        print(json.dumps([stage, step, code, found, left, after]))
"""


def test_a_kill_at_any_stage_leaves_the_old_checkpoint_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = stages_of_a_save(tmp_path / "probe", monkeypatch)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", KILLS, str(tmp_path), json.dumps(stages)],
        capture_output=True,
        text=True,
        check=True,
    )
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(results) == 2 * len(stages)
    killed = 0
    for stage, _, code, found, left, after in results:
        assert found in (20, 99), stage
        assert (left, after) == ([], 40), stage
        killed += code == -9
    assert killed >= 2 * len(stages) - 2  # "between renames" is met only when the step exists


def test_an_unwritable_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").write_text("in the way")
    with pytest.raises(UserError, match=r"cannot write .*checkpoints"):
        write(tmp_path / "checkpoints", 1)
