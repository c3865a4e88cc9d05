"""What `s2lab watch` shows of a folder of runs, and the index that it reads by."""

import io
import json
import os
import stat
import time
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from s2lab import run_index, watch
from s2lab.cli import main
from s2lab.errors import UserError
from s2lab.run_folder import RunFolder
from s2lab.run_index import NAME, list_runs
from s2lab.watch import look, sparkline
from s2lab.watch_screen import follow, grid, words

EVIL = "ppo[bold]<script>\x1b[31m"


def make_run(root: Path, seed: int, status: str = "running", lines: int = 0) -> RunFolder:
    config = {"steps": 10_000, "agent": "lstm"}
    run = RunFolder.create(
        root, env_id="E-v0", agent="lstm", seed=seed, kind="train", config=config
    )
    with run.metrics_path.open("w") as file:
        for k in range(1, lines + 1):
            row: dict[str, Any] = {"step": 100 * k, "time/fps": 50.0, "time/memory_mib": 300.0}
            row["rollout/success_rate"] = k / lines if k % 2 else None
            file.write(json.dumps(row) + "\n")
    run.write_summary({"status": status, "steps": 0})
    return run


def test_a_running_run_shows_how_far_how_fast_and_how_well(tmp_path: Path) -> None:
    run = make_run(tmp_path, 3, lines=10)
    with run.metrics_path.open("a") as file:
        file.write('{"step": 99999, "time/f')  # cut by a crash
    (found,) = look(tmp_path, 5).shown
    assert (found.step, found.total, found.steps_per_s) == (1000, 10_000, 50.0)
    assert found.eta_s == 9000 / 50
    assert found.memory_mib == 300.0
    assert found.success == (0.1, 0.3, 0.5, 0.7, 0.9)
    assert words(found) == [
        "E-v0 lstm s3", "running", "1,000/10,000  10%", "3:00", "50/s", "300 MiB", "▂▃▅▆▇ 90%",
    ]  # fmt: skip


def test_bars_rise_with_the_rate() -> None:
    assert sparkline((0.0, 0.5, 1.0)) == "▁▅█"
    assert sparkline((-1.0, 2.0)) == "▁█"


def test_running_runs_come_first_and_all_are_counted(tmp_path: Path) -> None:
    for seed, status in enumerate(("finished", "failed", "running", "finished", "interrupted")):
        make_run(tmp_path, seed, status)
    view = look(tmp_path, 2)
    assert view.headline == "5 runs: 1 running, 1 failed, 1 interrupted, 2 finished"
    assert [run.status for run in view.shown] == ["running", "failed"]


def test_a_run_that_stopped_writing_is_called_silent(tmp_path: Path) -> None:
    run = make_run(tmp_path, 0, lines=3)
    long_ago = time.time() - watch.SILENT_AFTER_S - 60
    for path in (run.metrics_path, run.path / "summary.json"):
        os.utime(path, (long_ago, long_ago))
    (found,) = look(tmp_path, 5).shown
    assert found.status == "silent"
    assert found.eta_s != found.eta_s, "nobody knows when it ends"


def test_damaged_runs_are_shown_as_such(tmp_path: Path) -> None:
    make_run(tmp_path, 0)
    for seed, text in ((1, "{"), (2, "[]")):
        (make_run(tmp_path, seed).path / "summary.json").write_text(text)
    view = look(tmp_path, 5)
    assert view.counts == {"running": 1, "damaged": 2}


def test_names_from_disk_reach_the_terminal_as_text(tmp_path: Path) -> None:
    make_run(tmp_path, 0).write_summary({"agent": EVIL})
    screen = Console(file=io.StringIO(), force_terminal=True, width=200, color_system=None)
    screen.print(grid(look(tmp_path, 5)))
    shown = screen.file.getvalue()  # type: ignore[attr-defined]  # it is a StringIO
    assert "ppo[bold]<script>" in shown
    assert "\x1b[31m" not in shown


def test_without_a_terminal_lines_follow_until_nothing_runs(tmp_path: Path) -> None:
    run = make_run(tmp_path, 0, lines=4)
    out = io.StringIO()

    def sleep(_: float) -> None:
        run.write_summary({"status": "finished"})

    follow(
        lambda rows: look(tmp_path, rows), rows=None, every_s=1, once=False,
        console=Console(file=out), sleep=sleep,
    )  # fmt: skip
    lines = out.getvalue().splitlines()
    assert lines[0] == "1 run: 1 running"
    assert lines[1].split() == [
        "E-v0", "lstm", "s0", "running", "400/10,000", "4%", "3:12", "50/s", "300", "MiB", "▃▆",
        "75%",
    ]  # fmt: skip
    assert lines[2] == "1 run: 1 finished"


