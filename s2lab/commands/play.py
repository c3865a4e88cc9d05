"""`play`: walk a world with the keyboard."""

import sys
from typing import Annotated

from tyro.conf import Positional, arg

from s2lab.commands.registry import command


@command()
def play(
    env: Positional[Annotated[str, arg(metavar="ENV")]],
    /,
    *,
    seed: int | None = None,
    view_size: int = 7,
    ascii: bool = False,
) -> None:
    """Walk a world with the keyboard, in a window or in the terminal.

    Args:
        env: id of a native world, such as MiniGrid-DoorKey-8x8-v0
        seed: seed of the first episode
        view_size: cells on a side of the agent's view, odd, 3 to 15
        ascii: draw with letters in the terminal
    """
    from s2lab.keyboard import raw, terminal_keys, window_keys
    from s2lab.play import HELP, new_game, play_keys

    game = new_game(env, seed, window=not ascii, view_size=view_size)
    print(HELP)
    if ascii:
        clear = "\x1b[H\x1b[2J" if sys.stdout.isatty() else ""
        with raw(sys.stdin):
            for screen in play_keys(game, terminal_keys(lambda: sys.stdin.read(1))):
                print(f"{clear}{screen}", flush=True)
    else:
        for screen in play_keys(game, window_keys()):
            print(screen.splitlines()[-1], flush=True)
    game.env.close()
