"""The files of checkpoints: each folder complete or absent, and two pointers. Knows no tensors.

    checkpoints/
      step_000100000/{model.safetensors, trainer.safetensors, state.json, SHA256SUMS}
      latest  best            one line each: the name of a folder beside them

A folder is written under another name, synced and renamed; then `best` and `latest` move.
SHA256SUMS is what `sha256sum -c` reads, and stays in every format to come.
"""

import hashlib
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from s2lab import durable

FILES = ("model.safetensors", "trainer.safetensors", "state.json")
SUMS = "SHA256SUMS"
NAME = re.compile(r"step_\d{9,}")


class Damage(Exception):
    """Why one checkpoint cannot be trusted."""


def write(target: Path, files: Mapping[str, bytes], pointers: tuple[str, ...]) -> None:
    """Bring a complete, synced folder under its name, then move the pointers to it in order.

    Raises OSError; what was there before is intact then.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    _clear_leftovers(target.parent)
    beside = target.with_name(f".tmp-{target.name}")
    try:
        _fill(beside, files)
        _swap(beside, target)
    except OSError:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    durable.at_stage("checkpoint renamed")
    for pointer in pointers:
        durable.replace(target.parent / pointer, f"{target.name}\n".encode())


def verified(path: Path) -> dict[str, bytes]:
    """The bytes of every file, each equal to its checksum. Raises Damage."""
    try:
        files = {name: (path / name).read_bytes() for name in (*FILES, SUMS)}
    except FileNotFoundError as error:
        gone = Path(error.filename)
        raise Damage(f"{gone.name if path.is_dir() else 'the folder'} is missing") from error
    except OSError as error:
        raise Damage(f"{error.filename} cannot be read: {error.strerror}") from error
    lines = files.pop(SUMS).decode(errors="replace").splitlines()
    sums = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    for name, data in files.items():
        if sums.get(name) != hashlib.sha256(data).hexdigest():
            raise Damage(f"{name} does not match its checksum")
    return files


def pointed(folder: Path, pointer: str) -> Path | None:
    """Where `latest` or `best` points; None when there is none. Raises Damage if it is no name."""
    try:
        name = (folder / pointer).read_bytes().decode(errors="replace").strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Damage(f"{pointer} cannot be read: {error.strerror}") from error
    if not NAME.fullmatch(name):
        raise Damage(f"{pointer} does not name a checkpoint")
    return folder / name


def candidates(folder: Path, first: Path | None) -> Iterator[Path]:
    """What to try, in order: `first`, older ones from the newest, then newer ones from the oldest.

    A folder that a crash left moved aside stands for its namesake, or comes right after it.
    """
    aside = folder.glob(".old-step_*") if folder.is_dir() else iter(())
    found = sorted([*on_disk(folder), *aside], key=lambda p: (step_of(p), p.name.startswith("s")))
    if first is None:
        yield from reversed(found)
        return
    moved = _aside(first)
    if moved in found and first not in found:
        first = moved
    yield first
    yield from (p for p in reversed(found) if p != first and step_of(p) <= step_of(first))
    yield from (p for p in found if step_of(p) > step_of(first))


def prune(newest: Path, keep: int) -> None:
    """Drop all but the best and the `keep` newest good ones up to `newest`, which was just written.

    Steps beyond `newest` belong to a future that a resume has left behind. As long as nothing older
    is good, nothing is dropped.
    """
    folder = newest.parent
    kept = {newest}
    try:
        kept.add(pointed(folder, "best") or newest)
    except Damage:
        return
    good = 1
    for path in reversed(on_disk(folder)):
        if good < keep and step_of(path) < step_of(newest) and _is_good(path):
            kept.add(path)
            good += 1
    if good == 1:
        return
    for path in on_disk(folder):
        if path not in kept:
            shutil.rmtree(path, ignore_errors=True)


def on_disk(folder: Path) -> list[Path]:
    """Checkpoint folders, oldest first."""
    if not folder.is_dir():
        return []
    return sorted((p for p in folder.iterdir() if NAME.fullmatch(p.name)), key=step_of)


def step_of(path: Path) -> int:
    return int(path.name.rpartition("_")[2])


def _fill(beside: Path, files: Mapping[str, bytes]) -> None:
    beside.mkdir()
    for name, data in files.items():
        durable.write(beside / name, data)
    sums = [f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in files.items()]
    durable.write(beside / SUMS, "".join(sums).encode())
    durable.sync_folder(beside)


def _swap(beside: Path, target: Path) -> None:
    """Rename; a folder of that name is moved aside first, and back if the rename fails."""
    aside = _aside(target)
    durable.at_stage("before checkpoint rename")
    if target.exists():
        os.replace(target, aside)
    try:
        durable.at_stage("between checkpoint renames")
        os.replace(beside, target)
        durable.sync_folder(target.parent)
    except OSError:
        if aside.exists() and not target.exists():
            os.replace(aside, target)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _aside(target: Path) -> Path:
    return target.with_name(f".old-{target.name}")


def _clear_leftovers(folder: Path) -> None:
    """Put back what a crash left aside, drop what it left half written."""
    for aside in folder.glob(".old-step_*"):
        target = folder / aside.name.removeprefix(".old-")
        if not target.exists():
            os.replace(aside, target)
    for leftover in [*folder.glob(".tmp-step_*"), *folder.glob(".old-step_*")]:
        shutil.rmtree(leftover, ignore_errors=True)
    for leftover in folder.glob(".*.tmp"):
        leftover.unlink(missing_ok=True)


def _is_good(path: Path) -> bool:
    try:
        verified(path)
    except Damage:
        return False
    return True
