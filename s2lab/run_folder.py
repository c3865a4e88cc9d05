"""What a run leaves on disk: the source of truth. Knows no tensors, no W&B, no terminal.

<env>__<agent>__s<seed>__<stamp>/
  config.yaml  metrics.jsonl  summary.json  environment.json  eval.json  checkpoints/  wandb/
"""

import json
import os
import re
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from s2lab import durable
from s2lab.errors import UserError
from s2lab.machine import describe_machine
from s2lab.metrics_file import read_metrics

FORMAT = 1
NAME_LIMIT = 80


@dataclass(frozen=True)
class RunFolder:
    """One run's folder; every file in it is replaced whole or appended by the line."""

    path: Path
    """The folder itself; its name is the run's id."""

    @classmethod
    def create(
        cls,
        root: Path,
        *,
        env_id: str,
        agent: str,
        seed: int,
        kind: str,
        config: Mapping[str, Any],
    ) -> "RunFolder":
        """A new folder under `root` that no other run has; UserError when it cannot be written."""
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        text = _yaml(config)
        try:
            run = cls(_claim(Path(root), f"{_safe(env_id)}__{_safe(agent)}__s{seed}__{stamp}"))
        except OSError as error:
            raise durable.cannot_write(Path(root), error, "choose another folder") from error
        names = {"kind": kind, "env_id": env_id, "agent": agent, "seed": seed}
        progress = {"status": "running", "steps": 0, "elapsed_s": 0.0, "eval": None}
        try:
            durable.replace(run.path / "config.yaml", text.encode())
            run.write_json("environment.json", describe_machine() | {"uid": _uid()})
            run.write_summary({"format": FORMAT, "run_id": run.run_id, **names, **progress})
        except BaseException as error:
            shutil.rmtree(run.path, ignore_errors=True)
            if isinstance(error, OSError):
                raise durable.cannot_write(run.path, error, "choose another folder") from error
            raise
        return run

    @classmethod
    def open(cls, path: Path) -> "RunFolder":
        """An existing run; UserError when it is none or comes from a newer version."""
        path = Path(path)
        if not path.is_dir():
            raise UserError(f"no run folder at {path}")
        if not (path / "summary.json").is_file():
            raise UserError(f"{path} is not a run folder: it has no summary.json")
        run = cls(path)
        written = run.summary.get("format")
        if not isinstance(written, int) or written < 1:
            raise UserError(
                f"{path / 'summary.json'}: field 'format' must be a number, got {written!r}"
            )
        if written > FORMAT:
            raise UserError(
                f"{path} was written by a newer s2lab (format {written}, this one reads up to "
                f"{FORMAT}): upgrade s2lab"
            )
        return run

    @property
    def run_id(self) -> str:
        return self.path.name

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def metrics_path(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def config(self) -> dict[str, Any]:
        """config.yaml as it was when the run began."""
        import yaml

        path = self.path / "config.yaml"
        try:
            found = yaml.safe_load(_text(path))
        except yaml.YAMLError as error:
            raise UserError(f"{path} is damaged: {' '.join(str(error).split())}") from error
        if not isinstance(found, dict):
            raise UserError(f"{path} is damaged: expected a table of fields")
        return found

    @property
    def summary(self) -> dict[str, Any]:
        return self.read_json("summary.json")

    @property
    def environment(self) -> dict[str, Any]:
        return self.read_json("environment.json")

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Replace summary.json: the fields given over those already there."""
        before = self.summary if (self.path / "summary.json").exists() else {}
        self.write_json("summary.json", {**before, **summary})

    def write_json(self, name: str, obj: Any) -> None:
        """Replace one JSON file in the folder, whole or not at all; UserError on a full disk."""
        text = json.dumps(obj, indent=2, allow_nan=False, default=_plain) + "\n"
        try:
            durable.replace(self.path / name, text.encode())
        except OSError as error:
            raise durable.cannot_write(self.path / name, error, "try again") from error

    def read_json(self, name: str) -> dict[str, Any]:
        """One JSON object of the folder; UserError names the file and line of any damage."""
        path = self.path / name
        try:
            found = json.loads(_text(path))
        except json.JSONDecodeError as error:
            raise UserError(f"{path}:{error.lineno} is damaged: {error.msg}") from error
        if not isinstance(found, dict):
            raise UserError(f"{path} is damaged: expected an object")
        return found

    def metrics(self) -> list[dict[str, float]]:
        """Every line of metrics.jsonl (see `read_metrics`); [] before the first."""
        return read_metrics(self.metrics_path)


def _uid() -> str:
    """The run's id in W&B; under `wandb agent` the one that its sweep waits for."""
    if os.environ.get("WANDB_SWEEP_ID") and (given := os.environ.get("WANDB_RUN_ID")):
        return given
    return secrets.token_hex(6)


def _claim(root: Path, name: str) -> Path:
    """Make root/name, or root/name-2, ...: mkdir is exclusive, so two runs never share one."""
    root.mkdir(parents=True, exist_ok=True)
    for attempt in range(1, 100_000):
        path = root / (name if attempt == 1 else f"{name}-{attempt}")
        try:
            path.mkdir()
        except FileExistsError:
            continue
        return path
    raise UserError(f"{root} already has 100000 runs called {name}")


def _safe(name: str) -> str:
    """A piece of a file name: no slashes, no spaces, no leading dot, no double underscore."""
    clean = re.sub(r"_{2,}", "_", re.sub(r"[^A-Za-z0-9._-]+", "-", name)).lstrip(".-_")
    return clean[:NAME_LIMIT] or "x"


def _yaml(config: Mapping[str, Any]) -> str:
    import yaml

    plain = json.loads(json.dumps(config, default=_plain))
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)


def _plain(value: Any) -> Any:
    """JSON for what configs hold besides JSON: paths, numpy scalars, frozen dataclasses."""
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"cannot write {type(value).__name__} {value!r} as JSON")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path}: {error}") from error
