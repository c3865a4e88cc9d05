"""What the parent of several runs reads, and comparisons as commands."""

import json
from pathlib import Path

import pytest

import s2lab
from s2lab.cli import main
from s2lab.commands.training import report_outcomes
from s2lab.launch import last_metrics, note_end
from s2lab.run_folder import RunFolder
from s2lab.session import Outcome
from s2lab.training import create_run

TINY = s2lab.PPOConfig(num_envs=4, rollout_steps=16, minibatches=2)


def test_the_last_whole_line_with_a_rate_is_read(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    assert last_metrics(path) == (0, 0.0, None)
    rows = [{"step": i, "time/fps": 10.0 * i, "rollout/success_rate": 0.5} for i in range(500)]
    rows.append({"step": 500, "eval/success_rate": 1.0})
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_text(text + '{"step": 501, "time/f')
    assert last_metrics(path) == (499, 4990.0, 0.5)


@pytest.mark.parametrize(
    ("code", "status", "part"),
    [
        (-9, "failed", "go on from its last checkpoint with s2lab resume"),
        (130, "interrupted", "interrupted at step 0. Go on with"),
    ],
)
def test_a_child_that_had_no_last_word_is_spoken_for(
    code: int, status: str, part: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Killed by the system, or stopped before it had begun."""
    run = create_run(s2lab.TrainConfig("test/Identity-v0", agent="none", ppo=TINY), tmp_path)
    note_end(run, code)
    assert run.summary["status"] == status
    assert report_outcomes([Outcome(run.path, status, 0)], quiet=False) in (1, 130)
    assert part in capsys.readouterr().err
    run.write_summary({"status": "finished"})
    note_end(run, code)
    assert run.summary["status"] == "finished"


@pytest.mark.parametrize("moment", ["s2lab.resume.read_config", "s2lab.evaluate.evaluate_run"])
def test_ctrl_c_before_and_after_training_can_be_gone_on_from(
    moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    words = ["train", "test/Identity-v0", "--agent", "none", "--steps", "256", "--track", "off"]
    words += ["--ppo", "num_envs=4", "rollout_steps=16", "minibatches=2", "--eval-episodes", "4"]
    with monkeypatch.context() as patch:
        patch.setattr(moment, interrupt)
        assert main([*words, "--runs", str(tmp_path)]) == 130
    (path,) = tmp_path.iterdir()
    assert f"s2lab resume {path}" in capsys.readouterr().err
    assert RunFolder.open(path).summary["status"] == "interrupted"
    assert RunFolder.open(path).summary["steps"] == (0 if "resume" in moment else 256)
    assert main(["resume", str(path), "--track", "off"]) == 0
    found = RunFolder.open(path).summary
    assert (found["status"], found["steps"], found["eval"]["episodes"]) == ("finished", 256, 4)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for agent in ("none", "lstm"):
        config = s2lab.TrainConfig(
            "test/Identity-v0", agent=agent, steps=256, ppo=TINY, log_every=64, eval_episodes=4
        )
        s2lab.train(config, runs=tmp_path / "runs", quiet=True)
    return tmp_path / "runs"


def test_compare_prints_and_writes_what_it_was_asked_for(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page, tables = runs.parent / "page.html", runs.parent / "tables"
    words = ["compare", str(runs), "--html", str(page), "--tables", str(tables)]
    assert main(words) == 0
    shown = capsys.readouterr()
    assert "lstm" in shown.out
    assert str(page) in shown.err
    assert page.read_text().startswith("<!doctype html>")
    assert {path.suffix for path in tables.iterdir()} == {".csv", ".tex", ".md"}
    assert main(["compare", str(runs / "*"), "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)["labels"]) == {"lstm", "none"}


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ([], ["name run folders or a glob"]),
        (["nothing*"], ["nothing*"]),
        (["{runs}", "--by", "agnet"], ["agnet"]),
        (["{runs}", "--against", "lsmt"], ["lsmt", "lstm"]),
        (["{runs}", "--html", "{runs}"], ["{runs}", "folder"]),
    ],
)
def test_compare_refuses_in_one_line(
    words: list[str], parts: list[str], runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", *(word.format(runs=runs) for word in words)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    for part in parts:
        assert part.format(runs=runs) in line
