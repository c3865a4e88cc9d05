"""`s2lab train-icf` as a run like any other, and what is made of its features."""

import csv
import json
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from s2lab import icf
from s2lab.agents.encoders.icf_grid import ControllableGrid
from s2lab.cli import main
from s2lab.discover import discover
from s2lab.envs.grid_factors import GridFactors
from s2lab.icf_settings import read_icf_run
from s2lab.policy import load
from s2lab.run_folder import RunFolder

QUIET = ["--track", "off", "--quiet"]
ENV = "s2lab/DoorKeyFactors-8x8-v0"


def learned(runs: Path, world: str, *settings: str) -> Path:
    words = ["train-icf", world, "--runs", str(runs), *QUIET]
    assert main([*words, "--set", *settings] if settings else words) == 0
    (run,) = runs.iterdir()
    return run


@pytest.fixture(scope="module")
def square(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return learned(tmp_path_factory.mktemp("square"), "square", "updates=300")


@pytest.fixture(scope="module")
def doorkey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    few = ("updates=3", "batch=8", "hidden=16", "filters=4", "features=5")
    return learned(tmp_path_factory.mktemp("doorkey"), "doorkey-8x8", *few)


def test_a_run_is_a_whole_folder_with_scores_and_heat_maps(square: Path) -> None:
    run = RunFolder.open(square)
    assert (run.summary["kind"], run.summary["status"], run.summary["steps"]) == (
        "icf",
        "finished",
        300,
    )
    assert read_icf_run(run).icf.updates == 300
    assert run.summary["features"] == run.read_json("features.json")
    assert run.summary["features"]["found"] == 4
    assert (square / icf.PICTURE).read_bytes().startswith(b"\x89PNG")
    assert {"train/objective", "train/reconstruction"} <= set(run.metrics()[-1])


def test_a_stopped_run_goes_on_to_the_same_features(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["--set", "updates=60", "objective=continuous", "features=2", *QUIET]
    assert main(["train-icf", "square", "--runs", str(tmp_path / "whole"), *words]) == 0
    calls: list[int] = []
    from s2lab.agents.encoders.icf_learner import ICFLearner

    plain = ICFLearner.update

    def stopping(self: ICFLearner) -> dict[str, torch.Tensor]:
        calls.append(1)
        if len(calls) == 25:
            signal.raise_signal(signal.SIGINT)
        return plain(self)

    with monkeypatch.context() as patch:
        patch.setattr(ICFLearner, "update", stopping)
        assert main(["train-icf", "square", "--runs", str(tmp_path / "stopped"), *words]) == 130
    (stopped,) = (tmp_path / "stopped").iterdir()
    assert RunFolder.open(stopped).summary["status"] == "interrupted"
    assert main(["resume", str(stopped), *QUIET]) == 0
    (whole,) = (tmp_path / "whole").iterdir()
    ours, theirs = icf.load_icf(stopped).model, icf.load_icf(whole).model
    for left, right in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(left, right)


def test_effects_and_causes_are_said_drawn_and_scored(
    square: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["predict-effect", str(square), "--state", "x0=3", "y0=7", "--trials", "40", "--json"]
    assert main([*words, "--actions", "right0", "up0"]) == 0
    effect = json.loads(capsys.readouterr().out)
    assert effect["state"] == {"x0": 3, "y0": 7}
    assert effect["accuracy"]["right"] > 0.95
    assert np.allclose(effect["true_features"], effect["predicted_features"], atol=0.15)
    assert (square / "effect.png").exists()
    words = ["recover-cause", str(square), "--state", "x0=3", "y0=7", "--trials", "8", "--json"]
    assert main([*words, "--target", "x0=5", "y0=6"]) == 0
    cause = json.loads(capsys.readouterr().out)
    assert sorted(cause["recovered"]) == ["right0", "right0", "up0"], "the only shortest ways"
    assert cause["reaches"]
    assert (square / "cause.png").exists()


def test_the_table_of_named_variables_is_read_by_discover(
    square: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "table.csv"
    words = ["name-variables", str(square), "--out", str(out), "--steps", "400", "--bins", "4"]
    assert main(words) == 0
    rows = list(csv.DictReader(out.read_text().splitlines()))
    names = {"down0", "up0", "right0", "left0"}
    assert set(rows[0]) == {*names, "intervention_targets"}
    assert len(rows) == 400
    moved = [i for i in range(1, 400) if rows[i]["intervention_targets"] == "right0" and i % 50]
    assert moved
    assert all(int(rows[i]["right0"]) >= int(rows[i - 1]["right0"]) for i in moved)
    found = discover(out).recovered
    pairs = {frozenset(edge) for edge in found.edges}
    assert frozenset({"down0", "up0"}) in pairs, "two readings of one coordinate"


def test_an_agent_reads_frozen_features_and_may_tune_them(doorkey: Path, tmp_path: Path) -> None:
    """The features of the run, of what the environment shows; training leaves them or not."""
    learner, world = icf.load_icf(doorkey), GridFactors(ENV)
    states = world.sample(np.random.default_rng(0), 10)
    wanted = learner.codes(states)[0]
    shown = torch.from_numpy(world.symbols(states))
    for frozen in ("true", "false"):
        words = ["train", ENV, "--agent", "none", "--steps", "1500", "--eval-episodes", "0"]
        chosen = ["--encoder", f"icf_run={doorkey}", f"icf_frozen={frozen}", *QUIET]
        runs = tmp_path / frozen
        assert main([*words, *chosen, "--runs", str(runs)]) == 0
        (run,) = runs.iterdir()
        policy: Any = load(run)
        (reader,) = (
            part for part in policy.model.encoder.modules() if isinstance(part, ControllableGrid)
        )
        read = reader(shown).detach().numpy()
        assert np.allclose(read, wanted, atol=1e-6) == (frozen == "true")


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["train-icf", "squar"], ["unknown world", "did you mean 'square'?"]),
        (["train-icf", "square", "--set", "featurs=3"], ["icf setting", "'features'"]),
        (["train-icf", "square", "--set", "features=0"], ["features", "above 0"]),
        (["train-icf", "square", "--device", "gpu"], ["device", "auto, cpu or cuda"]),
        (["predict-effect", "{square}", "--actions", "riht0"], ["did you mean 'right0'?"]),
        (["predict-effect", "{square}", "--state", "x0=11"], ["x0", "0 to 10"]),
        (["name-variables", "{square}", "--out", "t.csv", "--bins", "1"], ["--bins", "between 2"]),
        (["eval", "{square}"], ["holds no policy"]),
        (["train", "s2lab/Square-v0", "--encoder", "grid=icf"], ["icf_run=RUN"]),
        (["train", "MiniGrid-Empty-5x5-v0", "--encoder", "icf_run={doorkey}"], ["multiples of 4"]),
    ],
)
def test_wrong_words_are_refused_in_one_line(
    words: list[str],
    parts: list[str],
    square: Path,
    doorkey: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    capsys.readouterr()
    said = [word.format(square=square, doorkey=doorkey) for word in words]
    assert main(said) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert all(part in line for part in parts), line


def test_the_table_fills_in_sittings_and_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A result is read where its settings are the same, measured where they are not."""
    from s2lab.icf_settings import icf_config
    from s2lab.reproduce import icf as reproduction

    monkeypatch.chdir(tmp_path)
    small: dict[str, Any] = {"updates": 4, "batch": 32, "sampled_actions": 1}
    listed = {
        "directed": ("square", icf_config("square", small)),
        "continuous": ("square", icf_config("square", {**small, "objective": "continuous"})),
        "two squares": ("two-squares", icf_config("two-squares", small)),
    }
    monkeypatch.setattr(reproduction, "contestants", lambda: listed)
    monkeypatch.setattr("s2lab.icf_scores.JUDGED", 200)
    jobs = [(str(tmp_path), label, seed, False) for label in listed for seed in (0, 1)]
    first = [reproduction.run_one(job) for job in jobs if job[2] == 0 or job[1] == "directed"]
    assert [reproduction.known_result(job) for job in jobs if job[2] == 0] == [
        row for row in first if row["seed"] == 0
    ]
    reproduction.collect(jobs, "icf", [0, 1])
    record = json.loads((tmp_path / "runs/records/icf.json").read_text())
    text = reproduction.table(record)
    assert "| directed | " in text
    assert "| two squares (1/2 seeds) |" in text
    assert "told apart" in text
    assert (tmp_path / "runs/records/icf.svg").exists()
    listed["directed"] = ("square", icf_config("square", {**small, "lr": 0.1}))
    assert reproduction.known_result(jobs[0]) is None


def test_frames_to_the_goal_are_read_from_the_metrics(tmp_path: Path) -> None:
    from s2lab.reproduce import icf_doorkey

    folder = RunFolder.create(
        tmp_path, env_id="x", agent="none", seed=0, kind="train", config={"env": "x"}
    )
    lines = [{"step": 10, "rollout/success_rate": 0.5}, {"step": 20}, {"step": 30}]
    lines[2]["rollout/success_rate"] = 0.9
    folder.metrics_path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert icf_doorkey.frames_to_goal(folder) == 30
    folder.metrics_path.write_text(json.dumps(lines[0]) + "\n")
    assert icf_doorkey.frames_to_goal(folder) is None
    rows = [
        {"label": "a", "seeds": [0, 1], "frames": [30, 50], "training_success": [0.9, 1.0]},
        {"label": "b", "seeds": [0], "frames": [None], "training_success": [0.1]},
    ]
    text = icf_doorkey.render([{**row, "training_s": [60] * 2} for row in rows], 2)
    assert "| a | 2/2 | 40 |" in text
    assert "| b (1/2 seeds) | 0/1 | not within the budget |" in text
