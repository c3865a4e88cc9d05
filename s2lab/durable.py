"""Files that survive a crash: written beside, synced, renamed. Knows no runs and no tensors."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

from s2lab.errors import UserError

FULL = {errno.ENOSPC, errno.EDQUOT}


def no_fault(stage: str) -> None:
    """What happens at a stage of writing unless a test says otherwise: nothing."""


# Fault tests replace this to kill the process, or fill the disk, at one named stage.
at_stage: Callable[[str], None] = no_fault


def replace(path: Path, data: bytes) -> None:
    """Write `data` so that a reader finds the old file or the new one, never a half.

    Raises OSError; the old file is intact then and nothing is left beside it.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(beside, data, path.name)
        at_stage(f"before rename {path.name}")
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write(path: Path, data: bytes, name: str | None = None) -> None:
    """Write and sync one new file, called `name` at its stage. Raises OSError."""
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        at_stage(f"before fsync {name or path.name}")
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable, where the system can open a folder at all."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def cannot_write(path: Path, error: OSError, fix: str) -> UserError:
    """The one line for a failed write."""
    if error.errno in FULL:
        return UserError(f"disk full while writing {path}: free some space, then {fix}")
    return UserError(f"cannot write {path}: {error.strerror or error}; {fix}")
