"""metrics.jsonl is the source of truth: whole lines, cut back by a resume, never silently short."""

import errno
import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from s2lab.errors import UserError
from s2lab.run_folder import RunFolder
from s2lab.track import Tracker
from s2lab.track_sb3 import sb3_logger


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    names = {"env_id": "E-v0", "agent": "lstm", "kind": "train"}
    return RunFolder.create(tmp_path, seed=0, config={}, **names)


def track(run: RunFolder, **changes: Any) -> Tracker:
    fields: dict[str, Any] = {"mode": "off", "group": "g", "job_type": "train", "tags": []}
    return Tracker(run, **(fields | {"total_steps": 100, "quiet": True} | changes))


def steps(run: RunFolder) -> list[float]:
    return [row["step"] for row in run.metrics()]


def test_every_line_is_json_in_the_file_when_log_returns(run: RunFolder) -> None:
    with track(run) as tracker:
        tracker.log(np.int64(1), {"a": np.float32(0.5), "b": torch.tensor(2.0), "c": 3, "d": True})
        text = run.metrics_path.read_text()
        assert text.endswith("\n")
        row = json.loads(text, parse_constant=lambda name: pytest.fail(name))
    assert row.pop("time") > 1.7e9
    assert row == {"step": 1, "a": 0.5, "b": 2.0, "c": 3, "d": 1}


def test_what_is_not_a_number_is_null_and_read_as_nan(run: RunFolder) -> None:
    with track(run) as tracker:
        tracker.log(1, {"nan": math.nan, "inf": np.inf, "tensor": torch.tensor(-math.inf)})
    found = json.loads(run.metrics_path.read_text())
    assert [found[name] for name in ("nan", "inf", "tensor")] == [None, None, None]
    assert math.isnan(run.metrics()[0]["inf"])


def test_a_resume_cuts_the_file_back_so_that_no_line_repeats(run: RunFolder) -> None:
    with track(run) as tracker:
        assert tracker.offset() == 0
        for step in (1, 2):
            tracker.log(step, {"x": step})
        offset = tracker.offset()
        for step in (3, 4):
            tracker.log(step, {"x": step})
    assert offset == len(b"".join(run.metrics_path.read_bytes().splitlines(keepends=True)[:2]))
    with open(run.metrics_path, "ab") as file:
        file.write(b'{"step": 5, "ti')
    with track(run, resume_at=offset) as tracker:
        assert tracker.offset() == offset
        tracker.log(3, {"x": 30})
    assert [(row["step"], row["x"]) for row in run.metrics()] == [(1, 1), (2, 2), (3, 30)]


def test_a_file_shorter_than_the_checkpoint_says_is_refused(run: RunFolder) -> None:
    with track(run) as tracker:
        tracker.log(1, {})
        offset = tracker.offset()
    for wrong, why in [(offset + 1, "put the file back"), (offset - 1, "no end of a line")]:
        with pytest.raises(UserError, match=why):
            track(run, resume_at=wrong)
    assert steps(run) == [1]


def test_a_last_line_cut_by_a_crash_is_read_up_to_with_a_warning(run: RunFolder) -> None:
    with track(run) as tracker:
        tracker.log(1, {})
    with open(run.metrics_path, "ab") as file:
        file.write(b'{"step": 2, "time"')
    with pytest.warns(UserWarning, match=r"metrics\.jsonl:2 was cut by a crash"):
        assert steps(run) == [1]
    with track(run) as tracker:
        tracker.log(2, {})
    assert steps(run) == [1, 2]


def test_damage_before_the_last_line_is_named_by_line(run: RunFolder) -> None:
    run.metrics_path.write_text('{"step": 1}\n{"step": \n{"step": 3}\n')
    with pytest.raises(UserError, match=r"metrics\.jsonl:2 is damaged"):
        run.metrics()


