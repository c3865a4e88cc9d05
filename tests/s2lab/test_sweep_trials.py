"""Trials of a sweep: taken over from workers that are gone, refused early, failing aloud."""

import os
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import s2lab
from s2lab.cli import main
from s2lab.commands import sweeping
from s2lab.sweep import Plan, next_trial, open_study
from s2lab.sweep_space import parse_space
from s2lab.sweep_trials import BEAT, LOST_AFTER_S, Worker, abandoned
from s2lab.training import create_run

needs_optuna = pytest.mark.skipif(not find_spec("optuna"), reason="optuna is not installed")
TINY = s2lab.PPOConfig(num_envs=4, rollout_steps=16, minibatches=2)
BASE = s2lab.TrainConfig("test/Identity-v0", agent="none", steps=640, ppo=TINY)
WORDS = [
    "sweep", "MiniGrid-Empty-5x5-v0", "--agent", "none", "--steps", "64", "--track", "off",
    "--ppo", "num_envs=4", "rollout_steps=16", "minibatches=2", "--space", "ppo.epochs=1:3",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Away from the checkout, whose folder `s2lab` would be imported by `python -m`."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def begun(tmp_path: Path) -> Any:
    """A study with one trial under way on another machine; how long it has been silent is set."""
    folder = tmp_path / "s"
    plan = Plan(BASE, parse_space(BASE, {"ppo.lr": "log:1e-4:1e-2"}), 3)
    study = open_study(plan, folder)
    elsewhere = Worker(host="elsewhere", pid=1)
    made = next_trial(study, plan, folder, create_run, elsewhere, print)
    assert made is not None
    beat = made[1].path / BEAT
    beat.touch()

    def silent(seconds: float) -> tuple[Any, Path, Any]:
        os.utime(beat, (time.time() - seconds,) * 2)
        return study, folder, made[0]

    return silent


@needs_optuna
def test_a_trial_of_a_lost_machine_is_taken_over_by_one_and_only_one(begun: Any) -> None:
    study, folder, _ = begun(LOST_AFTER_S - 60)
    assert not abandoned(study, folder, Worker()), "it has only been quiet for a while"
    study, folder, trial = begun(LOST_AFTER_S + 60)
    first, second = Worker(host="a"), Worker(host="b")
    (taken,) = abandoned(study, folder, first)
    assert taken[0].number == trial.number
    assert not abandoned(study, folder, second)
    assert study.trials[0].user_attrs["host"] == "a"


@needs_optuna
def test_a_trial_that_was_let_go_needs_no_waiting(begun: Any) -> None:
    study, folder, trial = begun(0)
    Worker(host="elsewhere").let_go(trial)
    assert len(abandoned(study, folder, Worker())) == 1


@needs_optuna
def test_a_worker_of_this_machine_that_is_alive_keeps_its_trial(begun: Any) -> None:
    study, folder, trial = begun(9 * LOST_AFTER_S)
    Worker(pid=os.getppid()).take(trial)
    assert not abandoned(study, folder, Worker())
    Worker(pid=2**22 + 1).take(trial)  # above Linux's highest
    assert len(abandoned(study, folder, Worker())) == 1


@needs_optuna
def test_a_trial_that_cannot_run_says_why_and_a_sweep_of_such_trials_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.exit('no numbers today')")
    assert main([*WORDS, "--study", "s", "--trials", "1"]) == 1
    said = capsys.readouterr().err
    assert ": failed: SystemExit: no numbers today" in said
    assert "no trial of s came to a score" in said


@needs_optuna
def test_a_sweep_in_a_world_that_is_unknown_is_refused_before_any_trial(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sweep", "MiniGrid-Emty-5x5-v0", "--space", "ppo.epochs=1:3"]) == 2
    assert "did you mean 'MiniGrid-Empty-5x5-v0'" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_sweep_of_a_baseline_has_its_presets_options(monkeypatch: pytest.MonkeyPatch) -> None:
    plans: list[Plan] = []
    monkeypatch.setattr(sweeping, "work", lambda plan, *_: plans.append(plan) or 0)
    words = ["--algo", "dqn", "--preset", "zoo-doorkey", "--space", "ppo.lr=log:1e-4:1e-2"]
    assert main(["sweep", "MiniGrid-Empty-5x5-v0", *words]) == 0
    assert plans[0].base.to_dict()["options"] == {"exploration_fraction": 0.5}
