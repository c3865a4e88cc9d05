"""W&B gets everything when it works, and costs one line on stderr when it does not."""

import json
import math
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from s2lab import track_wandb
from s2lab.run_folder import RunFolder
from s2lab.track import Tracker

BLOCK = 32768
FULL, FIRST, LAST = 1, 2, 4


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    names = {"env_id": "E-v0", "agent": "lstm", "kind": "train"}
    return RunFolder.create(tmp_path / "runs", seed=4, config={"lr": 0.5}, **names)


def track(run: RunFolder, **changes: Any) -> Tracker:
    fields: dict[str, Any] = {"mode": "offline", "group": "E-lstm", "job_type": "train"}
    fields |= {"tags": ["v0.1.0", "abc"], "total_steps": 100, "quiet": True}
    return Tracker(run, **(fields | changes))


def records(path: Path) -> Iterator[Any]:
    """Every record of a .wandb file: LevelDB's log framing around wandb's own protobuf.

    github.com/google/leveldb/blob/main/doc/log_format.md; the first block begins with a header of
    7 bytes.
    """
    from wandb.proto.wandb_internal_pb2 import Record

    data = path.read_bytes()
    assert data[:4] == b":W&B"
    at, parts = 7, b""
    while at + 7 <= len(data):
        if BLOCK - at % BLOCK < 7:
            at += BLOCK - at % BLOCK
            continue
        _, length, kind = struct.unpack_from("<IHB", data, at)
        body = data[at + 7 : at + 7 + length]
        parts = body if kind in (FULL, FIRST) else parts + body
        at += 7 + length
        if kind in (FULL, LAST):
            yield Record.FromString(parts)


def offline_folders(run: RunFolder) -> list[list[Any]]:
    """The records of each offline folder of a run, oldest first."""
    files = sorted((run.path / "wandb").glob("offline-run-*/run-*.wandb"), key=os.path.getmtime)
    return [list(records(file)) for file in files]


def items(record: Any) -> dict[str, Any]:
    return {(i.key or i.nested_key[0]): json.loads(i.value_json) for i in record.item}


def history(found: list[Any]) -> list[dict[str, Any]]:
    rows = [items(r.history) for r in found if r.WhichOneof("record_type") == "history"]
    return [{key: row[key] for key in row if key not in ("_timestamp", "_runtime")} for row in rows]


def pick(found: list[Any], kind: str) -> list[Any]:
    return [getattr(r, kind) for r in found if r.WhichOneof("record_type") == kind]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """W&B's server and every proxy: hears the first bytes of each call and hangs up."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            while True:
                try:
                    caller, _ = listener.accept()
                except OSError:
                    return
                with caller:
                    heard.append(caller.recv(100))

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "WANDB_BASE_URL"):
            monkeypatch.setenv(name, address)
        yield heard
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


@pytest.fixture(autouse=True)
def _silent_while_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine W&B takes its time; a line that says so is not what is asked here."""
    monkeypatch.setattr(track_wandb, "SAY_WAITING_S", 600.0)


