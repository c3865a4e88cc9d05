"""Kill -9 anywhere, resume, and end with the same weights and the same curve, bit for bit."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import s2lab
from s2lab import checkpoint
from s2lab.run_folder import RunFolder
from s2lab.training import create_run

# Where each process dies: the n-th time that a stage of saving or logging is reached.
KILLS = [
    ("before fsync model.safetensors", 1),
    ("before fsync SHA256SUMS", 2),
    ("before checkpoint rename", 1),
    ("checkpoint renamed", 2),
    ("before rename latest", 1),
    ("before prune", 1),
    ("metrics line", 3),
    ("metrics line", 7),
    ("before fsync trainer.safetensors", 1),
    ("metrics line", 2),
]
CHILD = """
import os, signal, sys
from pathlib import Path
from s2lab import durable
from s2lab.resume import resume_run

stage, count = sys.argv[2], int(sys.argv[3])
seen = 0

def die(name):
    global seen
    seen += name == stage
    if seen == count and name == stage:
        os.kill(os.getpid(), signal.SIGKILL)

if stage != "nowhere":
    durable.at_stage = die
resume_run(Path(sys.argv[1]), quiet=True)
"""


def settings() -> s2lab.TrainConfig:
    ppo = s2lab.PPOConfig(num_envs=8, rollout_steps=16, minibatches=2, count_bonus=0.1)
    return s2lab.TrainConfig(
        "MiniGrid-DoorKey-5x5-v0", seed=3, steps=3840, ppo=ppo, log_every=128, save_every=256,
        eval_episodes=5, core={"hidden_size": 16},
    )  # fmt: skip


def work(run: RunFolder, stage: str, count: int) -> int:
    words = [sys.executable, "-c", CHILD, str(run.path), stage, str(count)]
    return subprocess.run(words, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False).returncode


def curve(run: RunFolder) -> list[dict[str, object]]:
    rows = [json.loads(line) for line in run.metrics_path.read_text().splitlines()]
    return [{k: v for k, v in row.items() if not k.startswith("time")} for row in rows]


@pytest.mark.slow
def test_ten_kills_leave_no_trace_in_weights_or_metrics(tmp_path: Path) -> None:
    undisturbed = create_run(settings(), tmp_path / "a")
    assert work(undisturbed, "nowhere", 0) == 0
    disturbed = create_run(settings(), tmp_path / "b")
    for stage, count in KILLS:
        assert work(disturbed, stage, count) == -signal.SIGKILL, stage
    assert work(disturbed, "nowhere", 0) == 0
    assert curve(disturbed) == curve(undisturbed)
    assert disturbed.read_json("eval.json") == undisturbed.read_json("eval.json")
    ours, theirs = (checkpoint.load(run.checkpoints) for run in (disturbed, undisturbed))
    assert ours.step == theirs.step
    for name, weights in theirs.parts["model"].items():
        assert weights.equal(ours.parts["model"][name]), name
