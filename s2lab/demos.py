"""Recording demonstrations: minigrid's bot in worker processes, one file set, in the seeds' order.

Stopped by Ctrl-C, a crash or a full disk, the same command goes on where the last whole chunk
ended. Knows no learning.
"""

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from s2lab.clock import StopRequest
from s2lab.durable import cannot_write
from s2lab.envs.demonstrations import Attempt, DemonstrationWriter
from s2lab.errors import UserError, unknown
from s2lab.progress import Progress

CHUNK = 16  # seeds that a worker gets at a time
HOPELESS = 256  # attempts without an episode after which to give up


@dataclass(frozen=True)
class DemoConfig:
    """What to record."""

    env: str
    """World id."""
    episodes: int
    """Episodes to have in the folder when it is done."""
    out: Path
    """The folder."""
    first_seed: int = 0
    """Seed of the first world; the next ones follow. Training seeds, below 2**40."""
    deadline_s: float = 10.0
    """Processor seconds that the bot may take for one episode."""
    processes: int = 0
    """Worker processes; 0 for one per core."""

    def __post_init__(self) -> None:
        if not 1 <= self.episodes <= 10**9:
            raise UserError(f"--episodes must be between 1 and 1_000_000_000, got {self.episodes}")
        if not 0 <= self.first_seed < 2**40:
            raise UserError(f"--first-seed must be between 0 and 2**40 - 1, got {self.first_seed}")
        if not 0 < self.deadline_s <= 3600:
            raise UserError(f"--deadline must be above 0 and up to 3600, got {self.deadline_s}")
        if not 0 <= self.processes <= 4096:
            raise UserError(f"--processes must be between 0 and 4096, got {self.processes}")


def record(config: DemoConfig, *, quiet: bool = False) -> bool:
    """Record until the folder holds as many episodes as were asked for; False if it was stopped.

    Raises:
        UserError: a world that the bot cannot play, a folder of something else, a full disk.
    """
    writer = _open(config)
    if writer.episodes >= config.episodes:
        return True
    begun, tried = writer.episodes, 0
    progress = Progress(config.episodes, quiet=quiet)
    with StopRequest() as stop, _workers(config.processes) as pool:
        for found in _in_order(pool, config, writer):
            try:
                writer.add(_as_many_as_asked(found, config.episodes - writer.episodes))
            except OSError as error:
                raise cannot_write(config.out, error, "run the same command again") from error
            progress.update(writer.episodes)
            tried += len(found)
            if writer.episodes == begun and tried >= HOPELESS:
                counts = ", ".join(f"{count} {why}" for why, count in writer.left_out.items())
                raise UserError(f"the bot solves no episode of {config.env}: {counts}")
            if writer.episodes >= config.episodes or stop.requested:
                break
    progress.close()
    return writer.episodes >= config.episodes


def _open(config: DemoConfig) -> DemonstrationWriter:
    from s2lab.envs.bot import twin_of
    from s2lab.envs.registration import SHIFTED, WORLDS, find_world

    if config.env not in WORLDS and config.env not in SHIFTED:
        raise unknown("environment", config.env, [*WORLDS, *SHIFTED], "s2lab list envs")
    try:
        twin_of(config.env)
        length = find_world(config.env)[1].mission_length
        return DemonstrationWriter(config.out, config.env, length, config.first_seed)
    except ValueError as error:
        raise UserError(str(error)) from None
    except OSError as error:
        raise cannot_write(config.out, error, "choose another folder") from None


@contextmanager
def _workers(processes: int) -> Iterator[ProcessPoolExecutor]:
    pool = ProcessPoolExecutor(
        processes or os.cpu_count() or 1,
        multiprocessing.get_context("spawn"),
        initializer=_leave_ctrl_c_to_the_parent,
    )
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _leave_ctrl_c_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _in_order(
    pool: ProcessPoolExecutor, config: DemoConfig, writer: DemonstrationWriter
) -> Iterator[list[Attempt]]:
    """Chunks of attempts without end, in the order of their seeds."""
    from s2lab.envs.bot import attempts
    from s2lab.envs.registration import find_world

    length = find_world(config.env)[1].mission_length
    waiting: deque[Future[list[Attempt]]] = deque()
    seed = writer.next_seed
    while True:
        while len(waiting) < 4 * (config.processes or os.cpu_count() or 1):
            chunk = range(seed, seed + CHUNK)
            waiting.append(pool.submit(attempts, config.env, chunk, length, config.deadline_s))
            seed += CHUNK
        try:
            yield waiting.popleft().result()
        except BrokenProcessPool:
            raise UserError(
                "a worker process was killed, perhaps for want of memory; the same command with "
                "fewer --processes goes on"
            ) from None


def _as_many_as_asked(found: list[Attempt], wanted: int) -> list[Attempt]:
    """Attempts up to the one that makes the episodes complete."""
    kept = 0
    for i, attempt in enumerate(found):
        kept += not attempt.why
        if kept == wanted:
            return found[: i + 1]
    return found


def in_words(path: Path) -> str:
    """What a folder holds, in a line.

    Raises:
        UserError: it holds no demonstrations.
    """
    found = summary(path)
    left_out = ", ".join(f"{found[why]} {why}" for why in ("raised", "failed", "hung"))
    return (
        f"{found['episodes']:,} episodes of {found['env_id']}, {found['steps']:,} steps in {path}; "
        f"left out: {left_out}"
    )


def summary(path: Path) -> dict[str, int | str]:
    """What a folder holds.

    Raises:
        UserError: it holds no demonstrations.
    """
    from s2lab.envs.bot import FAILED, HUNG, RAISED
    from s2lab.envs.demonstrations import read_demonstrations

    try:
        demos = read_demonstrations(path)
    except (ValueError, OSError) as error:
        raise UserError(str(error)) from None
    left_out = {why: demos.counts[why] for why in (RAISED, FAILED, HUNG)}
    return {"env_id": demos.env_id, "episodes": len(demos), "steps": demos.steps, **left_out}
