"""The command line as a user meets it, wrong words above all."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from s2lab.cli import main

HEAVY = {"torch", "wandb", "pgmpy", "stable_baselines3", "gymnasium", "minigrid", "pandas", "numba"}


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Run words that must be refused; the one line that says why."""
    capsys.readouterr()
    assert main(words) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    (line,) = shown.err.splitlines()
    return line


@pytest.mark.parametrize("words", [["--help"], ["train", "--help"], ["discover", "--help"]])
def test_help_loads_nothing_heavy(words: list[str]) -> None:
    code = (
        "import sys; from s2lab.cli import main; status = main(sys.argv[1:]);"
        f"print(sorted({HEAVY!r} & set(sys.modules)), status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[] 0"


def test_no_words_show_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    shown = capsys.readouterr().out
    for name in ("list", "train", "baseline", "resume", "eval", "compare", "discover", "doctor"):
        assert f" {name} " in shown


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ("trian", ["trian", "available subcommands", "train"]),
        ("train test/Identity-v0 --stps 5", ["--stps", "did you mean --steps?"]),
        ("train test/Identity-v0 --steps many", ["--steps", "many"]),
        ("train test/Identity-v0 --steps -5", ["steps", "-5", "between 1 and"]),
        ("train test/Identity-v0 --steps 0", ["steps", "0", "between 1 and"]),
        ("train test/Identity-v0 --steps 99999999999999", ["steps", "99999999999999"]),
        ("train test/Identity-v0 --eval-episodes -1", ["eval_episodes", "-1"]),
        ("train test/Identity-v0 --seeds -1", ["seed", "-1"]),
        ("train test/Identity-v0 --seeds 1 1", ["--seeds", "(1, 1)"]),
        ("train test/Identity-v0 --parallel 0", ["--parallel", "0"]),
        ("train test/Identity-v0 --device gpu", ["device", "gpu", "auto, cpu or cuda"]),
        ("train test/Idetity-v0", ["environment", "did you mean 'test/Identity-v0'?", "list envs"]),
        ("train test/Identity-v0 --agent lsmt", ["agent", "did you mean 'lstm'?", "list agents"]),
        ("train test/Identity-v0 --preset quik", ["preset", "did you mean 'quick'?"]),
        ("train test/Identity-v0 --ppo lr", ["--ppo", "name=value", "lr"]),
        ("train test/Identity-v0 --ppo gama=1", ["gama", "did you mean 'gamma'?"]),
        ("train test/Identity-v0 --ppo lr=fast", ["lr", "a number", "fast"]),
        ("train test/Identity-v0 --ppo lr=-1", ["lr", "above 0", "-1"]),
        ("train test/Identity-v0 --ppo num_envs=5", ["num_envs (5)", "multiple"]),
        ("train test/Identity-v0 --core hiden_size=5", ["hiden_size", "hidden_size"]),
        ("train test/Identity-v0 --core hidden_size=-5", ["hidden_size", "-5"]),
        ("train test/Identity-v0 --import no_such_package", ["no_such_package"]),
        ("baseline test/Identity-v0 --algo pop", ["algorithm", "did you mean 'ppo'?"]),
        ("resume no/such/run", ["no/such/run"]),
        ("eval no/such/run", ["no/such/run"]),
        ("discover no.csv", ["no.csv"]),
        ("discover no.csv --method exect", ["exect", "exact"]),
    ],
)
def test_bad_words_are_refused_in_one_line_that_names_them(
    words: str, parts: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = ["--runs", str(tmp_path)] if words.startswith(("train", "baseline")) else []
    line = refused(capsys, *words.split(), *runs)
    for part in parts:
        assert part in line
    assert not list(tmp_path.iterdir())


def test_an_output_folder_that_is_a_file_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "runs").write_text("a file")
    line = refused(capsys, "train", "test/Identity-v0", "--runs", str(tmp_path / "runs"))
    assert str(tmp_path / "runs") in line
    assert (tmp_path / "runs").read_text() == "a file"


def test_list_prints_names_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "agents"]) == 0
    assert "lstm" in capsys.readouterr().out
    assert main(["list", "agents", "--json"]) == 0
    assert "lstm" in json.loads(capsys.readouterr().out)


def test_a_reader_that_leaves_is_no_error() -> None:
    command = f"{sys.executable} -m s2lab.cli list envs | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, env=os.environ, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_doctor_finds_this_installation_healthy(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["doctor", "--json"]) == 0
    findings = json.loads(capsys.readouterr().out)
    assert {"worlds", "agents", "discovery"} <= {finding["name"] for finding in findings}