def test_an_offline_run_holds_config_history_summary_and_artifacts(
    run: RunFolder, server: list[bytes], capfd: pytest.CaptureFixture[str]
) -> None:
    best = run.path / "checkpoints" / "step_000000009"
    best.mkdir(parents=True)
    (best / "model.safetensors").write_bytes(b"weights")
    with track(run) as tracker:
        for step in range(16, 1600, 16):
            tracker.log(step, {"rollout/ep_rew_mean": step / 8, "train/loss": math.nan})
        tracker.log(1584, {"eval/success_rate": 0.75})
        tracker.artifact(best, "best", "model")
        tracker.close({"status": "finished", "steps": 1584})
    (found,) = offline_folders(run)
    (about,) = pick(found, "run")
    assert (about.project, about.run_group, about.job_type) == ("s2lab", "E-lstm", "train")
    assert (about.display_name, list(about.tags)) == (run.run_id, ["v0.1.0", "abc"])
    config = {u.key: json.loads(u.value_json) for u in about.config.update}
    assert config["lr"] == 0.5
    assert config["run"]["env_id"] == "E-v0"
    rows = history(found)
    assert [row["_step"] for row in rows] == list(range(16, 1600, 16))
    assert all(row["global_step"] == row["_step"] for row in rows)
    assert [row["rollout/ep_rew_mean"] for row in rows] == [s / 8 for s in range(16, 1600, 16)]
    assert rows[-1]["eval/success_rate"] == 0.75
    (metric,) = pick(found, "metric")
    assert (metric.glob_name, metric.step_metric) == ("*", "global_step")
    summary = {u.key: u.value_json for s in pick(found, "summary") for u in s.update if u.key}
    assert json.loads(summary["status"]) == "finished"
    (artifact,) = pick(found, "artifact")
    (content,) = artifact.manifest.contents
    assert content.path == "model.safetensors"
    assert Path(content.local_path).read_bytes() == b"weights"
    assert run.path in Path(content.local_path).parents
    assert pick(found, "exit")[0].exit_code == 0

    assert server == [], "offline spoke to the network"
    assert not (run.path.parents[1] / "home").exists(), "W&B wrote outside the run folder"
    assert capfd.readouterr() == ("", "")


def test_online_without_a_server_goes_on_offline_and_says_so_once(
    run: RunFolder,
    server: list[bytes],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "x" * 40)
    monkeypatch.setattr(track_wandb, "PATIENCE_S", {"online": 24.0})
    with track(run, mode="online") as tracker:
        tracker.log(1, {"x": 1.0})
        tracker.close()
    assert server, "the listener would hear a call"
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("W&B: online failed (")
    assert line.endswith("recording offline; the run goes on, metrics.jsonl has everything")
    assert [row["x"] for row in history(offline_folders(run)[0])] == [1.0]
    assert not list((run.path / "wandb").glob("run-*")), "an empty folder would be synced"


def test_online_without_a_key_goes_on_offline(
    run: RunFolder, capfd: pytest.CaptureFixture[str]
) -> None:
    with track(run, mode="online") as tracker:
        tracker.log(1, {"x": 1.0})
    (line,) = capfd.readouterr().err.splitlines()
    assert "API key" in line
    assert len(offline_folders(run)) == 1


def test_a_resume_is_a_second_folder_of_the_same_run_and_repeats_no_step(run: RunFolder) -> None:
    with track(run) as tracker:
        tracker.log(1, {"x": 1.0})
        offset = tracker.offset()
        for step in (2, 3, 4):
            tracker.log(step, {"x": float(step)})
    with track(run, mode="off", resume_at=offset) as tracker:
        tracker.log(2, {"x": 2.0})  # dies before it gets as far as the first time
    with track(run, resume_at=offset) as tracker:
        for step in (2, 3, 4, 5, 6):
            tracker.log(step, {"x": float(step)})
    first, second = offline_folders(run)
    assert pick(first, "run")[0].run_id == pick(second, "run")[0].run_id
    assert [row["_step"] for row in history(first)] == [1, 2, 3, 4]
    assert [row["_step"] for row in history(second)] == [5, 6]
    assert [row["step"] for row in run.metrics()] == [1, 2, 3, 4, 5, 6]


KILLED = """
import os, pathlib, signal, sys
from s2lab.run_folder import RunFolder
from s2lab.track import Tracker
run = RunFolder.open(pathlib.Path(sys.argv[1]))
tracker = Tracker(run, mode="offline", group="g", job_type="train", tags=[], total_steps=None)
for step in range(200):
    tracker.log(step, {"x": step})
while not tracker._wandb._queue.empty():
    pass
print(tracker._wandb._child.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_w_and_b_was_told_survives_a_kill_of_the_run(run: RunFolder) -> None:
    command = [sys.executable, "-c", KILLED, str(run.path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL
    pid = int(done.stdout)
    for _ in range(300):
        if not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text():
            break
        time.sleep(0.1)
    (found,) = offline_folders(run)
    assert pick(found, "exit")[0].exit_code == 1
    assert [row["_step"] for row in history(found)] == list(range(len(history(found))))
    assert len(history(found)) >= 190


def test_a_folder_that_fills_up_is_noticed_though_w_and_b_hides_it(
    run: RunFolder, capfd: pytest.CaptureFixture[str]
) -> None:
    with track(run) as tracker:
        assert tracker._wandb is not None
        assert tracker._wandb._child is not None
        limit = (64 * 1024, 64 * 1024)  # no file of W&B's may grow beyond it
        resource.prlimit(tracker._wandb._child.pid, resource.RLIMIT_FSIZE, limit)
        tracker.log(1, {"x": 1.0})
    (line,) = capfd.readouterr().err.splitlines()
    assert line.endswith("the run goes on, metrics.jsonl has everything")
    assert len(run.metrics()) == 1


FAKE = """
import os, sys, time
class R:
    summary = {}
    def define_metric(self, *a, **k): pass
    def log(self, *a, **k): pass
    def finish(self, *a, **k): pass
