"""`s2lab imitate`: a run like any other, from demonstrations; and what PPO makes of it."""

import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from s2lab import breakdown, imitation
from s2lab.cli import main
from s2lab.config import ImitateConfig, read_config
from s2lab.envs import bot
from s2lab.envs.demonstrations import DemonstrationWriter
from s2lab.envs.registration import find_world
from s2lab.evaluate import Evaluation
from s2lab.imitation import VALIDATION_RUN
from s2lab.policy import load
from s2lab.run_folder import RunFolder
from s2lab.seeds import eval_seeds, world_seeds

WORLD = "BabyAI-GoToLocalS5N2-v0"
SMALL = ["--core", "hidden_size=16", "--encoder", "feature_size=16", "--track", "off", "--quiet"]


@pytest.fixture(scope="module")
def demos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demos")
    length = find_world(WORLD)[1].mission_length
    DemonstrationWriter(folder, WORLD, length, 0).add(bot.attempts(WORLD, range(60), length, 20.0))
    return folder


def words(demos: Path, runs: Path, *more: str) -> list[str]:
    learning = ["--cloning", "streams=4", "unroll=8", "--steps", "1600", "--validate-every", "400"]
    judged = ["--validation-episodes", "10", "--eval-episodes", "10", "--runs", str(runs)]
    return ["imitate", WORLD, "--demos", str(demos), *learning, *judged, *SMALL, *more]


def weights(run: Path) -> list[torch.Tensor]:
    policy: Any = load(run)
    return [weight.detach() for weight in policy.model.parameters()]


def only_run(folder: Path) -> Path:
    (run,) = folder.iterdir()
    return run


def test_a_run_is_a_whole_folder_and_ppo_begins_with_its_weights(
    demos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words(demos, tmp_path / "cloned", "--skip")) == 0
    run = RunFolder.open(only_run(tmp_path / "cloned"))
    config = read_config(run)
    assert isinstance(config, ImitateConfig)
    assert config.skip
    assert (run.summary["kind"], run.summary["status"]) == ("imitate", "finished")
    assert run.summary["eval"]["episodes"] == 10
    assert any("eval/validation_success_rate" in line for line in run.metrics())
    # One more step of PPO at a learning rate of nothing leaves the weights as they are.
    start = ["train", WORLD, "--from", str(run.path), "--steps", "64", "--eval-episodes", "0"]
    ppo = ["--ppo", "num_envs=4", "rollout_steps=16", "minibatches=1", "lr=1e-30"]
    assert main([*start, *ppo, "--track", "off", "--quiet", "--runs", str(tmp_path / "tuned")]) == 0
    tuned = only_run(tmp_path / "tuned")
    for one, other in zip(weights(run.path), weights(tuned), strict=True):
        assert torch.allclose(one, other, atol=1e-6)
    assert main(["eval", str(run.path), "--episodes", "20"]) == 0


@pytest.mark.slow
def test_a_stopped_run_goes_on_to_the_same_weights(
    demos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(words(demos, tmp_path / "whole")) == 0
    validate = imitation.validate

    def interrupt(learner: Any, config: ImitateConfig) -> float:
        if learner.step > 800:
            signal.raise_signal(signal.SIGINT)
        return validate(learner, config)

    with monkeypatch.context() as patch:
        patch.setattr(imitation, "validate", interrupt)
        assert main(words(demos, tmp_path / "halves")) == 130
    run = only_run(tmp_path / "halves")
    assert RunFolder.open(run).summary["status"] == "interrupted"
    assert main(["resume", str(run), "--track", "off", "--quiet"]) == 0
    for one, other in zip(weights(only_run(tmp_path / "whole")), weights(run), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        (["--demo-episodes", "1000"], "asked for; record more"),
        (["--cloning", "stream=1"], "did you mean 'streams'"),
        (["--agent", "lstn"], "did you mean 'lstm'"),
        (["--patience", "0"], "patience must be between 1"),
    ],
)
def test_bad_words_are_one_line_and_leave_no_run(
    demos: Path, tmp_path: Path, more: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words(demos, tmp_path / "runs", *more)) == 2
    assert complaint in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_demonstrations_of_another_world_are_refused(
    demos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = ["imitate", "BabyAI-GoToLocal-v0", "--demos", str(demos), "--runs", str(tmp_path)]
    assert main([*other, *SMALL]) == 2
    assert f"holds demonstrations of {WORLD}" in capsys.readouterr().err


def test_validation_shares_no_seed_with_evaluation() -> None:
    assert not set(world_seeds(VALIDATION_RUN, 5000)) & set(eval_seeds(5000))
    assert min(world_seeds(VALIDATION_RUN, 5000)) > 10**11  # far from the demonstrations'


@pytest.mark.parametrize(
    ("mission", "kinds"),
    [
        ("go to the red ball", ("one part", "go to")),
        ("pick up a box on your left", ("one part", "pick up", "a place")),
        ("put the key next to a door and open a door", ("and", "open", "put")),
        ("open a door, then go to a key and put a", ("then", "and", "go to", "put", "open")),
        ("get the red key from the blue room", ("get the ... ... from the ... room",)),
    ],
)
def test_kinds_of_missions(mission: str, kinds: tuple[str, ...]) -> None:
    assert set(breakdown.kinds_of(mission)) == set(kinds)


def test_success_is_counted_for_every_kind() -> None:
    missions = ["go to a key", "open a door", "go to a key and open a door", "go to a key"]
    success = np.array([True, False, True, False])
    zeros = np.zeros(4)
    result = Evaluation((0, 1, 2, 3), success, zeros, zeros.astype(np.int64))
    rates = {kind.name: (kind.success_rate, kind.episodes) for kind in
             breakdown.by_kind(result, missions)}  # fmt: skip
    assert rates == {
        "go to": (2 / 3, 3),
        "open": (0.5, 2),
        "one part": (1 / 3, 3),
        "and": (1.0, 1),
    }
    assert breakdown.by_kind(result, ["go to a key"] * 4) == []


def test_missions_are_those_of_the_seeds() -> None:
    from s2lab.envs import make_vec

    seeds = list(eval_seeds(7))
    worlds = make_vec(WORLD, 7, seed=seeds)
    worlds.reset()
    assert breakdown.missions_of(WORLD, seeds) == [worlds.mission_text(n) for n in range(7)]


def test_eval_plays_both_sides_of_a_shift(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = ["train", "BabyAI-GoToLocal-held_out_pairs-train-v0", "--steps", "64", *SMALL]
    ppo = ["--ppo", "num_envs=4", "rollout_steps=16", "minibatches=1", "--eval-episodes", "0"]
    assert main([*train, *ppo, "--runs", str(tmp_path)]) == 0
    run = only_run(tmp_path)
    assert main(["eval", str(run), "--episodes", "4", "--shift", "held_out_pairs"]) == 0
    found = RunFolder.open(run).read_json("eval-held_out_pairs.json")
    assert [len(found[split]["success"]) for split in ("train", "test")] == [4, 4]
    assert found["worlds"]["test"] == "BabyAI-GoToLocal-held_out_pairs-test-v0"
    capsys.readouterr()
    assert main(["eval", str(run), "--shift", "more_rooms"]) == 2
    assert "not defined for 'BabyAI-GoToLocal-v0'" in capsys.readouterr().err
    assert main(["list", "shifts"]) == 0
    assert "larger_rooms" in capsys.readouterr().out
