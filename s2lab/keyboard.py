"""Keys as they are pressed, from a terminal or a pygame window, by name. Knows no world."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

CHARACTERS = {
    **{" ": "space", "\t": "tab", "\r": "return", "\n": "return"},
    **{"\x7f": "backspace", "\b": "backspace", "\x03": "escape", "\x04": "escape"},
}
ARROWS = {"A": "up", "B": "down", "C": "right", "D": "left"}


@contextmanager
def raw(stream: TextIO) -> Iterator[None]:
    """Hand over every key at once and unseen, until the block is left; not for a file or a pipe."""
    if not stream.isatty() or sys.platform == "win32":
        yield
        return
    import termios
    import tty

    before = termios.tcgetattr(stream)
    try:
        tty.setcbreak(stream)
        yield
    finally:
        termios.tcsetattr(stream, termios.TCSADRAIN, before)


def terminal_keys(read: Callable[[], str]) -> Iterator[str]:
    """Names of the keys behind the characters that `read` returns, until it returns none.

    An arrow is Escape, `[` or `O`, and a letter; Escape alone is not told from it until the next
    character comes, so `q` is the key to leave with.
    """
    while character := read():
        if character != "\x1b":
            yield CHARACTERS.get(character, character.lower())
            continue
        if read() not in ("[", "O"):
            yield "escape"
            return
        yield ARROWS.get(read(), "unknown")


def window_keys() -> Iterator[str]:
    """Names of the keys pressed while a pygame window has them, until it is closed."""
    import pygame

    while True:
        event = pygame.event.wait()
        if event.type == pygame.QUIT:
            return
        if event.type == pygame.KEYDOWN:
            yield pygame.key.name(event.key)
