"""What W&B holds after real runs: offline on disk, online on a server, and what outages cost."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

import s2lab
from s2lab import track_wandb
from s2lab.cli import main
from s2lab.resume import resume_run
from s2lab.run_folder import RunFolder
from s2lab.track import Tracker

TINY = s2lab.PPOConfig(num_envs=4, rollout_steps=16, minibatches=2)


@pytest.fixture(autouse=True)
def _silent_while_waiting(clean: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(track_wandb, "SAY_WAITING_S", 600.0)


def tracker(run: RunFolder, mode: str) -> Tracker:
    words: dict[str, Any] = {"group": "g", "job_type": "train", "tags": [], "total_steps": None}
    return Tracker(run, mode=mode, quiet=True, **words)  # type: ignore[arg-type]  # a Literal


def new_run(folder: Path) -> RunFolder:
    return RunFolder.create(folder, env_id="E", agent="a", seed=0, kind="train", config={"lr": 1})


@pytest.mark.slow
def test_an_offline_run_holds_all_that_the_run_folder_holds(
    tmp_path: Path, recordings: Any
) -> None:
    config = s2lab.TrainConfig(
        "test/Identity-v0", agent="none", steps=1920, ppo=TINY, log_every=64, save_every=640,
        eval_episodes=7,
    )  # fmt: skip
    run = RunFolder.open(s2lab.train(config, runs=tmp_path, track="offline", quiet=True).path)
    (found,) = recordings(run.path)
    assert {key: found.config[key] for key in run.config} == run.config
    for key in ("status", "steps", "eval"):
        assert found.summary[key] == run.summary[key]
    rows = {}
    for row in run.metrics():
        step, _ = row.pop("step"), row.pop("time")
        rows[step] = rows.get(step, {}) | row
    history = {row.pop("_step"): row for row in found.history}
    shown = history[1920].pop("eval/episodes")
    assert {step: {**row, "global_step": step} for step, row in rows.items()} == history

    judged = run.read_json("eval.json")
    table = found.table(shown)
    assert table["columns"] == ["seed", "success", "return", "length"]
    episodes = zip(*(judged[n] for n in ("seeds", "success", "return", "length")), strict=True)
    assert table["data"] == [list(row) for row in episodes]
    kept = {name: run.checkpoints / (run.checkpoints / name).read_text().strip()
            for name in ("latest", "best")}  # fmt: skip
    sent = {name.rpartition("-")[2]: files for name, files in found.artifacts().items()}
    assert sent.keys() >= {"latest"}
    for name in sent.keys() & kept.keys():
        own = {path.name: path.read_bytes() for path in kept[name].iterdir()}
        assert {path: copy.read_bytes() for path, copy in sent[name].items()} == own


@pytest.mark.slow
def test_sync_hands_a_resumed_runs_folders_over_together_and_the_server_has_every_step(
    tmp_path: Path, wandb_server: Any, recordings: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    run = new_run(tmp_path)
    for steps in ((10, 20, 30), (40, 50)):
        with tracker(run, "offline") as tracked:
            for step in steps:
                tracked.log(step, {"x": float(step)})
        time.sleep(1.1)  # folders are named to the second
    first, second = recordings(run.path)
    assert second.history[0]["_step"] > first.history[-1]["_step"]
    assert main(["sync", str(tmp_path)]) == 0
    (uid,) = wandb_server.history
    assert uid == run.environment["uid"]
    assert wandb_server.steps(uid) == [10, 20, 30, 40, 50]
    assert f"{run.path}: 2 folders on the server" in capfd.readouterr().out
    calls = wandb_server.calls
    assert main(["sync", str(run.path)]) == 0
    assert wandb_server.calls == calls, "what is there is not sent again"


def test_sync_without_a_key_or_without_records_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = new_run(tmp_path)
    for where, why in ((run.path, "nothing that W&B recorded"), (tmp_path / "no", "no folder at")):
        assert main(["sync", str(where)]) == 2
        assert why in capsys.readouterr().err
    (run.path / "wandb" / "offline-run-20260101_000000-abc").mkdir(parents=True)
    assert main(["sync", str(run.path)]) == 2
    assert "no W&B key for https://api.wandb.ai: run `wandb login`" in capsys.readouterr().err


FAKE = """
import sys, pathlib
pathlib.Path({log!r}).open("a").write("\\n".join(sys.argv[1:]) + "\\n--\\n")
for folder in map(pathlib.Path, sys.argv[2:]):
    if "bad" not in str(folder):
        (folder / "run-x.wandb.synced").touch()
