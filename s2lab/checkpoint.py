"""Checkpoints: atomic, verified, exact. Knows no agent and no trainer; unpickles nothing.

    checkpoints/
      step_000100000/{model.safetensors, trainer.safetensors, state.json, SHA256SUMS}
      latest  best            one line each: the name of a folder beside them

A folder is written under another name, synced and renamed, then `best` and `latest` move.
Whatever a crash leaves, at least the checkpoint before it stays whole. state.json holds the tree of
parts (see `state_tree`) and a format number; SHA256SUMS is what `sha256sum -c` reads and stays in
every format.
"""

import hashlib
import json
import os
import re
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from s2lab import durable, state_tree
from s2lab.errors import UserError

FORMAT = 1
SUMS = "SHA256SUMS"
FILES = ("model.safetensors", "trainer.safetensors", "state.json")
NAME = re.compile(r"step_\d{9,}")
FIX = "`s2lab resume` continues from the checkpoint before"


@runtime_checkable
class Stateful(Protocol):
    """What can join a checkpoint: modules, optimisers, schedules, worlds, random streams."""

    def state_dict(self) -> Any: ...

    def load_state_dict(self, state_dict: Any) -> Any: ...


@dataclass(frozen=True)
class Checkpoint:
    """A verified checkpoint in memory."""

    path: Path
    """The folder it was read from."""
    step: int
    """Environment steps when it was written."""
    parts: dict[str, Any]
    """Each part's state as it was saved; tensors on the CPU."""


class Damage(Exception):
    """Why one checkpoint cannot be trusted."""


def save(
    folder: Path,
    step: int,
    parts: Mapping[str, Stateful | Mapping[str, Any]],
    *,
    best: bool = False,
    keep: int = 2,
) -> Path:
    """Write a checkpoint and move `latest` (and `best`) to it; returns its folder.

    Keeps the `keep` newest good ones and the best. Raises UserError when the disk is full or cannot
    be written (the checkpoints before are intact then), TypeError naming a part that has no exact
    form.
    """
    if keep < 2:
        raise UserError(f"keep must be at least 2 (the newest and one to fall back to), got {keep}")
    if step < 0:
        raise UserError(f"step must not be negative, got {step}")
    files = _contents(step, parts)
    target = folder / f"step_{step:09d}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _clear_leftovers(folder)
        _write(target, files)
        durable.at_stage("renamed checkpoint")
        for pointer in ("best", "latest") if best else ("latest",):
            durable.replace(folder / pointer, f"{target.name}\n".encode())
    except OSError as error:
        raise durable.cannot_write(target, error, FIX) from error
    durable.at_stage("before prune")
    _prune(folder, target, keep)
    return target


def load(folder: Path, which: str = "latest") -> Checkpoint:
    """The checkpoint `latest` or `best` names, or else the previous good one, with a warning.

    `which` may also name a folder such as step_000100000; then there is no falling back. Raises
    UserError when nothing good is left or a newer version wrote it.
    """
    if which not in ("latest", "best"):
        if not NAME.fullmatch(which):
            raise UserError(f"unknown checkpoint {which!r}: latest, best or step_<9 digits>")
        candidates = [folder / which]
    else:
        candidates = list(_candidates(folder, which))
    if not candidates:
        raise UserError(f"no checkpoint in {folder}")
    damages: list[str] = []
    for path in candidates:
        try:
            found = _read(path)
        except Damage as damage:
            damages.append(f"{path.name}: {damage}")
            continue
        if damages:
            warnings.warn(
                f"damaged checkpoint in {folder} ({'; '.join(damages)}): "
                f"falling back to {path.name}",
                stacklevel=2,
            )
        return found
    raise UserError(f"no good checkpoint in {folder} ({'; '.join(damages)})")


def restore(
    checkpoint: Checkpoint, parts: Mapping[str, Stateful | MutableMapping[str, Any]]
) -> int:
    """Load each named part from the checkpoint, in order; returns its step.

    A mutable mapping gets the saved items in place of its own. The checkpoint may hold more parts.
    Raises UserError when a part is missing (before any changes) or does not fit.
    """
    missing = [name for name in parts if name not in checkpoint.parts]
    if missing:
        has = ", ".join(checkpoint.parts)
        raise UserError(f"{checkpoint.path} has no part {missing[0]!r}; it has: {has}")
    for name, part in parts.items():
        saved = checkpoint.parts[name]
        if isinstance(part, Stateful):
            try:
                part.load_state_dict(saved)
            except (RuntimeError, KeyError, ValueError) as error:
                why = " ".join(str(error).split())
                raise UserError(f"{checkpoint.path}: part {name!r} does not fit: {why}") from error
        else:
            part.clear()
            part.update(saved)
    return checkpoint.step


