"""What W&B is handed when a run ends: its evaluation as a table, its checkpoints as artifacts.

Knows no wandb module and raises nothing: what cannot be read is not handed over.
"""

from collections.abc import Iterator
from pathlib import Path

from s2lab import checkpoint_folder
from s2lab.errors import UserError
from s2lab.run_folder import RunFolder
from s2lab.track_wandb import WandbSink

EPISODES = "eval/episodes"


def hand_over(run: RunFolder, sink: WandbSink) -> None:
    """The run's evaluation, and the checkpoints that `latest` and `best` point to."""
    _episodes(run, sink)
    try:
        uid = run.environment["uid"]
    except (UserError, KeyError):
        return
    for name, path in _checkpoints(run):
        sink.artifact(path, f"{uid}-{name}", "model")


def _episodes(run: RunFolder, sink: WandbSink) -> None:
    """One row per evaluated seed."""
    if not (run.path / "eval.json").exists():
        return
    try:
        found = run.read_json("eval.json")
        columns = ("seed", "success", "return", "length")
        rows = list(
            zip(found["seeds"], *(found[name] for name in columns[1:]), strict=True)  # [N] each
        )
    except (UserError, KeyError, TypeError, ValueError):
        return
    sink.table(EPISODES, columns, rows)


def _checkpoints(run: RunFolder) -> Iterator[tuple[str, Path]]:
    seen: set[Path] = set()
    for pointer in ("latest", "best"):
        try:
            path = checkpoint_folder.pointed(run.checkpoints, pointer)
        except checkpoint_folder.Damage:
            continue
        if path is not None and path.is_dir() and path not in seen:
            seen.add(path)
            yield pointer, path