def test_a_full_disk_leaves_whole_lines_and_names_the_resume_command(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_write = os.write
    left = 20

    def write(descriptor: int, data: bytes) -> int:
        nonlocal left
        if left == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken, left = min(left, len(data)), 0
        return real_write(descriptor, data[:taken])

    with track(run) as tracker:
        tracker.log(1, {"x": 1.0})
        monkeypatch.setattr(os, "write", write)
        with pytest.raises(UserError, match=r"disk full .*metrics\.jsonl: free .*`s2lab resume"):
            tracker.log(2, {"x": 2.0})
        monkeypatch.undo()
        assert steps(run) == [1]
        tracker.log(3, {"x": 3.0})
    assert steps(run) == [1, 3]


def test_a_second_writer_is_noticed(run: RunFolder) -> None:
    with track(run) as first, track(run) as second:
        first.log(1, {})
        with pytest.raises(UserError, match="changed by another process"):
            second.log(1, {})
    assert steps(run) == [1]


KILL = """
import os, signal, sys, pathlib
from s2lab import durable
from s2lab.run_folder import RunFolder
from s2lab.track import Tracker
run = RunFolder.open(pathlib.Path(sys.argv[1]))
tracker = Tracker(run, mode="off", group="", job_type="train", tags=[], total_steps=None)
for step in range(5):
    tracker.log(step, {"x": step})
real = os.write
def die(descriptor, data):
    real(descriptor, data[: len(data) // 2])
    os.kill(os.getpid(), signal.SIGKILL)
os.write = die
tracker.log(5, {"x": 5})
"""


def test_a_kill_inside_a_line_loses_that_line_only(run: RunFolder) -> None:
    done = subprocess.run([sys.executable, "-c", KILL, str(run.path)], check=False)
    assert done.returncode == -9
    assert not run.metrics_path.read_bytes().endswith(b"\n")
    with track(run) as tracker:
        tracker.log(5, {})
    assert steps(run) == [0, 1, 2, 3, 4, 5]


def test_closing_writes_the_summary_once_and_again_is_harmless(run: RunFolder) -> None:
    tracker = track(run)
    tracker.close({"status": "finished", "steps": 7})
    tracker.close({"status": "failed"})
    assert run.summary["status"] == "finished"
    assert run.summary["agent"] == "lstm"


def test_an_unknown_mode_is_refused_before_any_file(run: RunFolder) -> None:
    with pytest.raises(UserError, match="unknown track mode 'on': off, offline or online"):
        track(run, mode="on")
    assert not run.metrics_path.exists()


def test_a_tracker_switched_off_loads_neither_wandb_nor_torch(run: RunFolder) -> None:
    code = (
        "import sys, pathlib; from s2lab.run_folder import RunFolder;"
        "from s2lab.track import Tracker;"
        "import s2lab.checkpoint, s2lab.seeds;"
        "t = Tracker(RunFolder.open(pathlib.Path(sys.argv[1])), mode='off', group='', job_type='',"
        " tags=[], total_steps=1, quiet=True); t.log(1, {}); t.close();"
        "print({'wandb', 'torch', 'numpy', 'rich', 'stable_baselines3'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(run.path)], check=True, capture_output=True, text=True
    )
    assert done.stdout == "set()\n"


def test_sb3_feeds_the_same_file_under_its_own_names(run: RunFolder) -> None:
    from stable_baselines3 import PPO

    with track(run) as tracker:
        model = PPO("MlpPolicy", "CartPole-v1", n_steps=32, batch_size=32, n_epochs=1, device="cpu")
        model.set_logger(sb3_logger(tracker))
        model.learn(64, log_interval=1)
    rows = run.metrics()
    assert {32, 64} <= {row["step"] for row in rows}
    assert all(row["time/total_timesteps"] == row["step"] for row in rows)
    names = {name for row in rows for name in row}
    assert {"rollout/ep_rew_mean", "train/loss", "time/fps"} <= names


def test_sb3_text_and_pictures_stay_out_of_the_numbers(run: RunFolder) -> None:
    with track(run) as tracker:
        logger = sb3_logger(tracker)
        logger.record("number", np.float32(2.5))
        logger.record("excluded", 1.0, exclude="json")
        logger.record("words", "text")
        logger.record("weights", np.ones(3))
        logger.dump(step=9)
        logger.close()
        tracker.log(10, {})
    row = run.metrics()[0]
    shown = {name: row[name] for name in row if not name.startswith("time")}
    assert shown == {"step": 9, "number": 2.5}


def test_the_run_s_own_figures_go_over_sb3_s(run: RunFolder) -> None:
    with track(run) as tracker:
        logger = sb3_logger(tracker, lambda: {"rollout/success_rate": None, "time/cpu_s": 2.5})
        for name in ("rollout/success_rate", "time/cpu_s", "train/loss"):
            logger.record(name, 1.0)
        logger.dump(step=9)
        tracker.log(10, {})
    row = run.metrics()[0]
    assert (row["time/cpu_s"], row["train/loss"]) == (2.5, 1.0)
    assert "rollout/success_rate" not in row


def test_the_file_survives_names_that_look_like_markup(run: RunFolder) -> None:
    with track(run) as tracker:
        tracker.log(1, {'<script>"\\\n': 1.0, "é": 2.0})
    assert re.fullmatch(rb"[^\n]*\n", run.metrics_path.read_bytes())
    assert run.metrics()[0]['<script>"\\\n'] == 1.0
