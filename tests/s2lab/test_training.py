"""Runs from beginning to end: what lands on disk, stopping, going on, being judged."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import s2lab
from s2lab import checkpoint
from s2lab.cli import main
from s2lab.config import read_config
from s2lab.errors import UserError
from s2lab.resume import resume_run
from s2lab.run_folder import RunFolder
from s2lab.training import build_model

TINY = s2lab.PPOConfig(num_envs=4, rollout_steps=16, minibatches=2)
WORLD_PACKAGE = """
import gymnasium as gym
from gymnasium import spaces
class Stay(gym.Env):
    observation_space = spaces.Box(-1.0, 1.0, (3,))
    action_space = spaces.Box(-1.0, 1.0, (2,))
    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return self.observation_space.sample() * 0, {}
    def step(self, action):
        self.steps += 1
        cost = float((action**2).sum())
        return self.observation_space.sample() * 0, -cost, False, self.steps == 8, {}
gym.register("stay/Stay-v0", Stay)
"""


def config(**changes: Any) -> s2lab.TrainConfig:
    settings: dict[str, Any] = {
        "env": "test/Identity-v0", "agent": "none", "steps": 640, "ppo": TINY, "log_every": 64,
        "save_every": 128, "eval_episodes": 5,
    }  # fmt: skip
    return s2lab.TrainConfig(**settings | changes)


def steps_logged(run: RunFolder) -> list[int]:
    return [row["step"] for row in run.metrics() if "rollout/ep_rew_mean" in row]


def test_a_run_leaves_a_whole_folder(tmp_path: Path) -> None:
    outcome = s2lab.train(config(), runs=tmp_path, quiet=True)
    run = RunFolder.open(outcome.path)
    assert (outcome.status, outcome.steps) == ("finished", 640)
    assert read_config(run) == config()
    assert run.summary["eval"]["episodes"] == 5
    assert steps_logged(run)[-1] == 640
    names = set().union(*run.metrics())
    assert {"rollout/ep_rew_mean", "rollout/success_rate", "train/value_loss", "time/fps"} <= names
    judged = json.loads((run.path / "eval.json").read_text())
    assert judged["seeds"] == [2**40 + j for j in range(5)]


def test_an_sb3_baseline_is_a_run_like_any_other(tmp_path: Path) -> None:
    ours = RunFolder.open(s2lab.train(config(), runs=tmp_path, quiet=True).path)
    settings = s2lab.BaselineConfig(
        "test/Identity-v0", steps=640, ppo=TINY, log_every=64, eval_episodes=5
    )
    outcome = s2lab.baseline(settings, runs=tmp_path, quiet=True)
    theirs = RunFolder.open(outcome.path)
    assert (outcome.status, outcome.steps) == ("finished", 640)
    assert theirs.summary.keys() == ours.summary.keys()
    shared = {"rollout/ep_rew_mean", "rollout/success_rate", "train/value_loss", "time/fps"}
    assert shared <= set().union(*theirs.metrics())
    assert theirs.read_json("eval.json")["seeds"] == ours.read_json("eval.json")["seeds"]


def test_both_learners_start_in_the_same_worlds(tmp_path: Path) -> None:
    from s2lab.algorithms import build_algorithm
    from s2lab.envs.external import make_external_vec
    from s2lab.seeds import world_seeds

    env_id = "BabyAI-GoToRedBallGrey-v0"
    theirs = build_algorithm(s2lab.BaselineConfig(env_id, seed=3, ppo=TINY)).get_env()
    assert theirs is not None
    worlds: Any = make_external_vec(env_id, 4)
    ours, _ = worlds.reset(seed=world_seeds(3, 4))
    shown: Any = theirs.reset()
    for name in ("image", "direction", "mission"):
        assert np.array_equal(ours[name], shown[name].reshape(ours[name].shape))


def test_training_twice_with_one_seed_gives_the_same_numbers(tmp_path: Path) -> None:
    rows = []
    for _ in range(2):
        outcome = s2lab.train(config(agent="lstm"), runs=tmp_path, quiet=True)
        found = RunFolder.open(outcome.path).metrics()
        rows.append([{k: v for k, v in row.items() if not k.startswith("time")} for row in found])
    assert rows[0] == rows[1]


def test_first_values_are_as_small_as_asked_for() -> None:
    models = [build_model(config(ppo=replace(TINY, value_gain=gain))) for gain in (1.0, 0.01)]
    loud, quiet = (model.state_dict() for model in models)
    for name, weight in loud.items():
        factor = 0.01 if name == "heads.value.weight" else 1.0
        assert quiet[name].equal(factor * weight)


def test_a_loaded_policy_acts_as_the_run_was_judged(tmp_path: Path) -> None:
    path = s2lab.train(config(agent="lstm"), runs=tmp_path, quiet=True).path
    policy = s2lab.load(path, mode="greedy")
    state, reset = policy.initial_state(4), np.ones(4, bool)
    actions, state = policy.step({"observation": np.arange(4)}, state, reset)
    again, _ = policy.step({"observation": np.arange(4)}, policy.initial_state(4), reset)
    assert np.array_equal(actions, again)
    assert set(actions.tolist()) <= {0, 1, 2, 3}


@pytest.mark.parametrize("command", ["train", "baseline"])
@pytest.mark.slow
def test_ctrl_c_saves_and_resume_goes_on_with_the_same_curve(command: str, tmp_path: Path) -> None:
    words = [command, "CartPole-v1", "--steps", "24000", "--runs", str(tmp_path), "--track", "off"]
    process = subprocess.Popen(
        [sys.executable, "-m", "s2lab.cli", *words, "--ppo", "num_envs=4", "--eval-episodes", "3"],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    wait_for(lambda: any("time/fps" in p.read_text() for p in tmp_path.glob("*/metrics.jsonl")))
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=600)
    (path,) = tmp_path.iterdir()
    assert process.returncode == 130
    assert f"s2lab resume {path}" in error
    run = RunFolder.open(path)
    assert run.summary["status"] == "interrupted"
    stopped_at = run.summary["steps"]
    assert 0 < stopped_at < 24000
    assert main(["resume", str(path), "--track", "off", "--quiet"]) == 0
    steps = steps_logged(run)
    assert steps == sorted(set(steps))
    assert steps[-1] >= 24000
    assert run.summary["status"] == "finished"
    elapsed = [row["time/time_elapsed"] for row in run.metrics() if row.get("time/time_elapsed")]
    assert elapsed == sorted(elapsed)


@pytest.mark.slow
def test_several_seeds_run_side_by_side_and_can_be_stopped(tmp_path: Path) -> None:
    words = ["train", "CartPole-v1", "--seeds", "0", "1", "--steps", "10_000_000"]
    process = subprocess.Popen(
        [sys.executable, "-m", "s2lab.cli", *words, "--runs", str(tmp_path), "--track", "off"],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    wait_for(lambda: len([p for p in tmp_path.glob("*/metrics.jsonl") if p.stat().st_size]) == 2)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=600)
    assert process.returncode == 130
    for path in tmp_path.iterdir():
        assert RunFolder.open(path).summary["status"] == "interrupted"
        assert f"s2lab resume {path}" in error


def wait_for(condition: Any, limit_s: float = 600) -> None:
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.2)


def test_a_foreign_world_with_continuous_actions_trains(tmp_path: Path) -> None:
    (tmp_path / "stay_worlds.py").write_text(WORLD_PACKAGE)
    words = ["train", "stay/Stay-v0", "--import", "stay_worlds", "--steps", "512", "--track", "off"]
    subprocess.run(
        [sys.executable, "-m", "s2lab.cli", *words, "--eval-episodes", "3", "--quiet"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)}, check=True,
    )  # fmt: skip
    (path,) = (tmp_path / "runs").iterdir()
    assert RunFolder.open(path).summary["eval"]["mean_length"] == 8


def test_a_finished_run_is_not_resumed(tmp_path: Path) -> None:
    path = s2lab.train(config(), runs=tmp_path, quiet=True).path
    with pytest.raises(UserError, match="is finished"):
        resume_run(path)


def test_an_altered_checkpoint_falls_back_and_an_altered_pair_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = s2lab.train(config(), runs=tmp_path, quiet=True).path
    run = RunFolder.open(path)
    run.write_summary({"status": "interrupted"})
    models = sorted(run.checkpoints.glob("step_*/model.safetensors"))
    models[-1].write_bytes(models[-1].read_bytes()[:-4])
    assert resume_run(path, quiet=True).status == "finished"
    assert "damaged checkpoint" in capsys.readouterr().out
    run.write_summary({"status": "interrupted"})
    for model in run.checkpoints.glob("step_*/model.safetensors"):
        model.write_bytes(b"nonsense")
    before = run.metrics_path.read_bytes()
    assert main(["resume", str(path), "--quiet"]) == 2
    assert run.metrics_path.read_bytes() == before


def test_a_run_of_a_newer_version_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = s2lab.train(config(), runs=tmp_path, quiet=True).path
    RunFolder.open(path).write_summary({"format": 99})
    for words in (["resume", str(path)], ["eval", str(path)]):
        assert main(words) == 2
        assert "newer s2lab" in capsys.readouterr().err


def test_a_config_with_an_unknown_field_is_refused(tmp_path: Path) -> None:
    path = s2lab.train(config(), runs=tmp_path, quiet=True).path
    with (path / "config.yaml").open("a") as file:
        file.write("imagination: 7\n")
    with pytest.raises(UserError, match=r"config\.yaml: unknown field 'imagination'"):
        s2lab.load(path)


def test_losses_that_are_no_numbers_stop_the_run(tmp_path: Path) -> None:
    broken = s2lab.PPOConfig(num_envs=4, rollout_steps=16, minibatches=2, reward_scale=1e38)
    with pytest.raises(UserError, match=r"became (inf|nan) at step \d+"):
        s2lab.train(config(ppo=broken), runs=tmp_path, quiet=True)
    (path,) = tmp_path.iterdir()
    run = RunFolder.open(path)
    assert run.summary["status"] == "failed"
    found = run.read_json("diverged.json")
    assert found["term"] in found["losses"]
    assert found["step"] == checkpoint.load(run.checkpoints).step
    lines = [json.loads(line) for line in run.metrics_path.read_text().splitlines()]
    assert found["metrics"] == lines[-100:]
