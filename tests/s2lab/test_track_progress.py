"""The terminal shows how far a run is, and never more than it should."""

import io
import re
import sys

import pytest

from s2lab.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_without_a_terminal_a_line_comes_about_every_ten_seconds(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    bar = Progress(10_000, clock=clock)
    for second in range(32):
        clock.now = 100.0 + second
        bar.update(1000 + 100 * second, 0.25 if second == 1 else None)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3  # at 2, 12 and 22 seconds
    assert lines[1] == "2,200 of 10,000 steps, 100 steps/s, ETA 1:18, success 25%"
    bar.close()
    assert capsys.readouterr().err.startswith("4,100 of 10,000 steps")
    bar.close()
    assert capsys.readouterr().err == ""


def test_what_takes_less_than_two_seconds_says_nothing(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    bar = Progress(10, clock=clock)
    bar.update(0)
    clock.now += 1.9
    bar.update(10)
    bar.close()
    assert capsys.readouterr().err == ""


def test_without_an_end_there_is_no_eta(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    bar = Progress(None, clock=clock)
    bar.update(0)
    clock.now += 5
    bar.update(50)
    assert capsys.readouterr().err == "50 steps, 10 steps/s\n"


def test_quiet_prints_only_what_must_be_said(capsys: pytest.CaptureFixture[str]) -> None:
    bar = Progress(10, quiet=True)
    bar.update(5, 1.0)
    bar.say("one line [not markup]")
    bar.close()
    assert capsys.readouterr().err == "one line [not markup]\n"


def test_a_terminal_shows_a_live_bar_with_all_five_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "xterm")
    bar = Progress(1000)
    bar.update(100)
    bar.update(250, 0.5)
    bar.say("W&B: [gone]")
    bar.close()
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", screen.getvalue())
    assert "W&B: [gone]" in shown
    last = shown.rstrip().splitlines()[-1]
    assert re.search(r"250/1000 .*steps/s ETA .* success 50%", last)
