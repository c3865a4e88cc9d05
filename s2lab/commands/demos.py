"""`demos`: demonstrations by minigrid's bot."""

import sys
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from s2lab.commands.registry import command, print_json


@command()
def demos(
    env: Positional[str],
    /,
    *,
    episodes: int,
    out: Path,
    first_seed: int = 0,
    deadline: float = 10.0,
    processes: int = 0,
    quiet: bool = False,
    json: Annotated[bool, arg(name="json")] = False,
) -> int:
    """Record demonstrations of a BabyAI world by minigrid's bot; stopped, the same command goes on.

    Args:
        env: world id (s2lab list envs)
        episodes: how many episodes the folder shall hold
        out: the folder
        first_seed: seed of the first world; the next ones follow
        deadline: processor seconds that the bot may take for one episode
        processes: worker processes; 0 for one per core
        quiet: no progress
        json: print what the folder holds as JSON
    """
    from s2lab.demos import DemoConfig, in_words, record, summary

    done = record(DemoConfig(env, episodes, out, first_seed, deadline, processes), quiet=quiet)
    if json:
        print_json(summary(out))
    else:
        print(in_words(out))
    if not done:
        print("stopped; the same command goes on from here", file=sys.stderr)
    return 0 if done else 130
