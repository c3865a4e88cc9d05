"""torchrun: one run in two processes, killed and gone on with."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from s2lab import checkpoint, together
from s2lab.agents.ppo_config import PPOConfig
from s2lab.errors import UserError
from s2lab.run_folder import RunFolder

WORDS = [
    *("MiniGrid-DoorKey-5x5-v0", "--steps", "1024", "--eval-episodes", "3", "--track", "off"),
    *("--quiet", "--ppo", "num_envs=8", "rollout_steps=16", "minibatches=2"),
    *("--vary", "log_every=128", "save_every=256"),
]
# The first process dies inside its second save; torchrun ends the other.
DYING = """
import os, signal, sys
from s2lab import durable
from s2lab.cli import main

renamed = 0

def die(stage):
    global renamed
    renamed += stage == "checkpoint renamed"
    if renamed == 2:
        os.kill(os.getpid(), signal.SIGKILL)

if os.environ["RANK"] == "0":
    durable.at_stage = die
sys.exit(main(sys.argv[1:]))
"""


def torchrun(folder: Path, *words: str) -> int:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    return subprocess.run(
        [*command, "--nproc-per-node", "2", *words], cwd=folder, env=environment, check=False
    ).returncode


def curve(run: RunFolder) -> list[dict[str, object]]:
    rows = [json.loads(line) for line in run.metrics_path.read_text().splitlines()]
    return [{k: v for k, v in row.items() if not k.startswith("time")} for row in rows]


@pytest.mark.slow
def test_a_run_in_two_processes_resumes_bit_for_bit(tmp_path: Path) -> None:
    (tmp_path / "dying.py").write_text(DYING)
    cli = ("-m", "s2lab.cli")
    assert torchrun(tmp_path, *cli, "train", *WORDS, "--runs", "a") == 0
    assert torchrun(tmp_path, "dying.py", "train", *WORDS, "--runs", "b") != 0
    (first,), (second,) = (list((tmp_path / name).iterdir()) for name in "ab")
    undisturbed, killed = RunFolder.open(first), RunFolder.open(second)
    assert undisturbed.summary["steps"] == 1024
    assert checkpoint.load(killed.checkpoints).step == 256  # `latest` had not moved yet
    assert torchrun(tmp_path, *cli, "resume", str(second), "--quiet") == 0
    assert curve(killed) == curve(undisturbed)
    ours, theirs = (checkpoint.load(run.checkpoints) for run in (killed, undisturbed))
    for name, weights in theirs.parts["model"].items():
        assert weights.equal(ours.parts["model"][name]), name
    learners = theirs.parts["learner"]
    assert set(learners) == {"0", "1"}
    assert not learners["0"]["running"]["observation"]["image"].equal(
        learners["1"]["running"]["observation"]["image"]
    )


def test_worlds_that_cannot_be_dealt_out_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(UserError, match=r"num_envs \(16\) must be a multiple of 3 processes"):
        together.portion(PPOConfig())
    assert together.portion(PPOConfig(num_envs=12)).num_envs == 4
    with pytest.raises(UserError, match="for each of 3 processes, num_envs"):
        together.portion(PPOConfig(num_envs=12, minibatches=12))
