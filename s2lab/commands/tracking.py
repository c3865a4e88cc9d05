"""`watch`, `sync`: commands about runs on their way and what was tracked of them."""

import sys
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from s2lab.commands.registry import command, print_json

Json = Annotated[bool, arg(name="json")]


@command()
def watch(
    runs: Positional[Path] = Path("runs"),
    /,
    *,
    rows: int | None = None,
    every: float = 2.0,
    once: bool = False,
) -> None:
    """Follow all runs of a folder: progress, ETA, success rate, steps/s, memory.

    Args:
        runs: folder of runs, or one run's folder
        rows: how many runs to show (default: what fits on the screen)
        every: seconds between two looks
        once: look once and end
    """
    from s2lab.errors import UserError
    from s2lab.watch import look
    from s2lab.watch_screen import follow

    if rows is not None and rows < 1:
        raise UserError(f"--rows must be at least 1, got {rows}")
    if not 0.1 <= every <= 3600:
        raise UserError(f"--every must be between 0.1 and 3600 seconds, got {every}")
    follow(lambda limit: look(runs, limit), rows=rows, every_s=every, once=once)


@command()
def sync(runs: Positional[tuple[Path, ...]], /, *, json: Json = False) -> int:
    """Send what W&B recorded offline to its server; all folders of a resumed run go together.

    Args:
        runs: run folders, or folders of runs
        json: print the result as JSON
    """
    from s2lab.errors import UserError
    from s2lab.sync import sync as send

    if not runs:
        raise UserError("name at least one run folder: s2lab sync runs/ID")
    sent, left = send(runs)
    if json:
        print_json(
            {
                name: [str(r.path) for r in group]
                for name, group in (("synced", sent), ("failed", left))
            }
        )
    else:
        for run in sent:
            folders = f"{len(run.folders)} folder" + "s" * (len(run.folders) > 1)
            print(f"{run.path}: {folders} on the server")
    for run in left:
        print(f"not synced: {run.path}; `s2lab sync {run.path}` tries again", file=sys.stderr)
    return 1 if left else 0
