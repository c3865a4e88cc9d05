"""Configurations as words: said again, they make the same; wandb's own code reads them."""

import shlex
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

import s2lab.baselines
import s2lab.training
from s2lab.agents.encoders.config import EncoderConfig
from s2lab.cli import main
from s2lab.commands import training
from s2lab.config import BaselineConfig, TrainConfig, ppo_config, read_config
from s2lab.run_folder import RunFolder
from s2lab.sweep import Plan
from s2lab.sweep_results import best_command, to_wandb
from s2lab.sweep_space import parse_space
from s2lab.words import words_of

WORLD = "MiniGrid-DoorKey-5x5-v0"
OURS = TrainConfig(
    WORLD, agent="rims", core={"module_count": 4, "active_count": 2}, steps=777, log_every=99,
    ppo=ppo_config("zoo-doorkey", {"lr": "1.25e-05"}), eval_episodes=3, imports=("json",),
    encoder=EncoderConfig(feature_size=48),
)  # fmt: skip
THEIRS = BaselineConfig(
    WORLD, algo="dqn", network="default", backend="minigrid", steps=500,
    ppo=ppo_config("quick", {}), options={"buffer_size": 1234, "exploration_fraction": 0.5},
)  # fmt: skip


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Says words, but does no work; returns the configuration that was made of them."""

    def say(words: list[str]) -> Any:
        made: list[RunFolder] = []
        monkeypatch.setattr(training, "work_on", lambda runs, _: made.extend(runs) or 0)
        assert main([*words, "--runs", str(tmp_path / "said"), "--device", "cpu"]) == 0
        return read_config(made[0])

    return say


@pytest.mark.parametrize("config", [OURS, THEIRS, replace(OURS, core={}, agent="lstm")])
def test_words_said_again_make_the_same_configuration(config: Any, said: Any) -> None:
    words = words_of(config)
    assert said(words[: -1 if words[-1] == "--vary" else None]) == config


@pytest.mark.parametrize("config", [OURS, THEIRS])
def test_the_best_of_a_sweep_is_trained_again_by_the_words_of_its_report(
    config: Any, said: Any, tmp_path: Path
) -> None:
    create = {TrainConfig: s2lab.training.create_run, BaselineConfig: s2lab.baselines.create_run}
    run = create[type(config)](config, tmp_path / "a study's runs")
    preset = tmp_path / "a study's best.yaml"
    preset.write_text(yaml.safe_dump({"score": 1.0, **run.config}))
    plan = Plan(config, parse_space(config, {"ppo.lr": "log:1e-5:1e-2"}), 3)
    command = shlex.split(best_command(plan, run, preset))
    assert command[0] == "s2lab"
    assert command[-6:] == ["--seeds", "1", "2", "3", "4", "5"]
    assert said(command[1:]) == replace(config, seed=1)


@pytest.mark.parametrize("config", [OURS, THEIRS])
def test_w_and_bs_agent_says_a_trial_as_we_would(config: Any, said: Any) -> None:
    """The command is put together by wandb's own code, as `wandb agent` does."""
    from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args

    plan = Plan(config, parse_space(config, {"ppo.lr": "log:1e-5:1e-2", "ppo.epochs": "1:4"}), 3)
    form = yaml.safe_load(yaml.safe_dump(to_wandb(plan)))
    args = {"ppo.lr": {"value": 3e-05}, "ppo.epochs": {"value": 2}}
    chosen = create_sweep_command_args({"args": args})["args_no_hyphens"]
    command = [
        word
        for part in create_sweep_command(form["command"])
        for word in (chosen if part == "${args_no_hyphens}" else [part])
    ]
    assert command[0] == "s2lab"
    expected = replace(config, ppo=replace(config.ppo, lr=3e-05, epochs=2))
    assert said(command[1:]) == expected


@pytest.mark.skipif(not find_spec("optuna"), reason="optuna is not installed")
def test_w_and_b_reads_our_spaces_as_optuna_does() -> None:
    """wandb converts sweep configurations to Optuna's distributions itself."""
    import optuna
    from wandb.sdk.sweeps.scheduler.optuna import search_space_from_sweep_config

    words = {
        "ppo.lr": "log:1e-4:1e-2", "ppo.gamma": "0.9:1", "ppo.epochs": "1:8",
        "ppo.minibatches": "log:1:64", "core.hidden_size": "32,64", "agent": "lstm,rims",
    }  # fmt: skip
    plan = Plan(OURS, parse_space(OURS, words), 3)
    theirs = search_space_from_sweep_config(to_wandb(plan)["parameters"])
    trial = optuna.create_study().ask()
    for dimension in plan.space:
        dimension.suggest(trial)
    assert theirs == trial.distributions