def _contents(step: int, parts: Mapping[str, Stateful | Mapping[str, Any]]) -> dict[str, bytes]:
    """The bytes of every file but the checksums."""
    from safetensors.torch import save as tensors_to_bytes

    states = {
        name: part.state_dict() if isinstance(part, Stateful) else dict(part)
        for name, part in parts.items()
    }
    model_form, model_tensors = state_tree.encode(states.pop("model", {}))
    others_form, others_tensors = state_tree.encode(states)
    forms = {name: model_form if name == "model" else others_form[name] for name in parts}
    state = {"format": FORMAT, "step": step, "parts": forms}
    return {
        "model.safetensors": tensors_to_bytes(model_tensors),
        "trainer.safetensors": tensors_to_bytes(others_tensors),
        "state.json": json.dumps(state, allow_nan=False).encode(),
    }


def _write(target: Path, files: Mapping[str, bytes]) -> None:
    """A complete, synced folder under its final name, or an OSError and no trace."""
    beside = target.with_name(f".tmp-{target.name}")
    aside = target.with_name(f".old-{target.name}")
    try:
        beside.mkdir()
        for name, data in files.items():
            durable.write(beside / name, data)
        sums = [f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in files.items()]
        durable.write(beside / SUMS, "".join(sums).encode())
        durable.sync_folder(beside)
        durable.at_stage("before rename checkpoint")
        if target.exists():
            os.replace(target, aside)
            durable.at_stage("old checkpoint aside")
        os.replace(beside, target)
        durable.sync_folder(target.parent)
    except OSError:
        shutil.rmtree(beside, ignore_errors=True)
        if aside.exists() and not target.exists():
            os.replace(aside, target)
        raise
    shutil.rmtree(aside, ignore_errors=True)


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


def _read(path: Path) -> Checkpoint:
    """One checkpoint, verified against its checksums. Raises Damage, or UserError if newer."""
    from safetensors.torch import load as tensors_from_bytes

    try:
        files = {name: (path / name).read_bytes() for name in (*FILES, SUMS)}
    except FileNotFoundError as error:
        raise Damage(f"{Path(error.filename).name} is missing") from error
    except OSError as error:
        raise Damage(f"{error.filename} cannot be read: {error.strerror}") from error
    sums = [line.split("  ", 1) for line in _lines(files[SUMS]) if "  " in line]
    expected = {name: digest for digest, name in sums}
    for name in FILES:
        if expected.get(name) != hashlib.sha256(files[name]).hexdigest():
            raise Damage(f"{name} does not match its checksum")
    state = json.loads(files["state.json"])
    if state["format"] > FORMAT:
        raise UserError(
            f"{path} was written by a newer s2lab (format {state['format']}, this one reads up to "
            f"{FORMAT}): upgrade s2lab"
        )
    model = tensors_from_bytes(files["model.safetensors"])
    others = tensors_from_bytes(files["trainer.safetensors"])
    tree = dict(state["parts"])
    decoded = {
        name: state_tree.decode(form, model if name == "model" else others)
        for name, form in tree.items()
    }
    return Checkpoint(path, int(state["step"]), decoded)


def _lines(data: bytes) -> list[str]:
    return data.decode(errors="replace").splitlines()


def _step_of(path: Path) -> int:
    return int(path.name.rpartition("_")[2])


def _on_disk(folder: Path) -> list[Path]:
    """Checkpoint folders, oldest first."""
    if not folder.is_dir():
        return []
    return sorted((p for p in folder.iterdir() if NAME.fullmatch(p.name)), key=_step_of)


def _pointed(folder: Path, pointer: str) -> Path | None:
    """Where `latest` or `best` points; None when it is absent or no name of a checkpoint."""
    try:
        name = (folder / pointer).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None
    return folder / name if NAME.fullmatch(name) else None


def _candidates(folder: Path, which: str) -> Iterator[Path]:
    """What to try, in order: the one pointed at, older ones from the newest, then newer ones."""
    first = _pointed(folder, which) or (_pointed(folder, "latest") if which == "best" else None)
    found = _on_disk(folder)
    aside = folder.glob(".old-step_*") if folder.is_dir() else iter(())
    found = sorted([*found, *aside], key=lambda p: (_step_of(p), p.name.startswith("step")))
    if first is None:
        yield from reversed(found)
        return
    yield first
    yield from (p for p in reversed(found) if p != first and _step_of(p) <= _step_of(first))
    yield from (p for p in found if _step_of(p) > _step_of(first))


def _prune(folder: Path, newest: Path, keep: int) -> None:
    """Drop all but the best and the `keep` newest good ones up to `newest`."""
    older = [path for path in _on_disk(folder) if _step_of(path) < _step_of(newest)]
    kept = {newest, _pointed(folder, "best")}
    good = 1
    for path in reversed(older):
        if good < keep and _is_good(path):
            kept.add(path)
            good += 1
    if good < min(keep, 2) and older:
        return
    for path in _on_disk(folder):
        if path not in kept:
            shutil.rmtree(path, ignore_errors=True)


def _is_good(path: Path, read: Callable[[Path], Checkpoint] = _read) -> bool:
    try:
        read(path)
    except (Damage, UserError):
        return False
    return True
