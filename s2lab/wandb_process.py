"""The process that talks to W&B: JSON events on stdin, troubles as lines on stdout.

Imports nothing of ours, so nothing of ours can be slowed or broken by it. Ends when stdin does.
"""

import json
import os
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Literal

PROBE_EVERY_S = 30.0
PROBE_BYTES = 256 * 1024


class Conversation:
    """What has been said so far."""

    def __init__(self, troubles: IO[str]) -> None:
        self.troubles = troubles
        self.run: Any = None
        self.after_step = -1
        self.last_step = 0
        self.folder = Path()
        self.before: set[Path] = set()
        self.next_probe = 0.0

    def complain(self, text: str) -> None:
        """One line for the user; there may be nobody left to read it."""
        try:
            print(" ".join(text.split()), file=self.troubles, flush=True)
        except OSError:
            return

    def start(self, said: Mapping[str, Any]) -> None:
        """Open the W&B run; online falls back to offline, so that nothing is lost."""
        self.after_step = said["after_step"]
        self.last_step = self.after_step + 1
        self.folder = Path(said["dir"]) / "wandb"
        self.before = set(self.folder.glob("run-*"))
        try:
            self.run = _init(said, said["mode"])
        except Exception as error:
            if said["mode"] != "online":
                raise
            self.complain(f"online failed ({_one_line(error)}), recording offline")
            self.forget_failed_run()
            self.run = _init(said, "offline")
        self.run.define_metric("*", step_metric="global_step")

    def forget_failed_run(self) -> None:
        """W&B's service keeps a run that failed to start, its id and an empty folder."""
        import wandb

        wandb.teardown()
        for failed in set(self.folder.glob("run-*")) - self.before:
            shutil.rmtree(failed, ignore_errors=True)

    def row(self, line: bytes) -> None:
        """One line of metrics.jsonl, unless an earlier W&B folder has it."""
        row = json.loads(line)
        step = row.pop("step")
        row.pop("time")
        if step <= self.after_step or self.run is None:
            return
        known = {key: float("nan") if value is None else value for key, value in row.items()}
        self.run.log({"global_step": step, **known}, step=step)
        self.last_step = step
        if time.monotonic() > self.next_probe:
            self.probe()

    def table(self, said: Mapping[str, Any]) -> None:
        """Rows under named columns."""
        import wandb

        shown = wandb.Table(columns=said["columns"], data=said["rows"])
        self.run.log({said["name"]: shown}, step=self.last_step)

    def chart(self, said: Mapping[str, Any]) -> None:
        """A line per series."""
        import wandb

        xs, ys = zip(*said["series"].values(), strict=True)
        shown = wandb.plot.line_series(
            list(xs), list(ys), list(said["series"]), title=said["title"], xname=said["x_name"]
        )
        self.run.log({said["name"]: shown}, step=self.last_step)

    def artifact(self, said: Mapping[str, Any]) -> None:
        """A file or folder, copied now."""
        import wandb

        path = Path(said["path"])
        artifact = wandb.Artifact(said["name"], type=said["kind"])
        add = artifact.add_dir if path.is_dir() else artifact.add_file
        add(str(path), skip_cache=True)
        self.run.log_artifact(artifact)

    def finish(self, said: Mapping[str, Any]) -> None:
        self.run.summary.update(said["summary"])
        self.run.finish(exit_code=said["exit_code"])
        self.probe()

    def probe(self) -> None:
        """W&B's writer swallows a full disk; so write something ourselves and see."""
        self.next_probe = time.monotonic() + PROBE_EVERY_S
        probe = self.folder / ".probe"
        try:
            with open(probe, "wb") as file:
                file.write(b"s" * PROBE_BYTES)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise OSError(f"cannot write {self.folder}: {error.strerror}") from error
        finally:
            probe.unlink(missing_ok=True)


def main() -> int:
    """Follow stdin to its end; 1 after a trouble."""
    events, troubles = _private_pipes()
    talk = Conversation(troubles)
    try:
        for message in events:
            if message.startswith(b"+"):
                talk.row(message[1:])
                continue
            said = json.loads(message[1:])
            getattr(talk, said["event"])(said)
            if said["event"] == "finish":
                return 0
        if talk.run is not None:  # whoever fed us was killed
            talk.run.finish(exit_code=1)
    except Exception as error:
        talk.complain(_one_line(error))
        return 1
    return 0


def _init(said: Mapping[str, Any], mode: Literal["offline", "online"]) -> Any:
    import wandb

    settings = wandb.Settings(
        silent=True,
        console="off",
        disable_git=True,
        disable_code=True,
        disable_job_creation=True,
        x_disable_stats=mode == "offline",
        init_timeout=said["init_timeout_s"],
        finish_timeout=said["finish_timeout_s"],
    )
    return wandb.init(
        **{key: said[key] for key in ("project", "dir", "id", "name", "group", "job_type")},
        tags=said["tags"],
        config=said["config"],
        mode=mode,
        resume="allow" if mode == "online" else None,
        settings=settings,
    )


def _private_pipes() -> tuple[IO[bytes], IO[str]]:
    """stdin and stdout for us alone: wandb-core would inherit them and keep them open."""
    events = os.fdopen(os.dup(0), "rb")
    troubles = os.fdopen(os.dup(1), "w")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return events, troubles


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]


if __name__ == "__main__":
    sys.exit(main())
