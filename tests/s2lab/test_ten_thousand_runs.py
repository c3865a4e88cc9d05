"""Ten thousand run folders: `watch` and `compare` take less than five seconds and a gibibyte.

The seconds are those of the processor, which a busy machine does not stretch as it does a clock's.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.slow
RUNS = 10_000
# Runs a command and says what it took. A process of its own, since Linux counts the memory that a
# process had when it forked as its child's.
METER = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime, used.ru_maxrss, file=sys.stderr)
sys.exit(code)
"""


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten environments, ten agents, a hundred seeds; one run is still at work."""
    root = tmp_path_factory.mktemp("many")
    rng = np.random.default_rng(0)
    summary = {"format": 1, "kind": "train", "steps": 9000, "elapsed_s": 1.0}
    means = {"episodes": 500, "mean_return": 0.1, "mean_length": 9.0}
    lines = "".join(json.dumps({"step": k, "time/fps": 10.0, "x": 0.5}) + "\n" for k in range(50))
    for k in range(RUNS):
        folder = root / f"run{k:05d}"
        folder.mkdir()
        place = {"env_id": f"E{k % 10}", "agent": f"a{k // 10 % 10}", "seed": k // 100}
        status = "running" if k == 5000 else "finished"
        evaluation = {**means, "success_rate": rng.random()}
        content = {**summary, **place, "status": status, "eval": evaluation}
        (folder / "summary.json").write_text(json.dumps(content))
        (folder / "config.yaml").write_text("steps: 9000\nppo:\n  lr: 0.001\n")
        (folder / "metrics.jsonl").write_text(lines)
    return root


def run(words: list[str], folder: Path) -> str:
    """What a command prints; it keeps to the limits."""
    command = [sys.executable, "-c", METER, sys.executable, "-P", "-m", "s2lab.cli", *words]
    done = subprocess.run(
        command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    cpu_s, kibibytes = map(float, done.stderr.splitlines()[-1].split())
    assert 0 < cpu_s < 5.0
    assert 0 < kibibytes < 2**20
    return done.stdout


def test_watch_counts_them_all_without_an_index_and_with_it(many: Path) -> None:
    for _ in range(2):
        lines = run(["watch", str(many), "--once", "--rows", "5"], many).splitlines()
        assert lines[0] == "10,000 runs: 1 running, 9,999 finished"
        assert lines[1].split()[:4] == ["E0", "a0", "s50", "running"]
        assert len(lines) == 6
        assert (many / ".index.json").exists()


def test_compare_puts_them_on_a_page(many: Path) -> None:
    page = many.parent / "page.html"
    out = run(["compare", str(many), "--by", "agent", "--html", str(page)], many)
    shown = set(re.findall(r"^(E\d) +(a\d) +100 ", out, re.MULTILINE))
    assert len(shown) == 100, "ten agents in ten environments, a hundred runs each"
    assert "The first 1,000 of 10,000 runs" in page.read_text()
