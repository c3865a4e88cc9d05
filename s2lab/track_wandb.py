"""W&B as a sink that cannot hurt: a process of its own at the end of a pipe (`wandb_process`).

Whatever W&B does - refuse to start, raise, hang, die, fill its disk - training notices nothing but
one line on stderr. Knows no wandb module: only the child imports it.
"""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from s2lab.run_folder import RunFolder

ROW, EVENT = b"+", b"!"
QUEUED_ROWS = 100_000
PATIENCE_S = {"offline": 30.0, "online": 60.0}
SAY_WAITING_S = 3.0


class WandbSink:
    """One W&B run fed from this process. No method blocks or raises, but `close` waits a while."""

    def __init__(
        self,
        home: Path,
        identity: Callable[[], Mapping[str, Any]],
        *,
        mode: str,
        group: str,
        job_type: str,
        tags: Sequence[str],
        after_step: int,
        say: Callable[[str], None],
        patience_s: float | None = None,
    ) -> None:
        """W&B's files land in home/wandb; `identity` gives project, id, name and config.

        Steps up to `after_step` are left out: an earlier W&B folder of this run has them. `say`
        prints one line for the user; `patience_s` is how long `close` waits.
        """
        self._say = say
        self._complained = False
        self._stopped = False
        self._patience_s = PATIENCE_S[mode] if patience_s is None else patience_s
        self._queue: queue.Queue[bytes | None] = queue.Queue(QUEUED_ROWS)
        self._child: subprocess.Popen[bytes] | None = None
        settings = {
            "group": group,
            "job_type": job_type,
            "tags": list(tags),
            "mode": mode,
            "after_step": after_step,
            "init_timeout_s": 0.5 * self._patience_s,
            "finish_timeout_s": 0.8 * self._patience_s,
        }
        try:
            start = _event("start", dir=str(home.resolve()), **identity(), **settings)
            self._child = child = _spawn(home / "wandb")
        except (OSError, ValueError, KeyError) as error:
            self._complain(f"could not start: {error}")
            return
        self._feeder = threading.Thread(target=_feed, args=(child.stdin, self._queue), daemon=True)
        self._listener = threading.Thread(target=self._listen, args=(child.stdout,), daemon=True)
        self._feeder.start()
        self._listener.start()
        self._put(start)

    def row(self, line: bytes) -> None:
        """One line of metrics.jsonl."""
        self._put(ROW + line)

    def artifact(self, path: Path, name: str, kind: str) -> None:
        """A file or folder to be copied into W&B's own staging, then uploaded with the run."""
        self._put(_event("artifact", path=str(path.resolve()), name=name, kind=kind))

    def table(
        self, name: str, columns: Sequence[str], rows: Sequence[Sequence[str | float | None]]
    ) -> None:
        """A W&B table under the last step that was logged."""
        self._put(_event("table", name=name, columns=list(columns), rows=[list(r) for r in rows]))

    def chart(
        self,
        name: str,
        *,
        title: str,
        x_name: str,
        series: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    ) -> None:
        """One chart with a line per series, each its x and y."""
        lines = {label: [list(x), list(y)] for label, (x, y) in series.items()}
        self._put(_event("chart", name=name, title=title, x_name=x_name, series=lines))

    def close(self, summary: Mapping[str, Any] | None, *, failed: bool = False) -> None:
        """Let W&B write what is left, wait for it within patience, then end it either way."""
        if self._child is None:
            return
        child, self._child = self._child, None
        finish = _event("finish", summary=dict(summary or {}), exit_code=int(failed))
        try:
            if not self._wait(child, finish):
                self._complain(f"did not finish within {self._patience_s:.0f} s")
        finally:
            _end(child)
            self._queue.put(None)  # the pipe is broken now, so there is room, or will be
            self._feeder.join()
            self._listener.join(timeout=5)
            _close(child.stdin)
            _close(child.stdout)
        if child.returncode != 0:
            self._complain("its process died")

    def _put(self, message: bytes) -> None:
        if self._child is None or self._stopped:
            return
        if self._child.poll() is not None:
            self._stopped = True
            self._listener.join(timeout=5)  # its last words first
            self._complain("its process died")
            return
        try:
            self._queue.put_nowait(message)
        except queue.Full:
            self._stopped = True
            self._complain("it stopped answering")

    def _wait(self, child: "subprocess.Popen[bytes]", finish: bytes) -> bool:
        """True when the child has taken all that was said and ended by itself."""
        deadline = time.monotonic() + self._patience_s
        patience_s, unsaid = SAY_WAITING_S, [finish]
        while (left_s := deadline - time.monotonic()) > 0:
            try:
                while unsaid:
                    self._queue.put(unsaid[0], timeout=min(patience_s, left_s))
                    unsaid.pop()
                child.wait(min(patience_s, left_s))
            except (queue.Full, subprocess.TimeoutExpired):
                if patience_s < left_s and not self._complained:
                    self._say(f"waiting for W&B (at most {self._patience_s:.0f} s)")
                patience_s = self._patience_s
            else:
                return True
        return False

    def _listen(self, pipe: IO[bytes]) -> None:
        for line in pipe:
            self._complain(line.decode(errors="replace").strip())

    def _complain(self, why: str) -> None:
        """Once a run: the first trouble is the one worth reading."""
        if not self._complained:
            self._complained = True
            self._say(f"W&B: {why}; the run goes on, metrics.jsonl has everything")


