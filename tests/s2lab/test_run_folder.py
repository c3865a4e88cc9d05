"""A run's folder is its own, complete, and says what is wrong with it."""

import errno
import json
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s2lab import durable, machine
from s2lab.errors import UserError
from s2lab.run_folder import RunFolder


def create(root: Path, **changes: Any) -> RunFolder:
    fields: dict[str, Any] = {"env_id": "MiniGrid-DoorKey-5x5-v0", "agent": "lstm", "seed": 3}
    fields |= {"kind": "train", "config": {"steps": 100}}
    return RunFolder.create(root, **(fields | changes))


def test_the_name_says_environment_agent_seed_and_time(tmp_path: Path) -> None:
    name = create(tmp_path / "runs").path.name
    assert re.fullmatch(r"MiniGrid-DoorKey-5x5-v0__lstm__s3__\d{8}-\d{6}", name)


@pytest.mark.parametrize(
    ("env_id", "prefix"),
    [
        ("s2lab/MiniGrid-FourRooms-v0", "s2lab-MiniGrid-FourRooms-v0__lstm__s3__"),
        ("my.module:Env-v0", "my.module-Env-v0__lstm__s3__"),
        ("../../etc/passwd", "etc-passwd__lstm__s3__"),
        ("<script>a__b c</script>", "script-a_b-c-script-__lstm__s3__"),
        ("é" * 300, "x__lstm__s3__"),
        ("a" * 300, "a" * 80 + "__lstm__s3__"),
    ],
)
def test_any_environment_id_gives_one_safe_folder(tmp_path: Path, env_id: str, prefix: str) -> None:
    run = create(tmp_path, env_id=env_id)
    assert run.path.parent == tmp_path
    assert run.path.name.startswith(prefix)
    assert run.summary["env_id"] == env_id


def test_runs_started_together_never_share_a_folder(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda _: create(tmp_path), range(24)))
    assert len({run.path for run in runs}) == 24
    assert len({run.environment["uid"] for run in runs}) == 24


def test_a_new_run_can_be_opened_and_knows_what_it_is(tmp_path: Path) -> None:
    config = {"lr": 3e-4, "sizes": (1, 2), "out": Path("a/b"), "n": np.int64(3), "none": None}
    made = create(tmp_path, config=config)
    run = RunFolder.open(made.path)
    assert run.config == {"lr": 3e-4, "sizes": [1, 2], "out": "a/b", "n": 3, "none": None}
    assert {key: run.summary[key] for key in ("format", "kind", "agent", "seed", "status")} == {
        **{"format": 1, "kind": "train", "agent": "lstm", "seed": 3},
        "status": "running",
    }
    assert run.summary["run_id"] == run.path.name
    assert run.metrics() == []


def test_the_environment_names_versions_machine_and_commit(tmp_path: Path) -> None:
    found = create(tmp_path).environment
    assert found["versions"]["numpy"] == np.__version__
    assert found["cpus"] == os.cpu_count()
    root = Path(machine.__file__).resolve().parents[1]
    if not (root / ".git").exists():
        assert found["commit"] is None
        return
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True)
    assert found["commit"].rstrip("+") == head.stdout.strip()


def test_under_w_and_bs_agent_a_run_has_the_id_that_its_sweep_waits_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_RUN_ID", "abc123")
    assert create(tmp_path).environment["uid"] != "abc123", "a variable left in the shell"
    monkeypatch.setenv("WANDB_SWEEP_ID", "s1")
    assert create(tmp_path).environment["uid"] == "abc123"


def test_a_summary_keeps_the_fields_not_given(tmp_path: Path) -> None:
    run = create(tmp_path)
    run.write_summary({"status": "finished", "steps": 100, "eval": {"episodes": np.int64(5)}})
    assert run.summary["agent"] == "lstm"
    assert run.summary["eval"] == {"episodes": 5}


def test_a_full_disk_leaves_the_old_summary_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = create(tmp_path)
    before = (run.path / "summary.json").read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"disk full while writing .*summary\.json"):
        run.write_summary({"status": "finished"})
    assert (run.path / "summary.json").read_bytes() == before
    assert not list(run.path.glob(".*"))


def test_a_disk_full_from_the_start_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(stage: str) -> None:
        if stage == "before fsync summary.json":
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable, "at_stage", full)
    with pytest.raises(UserError, match="disk full"):
        create(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [float("nan"), {1: object()}])
def test_what_json_cannot_hold_replaces_nothing(tmp_path: Path, value: Any) -> None:
    run = create(tmp_path)
    with pytest.raises((TypeError, ValueError)):
        run.write_summary({"eval": value})
    assert run.summary["eval"] is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_root_is_refused_in_one_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="cannot write"):
        create(tmp_path)


def test_a_read_only_file_system_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, *_: Any, **__: Any) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(UserError, match=r"cannot write .*: Read-only file system; choose another"):
        create(tmp_path)


def test_a_root_that_cannot_be_a_folder_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file in the way")
    for root in (tmp_path / "runs", tmp_path / "runs" / "below", Path("/proc/nowhere")):
        with pytest.raises(UserError, match=r"cannot write .*; choose another folder") as caught:
            create(root)
        assert "\n" not in str(caught.value)
    assert (tmp_path / "runs").read_text() == "a file in the way"


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no run folder at"):
        RunFolder.open(tmp_path / "gone")
    with pytest.raises(UserError, match=r"is not a run folder: it has no summary\.json"):
        RunFolder.open(tmp_path)


def test_a_run_from_a_newer_version_is_refused(tmp_path: Path) -> None:
    run = create(tmp_path)
    run.write_summary({"format": 2})
    with pytest.raises(UserError, match=r"newer s2lab \(format 2, .* up to 1\): upgrade"):
        RunFolder.open(run.path)
    run.write_summary({"format": "two"})
    with pytest.raises(UserError, match="'format' must be a number, got 'two'"):
        RunFolder.open(run.path)


def test_damaged_files_are_named_with_their_line(tmp_path: Path) -> None:
    run = create(tmp_path)
    (run.path / "summary.json").write_text('{\n "format": 1,\n "broken\n')
    with pytest.raises(UserError, match=r"summary\.json:3 is damaged"):
        RunFolder.open(run.path)
    (run.path / "environment.json").write_text("[1]")
    with pytest.raises(UserError, match=r"environment\.json is damaged: expected an object"):
        _ = run.environment
    for text in ("a: [1", "just words"):
        (run.path / "config.yaml").write_text(text)
        with pytest.raises(UserError, match=r"config\.yaml is damaged"):
            _ = run.config
    (run.path / "config.yaml").unlink()
    with pytest.raises(UserError, match=r"cannot read .*config\.yaml"):
        _ = run.config


def test_yaml_from_elsewhere_builds_no_python_objects(tmp_path: Path) -> None:
    run = create(tmp_path)
    (run.path / "config.yaml").write_text("!!python/object/apply:os.system ['true']")
    with pytest.raises(UserError, match="damaged"):
        _ = run.config


def test_a_replaced_file_is_whole_for_every_reader(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    durable.replace(path, b"[0]")
    texts = [json.dumps([number] * 5000).encode() for number in range(40)]
    with ThreadPoolExecutor(2) as pool:
        writing = pool.submit(lambda: [durable.replace(path, text) for text in texts])
        while not writing.done():
            assert len(set(json.loads(path.read_bytes()))) == 1