def test_ctrl_c_ends_a_dashboard_and_leaves_its_last_view_on_the_terminal(tmp_path: Path) -> None:
    run = make_run(tmp_path, 0, lines=4)
    limits = []
    screen = Console(
        file=io.StringIO(), force_terminal=True, width=100, height=30, color_system=None
    )

    def look_again(rows: int) -> watch.View:
        limits.append(rows)
        return look(tmp_path, rows)

    def sleep(_: float) -> None:
        if len(limits) == 2:
            raise KeyboardInterrupt
        run.write_summary({"status": "finished"})
        screen.height = 12  # the window was made smaller

    follow(look_again, rows=None, every_s=1, once=False, console=screen, sleep=sleep)
    assert limits == [24, 6]
    left = screen.file.getvalue().rpartition("\x1b[?1049l")[2]  # type: ignore[attr-defined]
    assert "1 run: 1 finished" in left, "after the alternate screen was closed"


def test_a_single_run_can_be_watched(tmp_path: Path) -> None:
    run = make_run(tmp_path, 3, lines=4)
    view = look(run.path, 5)
    assert view.headline == "1 run: 1 running"
    assert view.shown[0].seed == "3"


def test_the_command_shows_a_folder_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run(tmp_path / "runs", 0, "finished")
    assert main(["watch", str(tmp_path / "runs"), "--once"]) == 0
    assert capsys.readouterr().out.startswith("1 run: 1 finished\n")


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["no/such"], "cannot watch no/such"),
        (["{empty}"], "holds no run yet"),
        (["{empty}", "--rows", "0"], "--rows must be at least 1"),
        (["{empty}", "--every", "0"], "--every must be between"),
    ],
)
def test_bad_words_are_refused(
    words: list[str], part: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["watch", *(word.format(empty=tmp_path) for word in words)]) == 2
    assert part in capsys.readouterr().err


@pytest.fixture
def indexed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(run_index, "WORTH_WRITING", 1)
    for seed in range(3):
        make_run(tmp_path, seed, "finished")
    assert len(list_runs(tmp_path)) == 3
    return tmp_path


def statuses(root: Path) -> list[str]:
    return [run.summary.get("status", "damaged") for run in list_runs(root)]


def test_the_index_spares_opening_what_has_not_changed(
    indexed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []
    real = run_index._summary
    monkeypatch.setattr(run_index, "_summary", lambda path: opened.append(path) or real(path))
    assert statuses(indexed) == ["finished"] * 3
    assert opened == []
    first = list_runs(indexed)[0].path
    RunFolder.open(first).write_summary({"status": "failed"})
    assert sorted(statuses(indexed)) == ["failed", "finished", "finished"]
    assert opened == [first / "summary.json"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 99}', '{"format": 1, "runs": [1]}'])
def test_a_damaged_index_is_built_again(text: str, indexed: Path) -> None:
    whole = json.loads((indexed / NAME).read_text())
    (indexed / NAME).write_text(text)
    assert statuses(indexed) == ["finished"] * 3
    assert json.loads((indexed / NAME).read_text()) == whole


def test_runs_that_went_leave_the_index(indexed: Path) -> None:
    import shutil

    shutil.rmtree(list_runs(indexed)[0].path)
    assert len(statuses(indexed)) == 2
    assert len(json.loads((indexed / NAME).read_text())["runs"]) == 2


def test_a_folder_that_cannot_be_written_is_watched_without_an_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_index, "WORTH_WRITING", 1)
    make_run(tmp_path, 0, "finished")

    def refuse(path: Path, data: bytes) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("s2lab.durable.replace", refuse)
    assert statuses(tmp_path) == ["finished"]
    assert not (tmp_path / NAME).exists()


def test_the_index_is_no_run_and_has_no_lock(indexed: Path) -> None:
    assert {path.name for path in indexed.iterdir() if path.is_file()} == {NAME}
    assert stat.S_ISREG((indexed / NAME).stat().st_mode)


def test_a_look_needs_a_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot watch"):
        look(tmp_path / "none", 5)
