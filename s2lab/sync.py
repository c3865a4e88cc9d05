"""Offline W&B folders on their way to a server, all of a run together. Loads no wandb itself.

A resumed run has several offline folders under one id. `wandb sync` puts folders of one id one
after the other when it is given them in one call; given them one by one, it may mix their order.
"""

import netrc
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from s2lab.errors import UserError

SERVER = "https://api.wandb.ai"
RUNS_AT_ONCE = 50
"""Runs in one call of `wandb sync`; their folders make a line that every system accepts."""


@dataclass(frozen=True)
class Recorded:
    """What W&B recorded of one run while it was offline."""

    path: Path
    """The run folder."""
    folders: tuple[Path, ...]
    """Its offline folders, oldest first."""

    @property
    def waiting(self) -> tuple[Path, ...]:
        """Folders that no `wandb sync` has finished with."""
        return tuple(folder for folder in self.folders if not any(folder.glob("*.wandb.synced")))


def sync(paths: Sequence[str | Path]) -> tuple[list[Recorded], list[Recorded]]:
    """Hand every folder of the runs in `paths` to `wandb sync`.

    Returns:
        The runs that are on the server now, and those that are not.

    Raises:
        UserError: a path with nothing recorded, or no key of W&B.
    """
    found = find_recorded(paths)
    todo = [run for run in found if run.waiting]
    if todo and not has_key():
        raise UserError(
            f"no W&B key for {server()}: run `wandb login`, or set WANDB_API_KEY, then "
            "`s2lab sync` again"
        )
    for start in range(0, len(todo), RUNS_AT_ONCE):
        batch = todo[start : start + RUNS_AT_ONCE]
        folders = [str(folder.resolve()) for run in batch for folder in run.folders]
        subprocess.run(
            [sys.executable, "-m", "wandb", "sync", *folders],
            env={**os.environ, "WANDB_DIR": str(batch[0].path.resolve())},  # for its logs
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno() if _has_descriptor() else subprocess.DEVNULL,
            check=False,
        )
    return [run for run in found if not run.waiting], [run for run in todo if run.waiting]


def find_recorded(paths: Sequence[str | Path]) -> list[Recorded]:
    """Runs with offline folders: the paths themselves, or folders right inside them.

    Raises:
        UserError: a path that is no folder or holds no offline folder of W&B's.
    """
    found: dict[Path, Recorded] = {}
    for path in map(Path, paths):
        if not path.is_dir():
            raise UserError(f"no folder at {path}; name a run folder, or a folder of runs")
        here = list(_recorded(path))
        if not here:
            raise UserError(
                f"{path} holds nothing that W&B recorded offline; runs record with "
                "--track offline, which is the default of s2lab train"
            )
        found.update((run.path.resolve(), run) for run in here)
    return list(found.values())


def has_key(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether a key of W&B is in the environment or in the netrc file."""
    if environment.get("WANDB_API_KEY"):
        return True
    try:
        known = netrc.netrc(environment.get("NETRC"))
    except (OSError, netrc.NetrcParseError):
        return False
    return known.authenticators(urlsplit(server(environment)).netloc) is not None


def server(environment: Mapping[str, str] = os.environ) -> str:
    """W&B's public server unless the environment names another."""
    return environment.get("WANDB_BASE_URL") or SERVER


def _recorded(path: Path) -> Iterator[Recorded]:
    for folder in (path, *sorted(entry for entry in path.iterdir() if entry.is_dir())):
        offline = sorted((folder / "wandb").glob("offline-run-*"))  # a stamp, then the run's id
        if offline:
            yield Recorded(folder, tuple(offline))


def _has_descriptor() -> bool:
    try:
        sys.stderr.fileno()
    except (OSError, AttributeError):
        return False
    return True