def Settings(**k): pass
def init(**k): return R()
def hang(*a, **k): time.sleep(3600)
def fail(*a, **k): raise RuntimeError("no W&B\\n today")
def die(*a, **k): os._exit(3)
def chat(*a, **k):
    print("!!!", flush=True)
    print("!!!", file=sys.stderr)
    fail()
"""
TROUBLES = {
    "raise ImportError('broken installation')": "ImportError: broken installation",
    "init = fail": "RuntimeError: no W&B today",
    "R.log = fail": "RuntimeError: no W&B today",
    "R.finish = fail": "RuntimeError: no W&B today",
    "R.log = chat": "RuntimeError: no W&B today",
    "init = die": "its process died",
    "R.log = die": "its process died",
    "R.finish = die": "its process died",
    "init = hang": "did not finish within 1 s",
    "R.log = hang": "did not finish within 1 s",
    "R.finish = hang": "did not finish within 1 s",
}


def with_fake_wandb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: str) -> None:
    fakes = tmp_path / "fakes"
    fakes.mkdir()
    (fakes / "wandb.py").write_text(f"{FAKE}\n{trouble}\n")
    monkeypatch.setenv("PYTHONPATH", f"{fakes}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.setattr(track_wandb, "PATIENCE_S", {"offline": 1.0})


@pytest.mark.parametrize("trouble", TROUBLES)
def test_whatever_w_and_b_does_the_run_goes_on_and_says_so_once(
    run: RunFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    trouble: str,
) -> None:
    with_fake_wandb(tmp_path, monkeypatch, trouble)
    with track(run) as tracker:
        assert tracker._wandb is not None
        child = tracker._wandb._child
        for step in range(3):
            tracker.log(step, {"x": 1.0})
        if "hang" not in trouble and "finish" not in trouble:
            assert child is not None
            child.wait(30)
        for step in range(3, 6):
            tracker.log(step, {"x": 1.0})
        tracker.close({"status": "finished"})
    out, err = capfd.readouterr()
    tail = "the run goes on, metrics.jsonl has everything"
    assert (out, err) == ("", f"W&B: {TROUBLES[trouble]}; {tail}\n")
    assert len(run.metrics()) == 6
    assert run.summary["status"] == "finished"
    assert child is not None
    assert child.poll() is not None, "the child is gone"


def test_w_and_b_that_hangs_never_blocks_a_line(
    run: RunFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with_fake_wandb(tmp_path, monkeypatch, "R.log = hang")
    monkeypatch.setattr(track_wandb, "QUEUED_ROWS", 100)
    with track(run) as tracker:
        for step in range(5000):  # far more than the pipe and the queue hold
            tracker.log(step, {"x": 1.0})
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("W&B: it stopped answering;")
    assert len(run.metrics()) == 5000


def test_a_file_where_the_folder_should_be_stops_w_and_b_only(
    run: RunFolder, capfd: pytest.CaptureFixture[str]
) -> None:
    (run.path / "wandb").write_text("in the way")
    with track(run) as tracker:
        tracker.log(1, {"x": 1.0})
        tracker.artifact(run.path, "a", "b")
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("W&B: could not start: ")
    assert len(run.metrics()) == 1