"""


def test_sync_calls_wandb_once_with_every_folder_and_names_what_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log"
    (tmp_path / "fakes").mkdir()
    (tmp_path / "fakes" / "wandb.py").write_text(FAKE.format(log=str(log)))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "fakes"), prepend=":")
    monkeypatch.setenv("WANDB_API_KEY", "x" * 40)
    folders = [
        tmp_path / "runs" / run / "wandb" / f"offline-run-2026010{day}_000000-{run}"
        for run, days in (("bad", 1), ("good", 3))
        for day in range(1, days + 1)
    ]
    for folder in folders:
        folder.mkdir(parents=True)
    assert main(["sync", str(tmp_path / "runs"), "--json"]) == 1
    assert log.read_text().split() == ["sync", *map(str, folders), "--"]
    out, err = capfd.readouterr()
    assert f"not synced: {tmp_path / 'runs' / 'bad'}; `s2lab sync" in err
    assert str(tmp_path / "runs" / "good") in out


@pytest.mark.slow
def test_online_sends_every_line_as_it_comes(tmp_path: Path, wandb_server: Any) -> None:
    run = new_run(tmp_path)
    with tracker(run, "online") as tracked:
        for step in (1, 2, 3):
            tracked.log(step, {"x": 1.0})
    assert wandb_server.steps(run.environment["uid"]) == [1, 2, 3]
    assert "config.yaml" in wandb_server.files


@pytest.mark.slow
@pytest.mark.parametrize("mood", ["gone", "hung"])
def test_a_server_that_dies_in_the_middle_neither_stops_nor_slows_a_run(
    mood: str, tmp_path: Path, wandb_server: Any, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(track_wandb, "PATIENCE_S", {"online": 20.0})
    run = new_run(tmp_path)
    with tracker(run, "online") as tracked:
        tracked.log(1, {"x": 1.0})
        assert wandb_server.created.wait(60), "the run never reached the server"
        wandb_server.mood = mood
        for step in range(2, 5002):  # a line that waited for the server would wait for 20 s
            tracked.log(step, {"x": 1.0})
        assert tracked._wandb is not None
        assert tracked._wandb._child is not None, "nobody waited for W&B to end"
        monkeypatch.setattr(tracked._wandb, "_patience_s", 5.0)
        tracked.close({"status": "finished"})
    assert [row["step"] for row in run.metrics()] == list(range(1, 5002))
    assert run.summary["status"] == "finished"
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("W&B: ")
    assert line.endswith("the run goes on, metrics.jsonl has everything")


@pytest.mark.slow
def test_a_server_that_never_answers_costs_training_nothing(
    tmp_path: Path, wandb_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same run with and without it: the same lines, whatever the server does."""
    wandb_server.mood = "hung"
    monkeypatch.setattr(track_wandb, "PATIENCE_S", {"online": 6.0})
    config = s2lab.TrainConfig(
        "test/Identity-v0", agent="none", steps=640, ppo=TINY, log_every=64, eval_episodes=2
    )
    paths = [s2lab.train(config, runs=tmp_path, track=mode, quiet=True).path
             for mode in ("off", "online")]  # fmt: skip
    rows = [
        [{k: v for k, v in row.items() if not k.startswith("time")}
         for row in RunFolder.open(path).metrics()]
        for path in paths
    ]  # fmt: skip
    assert rows[0] == rows[1]


def test_a_resumed_run_that_was_told_everything_has_no_step_twice(
    tmp_path: Path, recordings: Any
) -> None:
    config = s2lab.TrainConfig(
        "test/Identity-v0", agent="none", steps=640, ppo=TINY, log_every=64, eval_episodes=2
    )
    path = s2lab.train(config, runs=tmp_path, track="offline", quiet=True).path
    run = RunFolder.open(path)
    run.write_summary({"status": "interrupted"})
    time.sleep(1.1)
    resume_run(path, track="offline", quiet=True)
    first, second = recordings(path)
    last = first.history[-1]["_step"]
    assert all(row["_step"] > last for row in second.history)


@pytest.mark.slow
def test_a_comparison_in_w_and_b_has_its_tables_and_a_line_per_agent(
    tmp_path: Path, recordings: Any, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    config = {"env": "test/Identity-v0", "steps": 640, "ppo": TINY, "log_every": 64}
    for agent in ("none", "lstm"):
        for seed in (0, 1):
            settings = s2lab.TrainConfig(**config, agent=agent, seed=seed, eval_episodes=3)  # type: ignore[arg-type]  # fields of many types
            s2lab.train(settings, runs=tmp_path / "runs", quiet=True)
    monkeypatch.chdir(tmp_path)
    assert main(["compare", "runs", "--wandb", "--json"]) == 0
    shown, said = capfd.readouterr()
    assert f"W&B: {tmp_path / 'wandb'}" in said
    comparison = json.loads(shown)
    (found,) = recordings(tmp_path)
    (about,) = found.pick("run")
    assert (about.project, about.job_type) == ("s2lab", "compare")
    assert about.run_group == "test/Identity-v0"
    assert sorted(found.config["labels"]) == ["lstm", "none"]
    assert found.summary["verdicts"] == comparison["verdicts"]
    (row,) = found.history
    runs = found.table(row["tables/runs"])
    assert len(runs["data"]) == 4
    agents = found.table(row["tables/agents"])
    places = [agents["columns"].index(name) for name in ("Agent", "Success", "Success low")]
    expected = {
        entry["label"]: [entry["success_rate"][part] for part in ("estimate", "low")]
        for entry in comparison["entries"]
    }
    assert {r[places[0]]: [r[places[1]], r[places[2]]] for r in agents["data"]} == expected
    chart = found.table(row["curves/test/Identity-v0/steps_table"])
    labels = [line[chart["columns"].index("lineKey")] for line in chart["data"]]
    assert set(labels) == {"lstm", "none"}