def last_tracked_step(run: RunFolder, last_in_metrics: int) -> int:
    """The last step any W&B folder of this run can hold; -1 when it has none. For resuming.

    metrics.jsonl is written before W&B is told, so its last line before it is cut bounds what W&B
    has; the bound is kept, for the second resume finds a shorter file.
    """
    name = "wandb/last_step.json"
    if not (run.path / "wandb").is_dir():
        return -1
    last = last_in_metrics
    try:
        if (run.path / name).exists():
            last = max(last, int(run.read_json(name)["step"]))
        run.write_json(name, {"format": 1, "step": last})
    except (OSError, ValueError, KeyError, TypeError):
        return last
    return last


def _event(event: str, **said: Any) -> bytes:
    return EVENT + json.dumps({"event": event, **said}, default=str).encode() + b"\n"


def project() -> str:
    """W&B's project unless the environment names another."""
    return os.environ.get("WANDB_PROJECT", "s2lab")


def identity_of(run: RunFolder) -> dict[str, Any]:
    """What makes it this run in W&B, and what panels filter by besides the run's own config."""
    summary, environment = run.summary, run.environment
    facts = {key: summary[key] for key in ("kind", "env_id", "agent", "seed")}
    facts |= {key: environment[key] for key in ("commit", "versions")}
    return {
        "project": project(),
        "id": environment["uid"],
        "name": run.run_id,
        "config": {**run.config, "run": facts},
    }


def _spawn(folder: Path) -> "subprocess.Popen[bytes]":
    """The child, in a session of its own: Ctrl-C in the terminal is ours to handle."""
    folder.mkdir(parents=True, exist_ok=True)
    environment = {key: value for key, value in os.environ.items() if key != "WANDB_SERVICE"}
    environment |= {
        "WANDB_DATA_DIR": str(folder.resolve()),
        "WANDB_CACHE_DIR": str(folder.resolve() / "cache"),
        "WANDB_ERROR_REPORTING": "false",
        "OMP_NUM_THREADS": "1",
    }
    with open(folder / "sink.log", "ab") as log:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "s2lab.wandb_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment,
            start_new_session=True,
        )


def _feed(pipe: IO[bytes], messages: "queue.Queue[bytes | None]") -> None:
    """Pass messages on until None; after a broken pipe only take them from the queue."""
    broken = False
    while (message := messages.get()) is not None:
        if broken:
            continue
        try:
            pipe.write(message)
            if messages.empty():
                pipe.flush()
        except OSError:
            broken = True


def _end(child: "subprocess.Popen[bytes]") -> None:
    """Nothing of the child's session survives."""
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _close(pipe: IO[bytes] | None) -> None:
    if pipe is not None:
        try:
            pipe.close()
        except OSError:  # unflushed bytes for a reader that has gone
            return
