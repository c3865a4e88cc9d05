"""What reaches the heads: by the core alone, or past it as well."""

from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import torch

from s2lab.agents.actor_critic import ActorCritic
from s2lab.cli import main
from s2lab.config import TrainConfig, read_config
from s2lab.run_folder import RunFolder

SPACE = gym.spaces.Dict({"image": gym.spaces.Box(0, 10, (7, 7, 3), np.uint8)})


def agent(skip: bool, core: str = "gru") -> ActorCritic:
    torch.manual_seed(0)
    return ActorCritic(SPACE, gym.spaces.Discrete(5), core, {"hidden_size": 8}, skip=skip)


@pytest.mark.parametrize("skip", [False, True])
def test_past_a_core_that_passes_nothing_on_the_heads_see_only_with_skip(skip: bool) -> None:
    model = agent(skip)
    with torch.no_grad():
        for weight in model.core.parameters():
            weight.zero_()
    drawn = torch.Generator().manual_seed(0)
    image = torch.randint(0, 6, (3, 2, 7, 7, 3), dtype=torch.uint8, generator=drawn)
    reset = torch.zeros(3, 2, dtype=torch.bool)
    numbers, values, _ = model({"image": image}, model.initial_state(2), reset)
    told = [torch.unique(found.detach().flatten(0, 1), dim=0) for found in (numbers, values)]
    assert [len(distinct) for distinct in told] == ([6, 6] if skip else [1, 1])


def test_skip_is_for_agents_with_a_memory() -> None:
    with pytest.raises(ValueError, match="'none' has none to go around"):
        ActorCritic(SPACE, gym.spaces.Discrete(5), "none", skip=True)


def test_a_run_with_skip_is_played_and_begun_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = ["--steps", "64", "--eval-episodes", "0", "--track", "off", "--quiet"]
    few += ["--ppo", "num_envs=4", "rollout_steps=16", "minibatches=1", "--core", "hidden_size=8"]
    train = ["train", "MiniGrid-Empty-5x5-v0", *few]
    assert main([*train, "--skip", "--runs", str(tmp_path / "a")]) == 0
    (first,) = (tmp_path / "a").glob("*__*")
    assert main(["eval", str(first), "--episodes", "4"]) == 0
    again = [word for word in train if word not in ("--core", "hidden_size=8")]
    assert main([*again, "--from", str(first), "--runs", str(tmp_path / "b")]) == 0
    (second,) = (tmp_path / "b").glob("*__*")
    for path in (first, second):
        config = read_config(RunFolder.open(path))
        assert isinstance(config, TrainConfig)
        assert config.skip
    capsys.readouterr()
    assert main([*again, "--agent", "none", "--skip", "--runs", str(tmp_path / "c")]) == 2
    assert "'none' has none to go around" in capsys.readouterr().err
