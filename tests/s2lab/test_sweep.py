"""Searches over settings: what may vary, going on after a kill, and what is left at the end."""

import json
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

import s2lab
from s2lab.cli import main
from s2lab.errors import UserError
from s2lab.report import write_report
from s2lab.reporting.sweep_page import Tried, sweep_sections
from s2lab.run_folder import RunFolder
from s2lab.settings import every_combination, setting_type, with_settings
from s2lab.sweep import Plan, open_study
from s2lab.sweep_results import read_preset
from s2lab.sweep_space import Dimension, parse_space

needs_optuna = pytest.mark.skipif(not find_spec("optuna"), reason="optuna is not installed")
TINY = s2lab.PPOConfig(num_envs=4, rollout_steps=16, minibatches=2)
BASE = s2lab.TrainConfig("test/Identity-v0", agent="none", steps=640, ppo=TINY)
WORLD = "MiniGrid-Empty-5x5-v0"
WORDS = [
    "sweep", WORLD, "--agent", "none", "--steps", "768", "--track", "off", "--eval-episodes", "4",
    "--ppo", "num_envs=4", "rollout_steps=16", "minibatches=2", "--parallel", "2", "--quiet",
    "--space", "ppo.lr=log:1e-4:1e-2", "ppo.epochs=1:3", "encoder.feature_size=8,16",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Away from the checkout, whose folder `s2lab` would be imported by `python -m`."""
    monkeypatch.chdir(tmp_path)


def test_settings_are_set_together_and_have_the_types_of_their_fields() -> None:
    chosen = {"ppo.num_envs": 6, "ppo.minibatches": 3, "core.hidden_size": 9, "steps": 7}
    made = with_settings(BASE, chosen)
    assert (made.ppo.num_envs, made.ppo.minibatches, made.steps) == (6, 3, 7)
    assert made.core == {"hidden_size": 9}
    assert made.ppo.rollout_steps == 16
    kinds = {name: setting_type(BASE, name) for name in ("ppo.lr", "steps", "agent", "core.x")}
    assert kinds == {"ppo.lr": float, "steps": int, "agent": str, "core.x": None}
    with pytest.raises(UserError, match=r"num_envs \(5\)"):
        with_settings(BASE, {"ppo.num_envs": 5})
    with pytest.raises(UserError, match=r"did you mean 'ppo\.lr'"):
        with_settings(BASE, {"ppo.rl": 1.0})


def test_commas_make_every_combination() -> None:
    words = {"agent": "none,lstm", "ppo.lr": "1e-3, 1e-4", "ppo.epochs": "2"}
    made = every_combination(BASE, words)
    assert [(c.agent, c.ppo.lr, c.ppo.epochs) for c in made] == [
        ("none", 1e-3, 2), ("none", 1e-4, 2), ("lstm", 1e-3, 2), ("lstm", 1e-4, 2),
    ]  # fmt: skip


def test_seeds_and_settings_fan_out_to_a_run_each(tmp_path: Path) -> None:
    words = ["train", WORLD, "--agent", "none", "--steps", "64", "--track", "off", "--quiet"]
    ppo = ["--ppo", "num_envs=4", "rollout_steps=16", "minibatches=2", "--eval-episodes", "0"]
    assert main([*words, *ppo, "--seeds", "0", "1", "--vary", "ppo.lr=1e-3,1e-4"]) == 0
    found = [RunFolder.open(path) for path in (tmp_path / "runs").iterdir()]
    assert sorted((run.config["seed"], run.config["ppo"]["lr"]) for run in found) == [
        (0, 1e-4), (0, 1e-3), (1, 1e-4), (1, 1e-3),
    ]  # fmt: skip
    assert all(run.summary["status"] == "finished" for run in found)


def test_ranges_and_choices_have_the_types_of_their_fields() -> None:
    words = {
        "ppo.lr": "log:1e-4:1e-2", "ppo.gamma": "0.9:1", "ppo.epochs": "1:8",
        "core.hidden_size": "32,64", "agent": "lstm,gru", "ppo.bootstrap_truncated": "true,false",
    }  # fmt: skip
    assert parse_space(BASE, words) == (
        Dimension("ppo.lr", low=1e-4, high=1e-2, log=True),
        Dimension("ppo.gamma", low=0.9, high=1.0),
        Dimension("ppo.epochs", low=1, high=8, whole=True),
        Dimension("core.hidden_size", choices=(32, 64)),
        Dimension("agent", choices=("lstm", "gru")),
        Dimension("ppo.bootstrap_truncated", choices=(True, False)),
    )


@pytest.mark.parametrize(
    ("space", "part"),
    [
        ([], "a sweep needs something to vary"),
        (["ppo.rl=0:1"], "did you mean 'ppo.lr'?"),
        (["ppo.lr=1:1"], "the range must rise"),
        (["ppo.lr=log:0:1"], "must begin above 0"),
        (["ppo.lr=fast:slow"], "'fast' must be a number"),
        (["ppo.epochs=1.5:3"], "'1.5' must be a whole number"),
        (["agent=lstm"], "2 to 100 different choices"),
        (["agent=lstm:gru"], "only numbers have ranges"),
        (["seed=1:5"], "unknown setting 'seed'"),
        (["ppo.lr"], "--space takes name=value words"),
    ],
)
def test_spaces_that_mean_nothing_are_refused(
    space: list[str], part: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sweep", WORLD, "--space", *space]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert part in line
    assert not list(tmp_path.iterdir())


def test_a_base_that_no_run_could_have_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["sweep", WORLD, "--agent", "none", "--skip", "--space", "ppo.lr=1e-4:1e-3"]
    assert main(words) == 2
    assert "'none' has none to go around" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--trials", "0"], "--trials must be between"),
        (["--seeds", "0", "1"], "one seed"),
        (["--eval-episodes", "0"], "--eval-episodes must be above 0"),
        (["--vary", "ppo.lr=1e-3,1e-4"], "a sweep has one base"),
    ],
)
def test_sweeps_that_cannot_be_are_refused(
    words: list[str], part: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sweep", WORLD, "--space", "ppo.epochs=1:3", *words]) == 2
    assert part in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@needs_optuna
@pytest.mark.slow
def test_a_sweep_leaves_runs_a_preset_a_page_and_w_and_bs_form(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*WORDS, "--study", "s", "--trials", "5", "--pruner", "none"]) == 0
    study = tmp_path / "s"
    runs = [RunFolder.open(path) for path in (study / "runs").iterdir()]
    assert len(runs) == 5
    scores = [run.summary["eval"]["success_rate"] for run in runs]
    best = yaml.safe_load((study / "best.yaml").read_text())
    assert best["score"] == max(scores)
    lrs = {run.config["ppo"]["lr"] for run in runs}
    assert len(lrs) == 5
    assert best["ppo"]["lr"] in lrs
    assert all(run.config["ppo"]["epochs"] in (1, 2, 3) for run in runs)
    page = (study / "report.html").read_text()
    for run in runs:
        assert run.run_id in page
    form = yaml.safe_load((study / "wandb.yaml").read_text())
    assert form["parameters"]["ppo.epochs"] == {"distribution": "int_uniform", "min": 1, "max": 3}
    capsys.readouterr()
    again = ["train", WORLD, "--agent", "none", "--preset", "s/best.yaml", "--steps", "64"]
    more = ["--eval-episodes", "0", "--track", "off", "--quiet", "--runs", "again"]
    assert main([*again, *more]) == 0
    (path,) = (tmp_path / "again").iterdir()
    assert RunFolder.open(path).config["ppo"] == best["ppo"]
    assert main([*WORDS, "--study", "s", "--trials", "5", "--pruner", "none"]) == 0
    assert len(list((study / "runs").iterdir())) == 5, "all trials are used up"


@needs_optuna
@pytest.mark.slow
def test_a_killed_sweep_goes_on_with_its_trials(tmp_path: Path) -> None:
    """kill -9 takes the trial's process along; said again, the same trial is finished."""
    words = [*WORDS, "--study", "s", "--trials", "2", "--pruner", "none"]
    words[words.index("768")] = "64000"
    command = [sys.executable, "-m", "s2lab.cli", *words]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    wait_for(lambda: sum(p.stat().st_size > 0 for p in logs(tmp_path)) == 2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = {path.parent.name: path.read_bytes() for path in logs(tmp_path)}
    time.sleep(1)
    for name, data in before.items():
        assert (tmp_path / "s/runs" / name / "metrics.jsonl").read_bytes() == data, "an orphan"
        text = (tmp_path / "s/runs" / name / "config.yaml").read_text()
        (tmp_path / "s/runs" / name / "config.yaml").write_text(text.replace("64000", "768"))
    assert main(words) == 0
    runs = [RunFolder.open(path) for path in tmp_path.glob("s/runs/*")]
    assert {run.run_id for run in runs} == set(before)
    assert all(run.summary["status"] == "finished" for run in runs)


def logs(folder: Path) -> list[Path]:
    return list(folder.glob("s/runs/*/metrics.jsonl"))


def wait_for(condition: Any, limit_s: float = 90) -> None:
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.1)


@needs_optuna
def test_another_search_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    space = parse_space(BASE, {"ppo.epochs": "1:3"})
    open_study(Plan(BASE, space, 3), tmp_path / "s")
    with pytest.raises(UserError, match="is a sweep with another space"):
        open_study(Plan(BASE, parse_space(BASE, {"ppo.epochs": "1:4"}), 3), tmp_path / "s")


@needs_optuna
def test_machines_share_a_study_and_draw_differently(tmp_path: Path) -> None:
    plan = Plan(BASE, parse_space(BASE, {"ppo.lr": "log:1e-4:1e-2"}), 9, sampler="random")
    drawn = []
    for _ in range(3):
        study = open_study(plan, tmp_path / "s")  # as another machine does
        trial = study.ask()
        drawn.append((trial.number, plan.space[0].suggest(trial)))
    assert [number for number, _ in drawn] == [0, 1, 2]
    assert len({value for _, value in drawn}) == 3
    assert all(1e-4 <= value <= 1e-2 for _, value in drawn)


@needs_optuna
def test_a_trial_below_the_others_is_given_up(tmp_path: Path) -> None:
    plan = Plan(BASE, parse_space(BASE, {"ppo.lr": "log:1e-4:1e-2"}), 9)
    study = open_study(plan, tmp_path / "s")
    for _ in range(4):
        trial = study.ask()
        plan.space[0].suggest(trial)
        trial.report(0.8, 320)
        study.tell(trial, 0.9)
    late = [study.ask() for _ in range(2)]
    for trial, value in zip(late, (0.1, 0.9), strict=True):
        plan.space[0].suggest(trial)
        trial.report(value, 320)
    assert [trial.should_prune() for trial in late] == [True, False]


def test_a_preset_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("- 1\n")
    with pytest.raises(UserError, match="is no preset"):
        read_preset(tmp_path / "p.yaml")
    with pytest.raises(UserError, match="cannot read the preset"):
        read_preset(tmp_path / "none.yaml")


EVIL = "<script>alert(1)</script>"


def test_the_page_shows_names_and_choices_as_text(tmp_path: Path) -> None:
    space = (Dimension("ppo.lr", low=1e-4, high=1e-2, log=True), Dimension("agent", (EVIL, "b")))
    tried = [
        Tried(0, "run-a", "complete", {"ppo.lr": 1e-3, "agent": EVIL}, 0.5),
        Tried(1, "run-b", "complete", {"ppo.lr": 1e-2, "agent": "b"}, 0.25),
        Tried(2, "run-c", "pruned", {"ppo.lr": 2e-3, "agent": "b"}, float("nan")),
    ]
    sections = sweep_sections(tried, space, {"ppo.lr": 0.8, "agent": 0.2}, "success_rate", EVIL)
    page = write_report(tmp_path / "p.html", title=EVIL, sections=sections).read_text()
    assert EVIL not in page
    assert "&lt;script&gt;alert(1)" in page
    assert page.count('class="series" points=') == 2 * 2, "a line a judged trial, wide and narrow"


def test_help_names_the_space(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", "--help"]) == 0
    assert "name=log:low:high" in capsys.readouterr().out


@needs_optuna
def test_a_missing_optuna_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert main(["sweep", WORLD, "--space", "ppo.epochs=1:3"]) == 2
    assert "pip install 's2lab[sweep]'" in capsys.readouterr().err


@needs_optuna
@pytest.mark.skipif(not find_spec("submitit"), reason="submitit is not installed")
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # jobs outlive us
def test_workers_of_a_cluster_share_the_trials(tmp_path: Path) -> None:
    launch = ["--launcher", "slurm", "--launch", "cluster=local", "--workers", "2"]
    assert main([*WORDS, "--study", "s", "--trials", "3", "--pruner", "none", *launch]) == 0
    wait_for(lambda: (tmp_path / "s" / "best.yaml").exists())
    wait_for(lambda: statuses(tmp_path / "s") == ["finished"] * 3)


def statuses(study: Path) -> list[str]:
    return [json.loads(path.read_text())["status"] for path in study.glob("runs/*/summary.json")]
