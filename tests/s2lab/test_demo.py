"""The demonstration in small, and the README beside the records it shows."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from s2lab import readme
from s2lab.cli import main
from s2lab.demo import table
from s2lab.run_folder import RunFolder

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.slow
def test_the_demo_trains_compares_discovers_and_reports(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = tmp_path / "record.json"
    words = ["demo", "--steps", "2048", "--seeds", "0", "1", "--episodes", "4", "--quiet"]
    assert main([*words, "--runs", str(tmp_path), "--record", str(record)]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    report = Path(last.removeprefix("report: "))
    page = report.read_text()
    for part in ("lstm", "sb3-ppo", "sb3-ppo-default", "random", "SHD 0", "<svg"):
        assert part in page
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")
    runs = [RunFolder.open(p) for p in report.parent.iterdir() if (p / "summary.json").exists()]
    assert len(runs) == 7
    assert len({tuple(run.read_json("eval.json")["seeds"]) for run in runs}) == 1
    trained = [run for run in runs if run.summary["agent"] != "random"]
    assert all(list((run.path / "wandb").rglob("*.wandb")) for run in trained)
    kept = json.loads(record.read_text())
    assert kept["asia_shd"] == 0
    assert table(kept).count("\n| ") == 4  # agents; the heading has no line before it


def test_the_readme_shows_what_the_records_and_the_files_say() -> None:
    text = (ROOT / "README.md").read_text()
    assert text == readme.render(text, ROOT), "make readme"


def test_the_readme_s_five_line_test_passes(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text()
    (block,) = [b for b in text.split("```python\n")[1:] if "def test_" in b]
    (tmp_path / "test_mine.py").write_text(block.split("```")[0])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", str(tmp_path)],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert "1 passed" in done.stdout
