"""`sync`: commands about what was tracked."""

import sys
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from s2lab.commands.registry import command, print_json

Json = Annotated[bool, arg(name="json")]


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
