"""Checkpoints: atomic, verified, exact. Knows no agent and no trainer; unpickles nothing.

`checkpoint_folder` says what lies on disk and why a crash cannot hurt it, `state_tree` how states
keep their types. state.json holds the format number, the step, and the tree of parts.
"""

import json
import warnings
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from s2lab import checkpoint_folder, durable, state_tree
from s2lab.checkpoint_folder import Damage
from s2lab.errors import UserError

FORMAT = 1
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
    be written (the checkpoints before are intact then), TypeError naming a state that has no exact
    saved form.
    """
    if keep < 2:
        raise UserError(f"keep must be at least 2 (the newest and one to fall back to), got {keep}")
    if step < 0:
        raise UserError(f"step must not be negative, got {step}")
    files = _contents(step, parts)
    target = folder / f"step_{step:09d}"
    try:
        # `best` first: a crash between the two resumes before this step and meets it again.
        checkpoint_folder.write(target, files, ("best", "latest") if best else ("latest",))
    except OSError as error:
        raise durable.cannot_write(target, error, FIX) from error
    durable.at_stage("before prune")
    checkpoint_folder.prune(target, keep)
    return target


def load(folder: Path, which: str = "latest") -> Checkpoint:
    """The checkpoint that `latest` or `best` names, or else the previous good one, with a warning.

    `which` may also name one folder, such as step_000100000; then there is no falling back. Raises
    UserError when nothing good is left or a newer version wrote it.
    """
    damages: list[str] = []
    for path in _wanted(folder, which, damages):
        try:
            found = _read(path)
        except Damage as damage:
            damages.append(f"{path.name}: {damage}")
            continue
        if damages:
            what = "; ".join(damages)
            warnings.warn(
                f"damaged checkpoint in {folder} ({what}): falling back to {path.name}",
                stacklevel=2,
            )
        return found
    if damages:
        raise UserError(f"no good checkpoint in {folder} ({'; '.join(damages)})")
    raise UserError(f"no checkpoint in {folder}")


def exists(folder: Path) -> bool:
    """Whether any checkpoint was ever completed, good or damaged, even if a crash left it aside."""
    return any(checkpoint_folder.candidates(folder, None))


def restore(
    checkpoint: Checkpoint, parts: Mapping[str, Stateful | MutableMapping[str, Any]]
) -> int:
    """Load each named part from the checkpoint, in order; returns its step.

    A mutable mapping gets the saved items in place of its own. The checkpoint may hold more parts.
    Raises UserError when a part is missing (before anything changes) or does not fit.
    """
    missing = [name for name in parts if name not in checkpoint.parts]
    if missing:
        has = ", ".join(checkpoint.parts)
        raise UserError(f"{checkpoint.path} has no part {missing[0]!r}; it has: {has}")
    for name, part in parts.items():
        saved = checkpoint.parts[name]
        if not isinstance(part, Stateful):
            part.clear()
            part.update(saved)
            continue
        try:
            part.load_state_dict(saved)
        except (RuntimeError, LookupError, ValueError, TypeError) as error:
            why = " ".join(str(error).split())
            raise UserError(f"{checkpoint.path}: part {name!r} does not fit: {why}") from error
    return checkpoint.step


def _contents(step: int, parts: Mapping[str, Stateful | Mapping[str, Any]]) -> dict[str, bytes]:
    """The bytes of every file but the checksums; "model" has a file of its own."""
    from safetensors.torch import save as tensors_to_bytes

    states = {
        name: part.state_dict() if isinstance(part, Stateful) else dict(part)
        for name, part in parts.items()
    }
    own = {"model": states.pop("model")} if "model" in states else {}
    model_form, model_tensors = state_tree.encode(own.get("model"))
    forms, tensors = state_tree.encode_parts(states)
    if own:
        forms["model"] = model_form
    state = {"format": FORMAT, "step": step, "parts": forms}
    return {
        "model.safetensors": tensors_to_bytes(model_tensors),
        "trainer.safetensors": tensors_to_bytes(tensors),
        "state.json": json.dumps(state, allow_nan=False).encode(),
    }


def _wanted(folder: Path, which: str, damages: list[str]) -> list[Path]:
    """Folders to try in order; a damaged pointer is noted in `damages`."""
    if checkpoint_folder.NAME.fullmatch(which):
        return [folder / which]
    if which not in ("latest", "best"):
        raise UserError(f"unknown checkpoint {which!r}: latest, best or step_<9 digits>")
    first = None
    try:
        first = checkpoint_folder.pointed(folder, which)
        if first is None and which == "best" and checkpoint_folder.on_disk(folder):
            raise UserError(f"no best checkpoint in {folder} yet: load 'latest'")
    except Damage as damage:
        damages.append(str(damage))
    return list(checkpoint_folder.candidates(folder, first))


def _read(path: Path) -> Checkpoint:
    """One checkpoint, verified. Raises Damage, or UserError if a newer version wrote it."""
    from safetensors import SafetensorError
    from safetensors.torch import load as tensors_from_bytes

    files = checkpoint_folder.verified(path)
    try:
        state = json.loads(files["state.json"])
        if state["format"] > FORMAT:
            raise UserError(
                f"{path} was written by a newer s2lab (format {state['format']}, this one reads up "
                f"to {FORMAT}): upgrade s2lab"
            )
        model = tensors_from_bytes(files["model.safetensors"])
        trainer = tensors_from_bytes(files["trainer.safetensors"])
        parts = {
            name: state_tree.decode(form, model if name == "model" else trainer)
            for name, form in state["parts"].items()
        }
        return Checkpoint(path, int(state["step"]), parts)
    except UserError:
        raise
    except (LookupError, ValueError, TypeError, AttributeError, SafetensorError) as error:
        raise Damage(f"its contents make no sense: {error!r}") from error
