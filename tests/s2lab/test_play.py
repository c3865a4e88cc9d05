"""Walking a world by hand, against minigrid under the same actions; a real terminal and window."""

import os
import subprocess
import sys

import gymnasium
import minigrid  # noqa: F401  # registers the reference environments
import pytest

from s2lab.cli import main
from s2lab.keyboard import terminal_keys, window_keys
from s2lab.play import HELP, Game, new_game, play_keys

WORLD = "MiniGrid-DoorKey-5x5-v0"
CORNER = "MiniGrid-Empty-5x5-v0"
TO_THE_CORNER = ["up", "up", "right", "w", "w"]


def pressed(keys: str) -> list[str]:
    characters = iter([*keys, ""])
    return list(terminal_keys(lambda: next(characters)))


def test_characters_of_a_terminal_become_keys() -> None:
    assert pressed("aD \r\x7f\t") == ["a", "d", "space", "return", "backspace", "tab"]
    assert pressed("\x1b[A\x1b[D\x1bOC\x1b[Hq") == ["up", "left", "right", "unknown", "q"]
    assert pressed("\x1bxq") == ["escape"]


def test_the_screen_shows_minigrids_world_under_the_same_actions() -> None:
    peer = gymnasium.make(WORLD).unwrapped
    peer.reset(seed=9)
    game = new_game(WORLD, 9, window=False)
    keys = ["d", "up", "p", "left", "w", "space", "x", "right", "return"]
    for key, action in zip(keys, [1, 2, 3, 0, 2, 5, 4, 1, 6], strict=True):
        mission, letters, _ = game.screen().split("\n\n")
        assert mission == peer.mission  # type: ignore[attr-defined]
        assert letters == peer.pprint_grid()  # type: ignore[attr-defined]
        game.press(key)
        peer.step(action)
    assert game.steps == len(keys)


def test_an_episode_is_solved_and_the_next_one_begun() -> None:
    game = new_game(CORNER, 0, window=False)
    screens = list(play_keys(game, [*TO_THE_CORNER, "up", "h", "q", "up"]))
    assert len(screens) == 8, "a screen before, one after each key, none after leaving"
    assert "solved" in screens[5]
    assert "reward 0.955" in screens[5]  # 1 - 0.9 * 5 / 100
    assert "step 0  reward 0.000" in screens[6]
    assert HELP in screens[7]


def test_a_key_for_an_action_that_the_world_lacks_explains_the_keys() -> None:
    game = new_game("MiniGrid-Dynamic-Obstacles-5x5-v0", 0, window=False)
    game.press("p")
    assert (game.said, game.steps) == (HELP, 0)


def test_wrong_words_are_refused_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    for words, part in {
        ("MiniGrid-Emty-5x5-v0", "--ascii"): "did you mean 'MiniGrid-Empty-5x5-v0'",
        (CORNER, "--ascii", "--seed", "-1"): "seed is -1; give one from 0",
        (CORNER, "--ascii", "--view-size", "4"): "odd number from 3 to 15",
    }.items():
        assert main(["play", *words]) == 2
        assert part in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
def test_a_real_terminal_hands_over_keys_and_is_left_as_it_was() -> None:
    import pty
    import termios

    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    with subprocess.Popen(
        [sys.executable, "-m", "s2lab.cli", "play", CORNER, "--ascii", "--seed", "0"],
        stdin=theirs,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        while "step 0" not in (line := process.stdout.readline()):
            assert line, "the game ended before it began"
        os.write(ours, b"\x1b[A\x1b[Adwwq")
        shown = process.stdout.read()
    assert process.returncode == 0
    assert "solved" in shown
    assert termios.tcgetattr(theirs) == before
    os.close(ours), os.close(theirs)


def test_a_window_hands_over_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    import pygame

    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    game: Game = new_game(CORNER, 0, window=True)
    for name in TO_THE_CORNER:
        pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=pygame.key.key_code(name)))
    pygame.event.post(pygame.event.Event(pygame.QUIT))
    *_, last = play_keys(game, window_keys())
    assert "solved" in last
    game.env.close()
