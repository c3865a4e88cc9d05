"""How fast and how large the native grid worlds are, beside minigrid and JAX engines.

Steps are whole steps: an action for every world, observations, auto-reset. Actions are random. The
process is pinned to one core while it measures, except where threads are compared. Knows nothing of
agents.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

import numpy as np

from s2lab.bench import babyai
from s2lab.bench.harness import Row, in_turns
from s2lab.bench.jax_worlds import JAX_ENGINES

COUNT = 1024  # worlds stepped together
STEPS = 50  # in one call of what is timed
SINGLE_STEPS = 400  # the same for minigrid, world by world
SYNC_COUNT, SYNC_STEPS = 16, 40
WORLDS = {
    "Empty-8x8": "MiniGrid-Empty-8x8-v0",
    "DoorKey-8x8": "MiniGrid-DoorKey-8x8-v0",
    "FourRooms": "MiniGrid-FourRooms-v0",
    "KeyCorridorS3R3": "MiniGrid-KeyCorridorS3R3-v0",
    "MultiRoom-N6": "MiniGrid-MultiRoom-N6-v0",
}
Work = Callable[[], object]


def bench(*, quick: bool = False) -> Iterator[Row]:
    """Every figure in turn, medians of 5 runs; quick: of 3, without compiling every family."""
    runs = 3 if quick else 5
    with one_core():
        for name, world_id in WORLDS.items():
            yield from compare(name, world_id, runs)
    yield from compare_threads("DoorKey-8x8", runs)
    yield memory("MultiRoom-N6")
    yield from first_uses(quick)
    yield from babyai.bench(quick=quick)


@contextmanager
def one_core() -> Iterator[None]:
    """Keep this process on one core, where the system can."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def compare(name: str, world_id: str, runs: int) -> Iterator[Row]:
    """One world id: ours against every peer that is installed, timed in turns."""
    peers = {
        "minigrid, one environment": (minigrid_single(world_id), SINGLE_STEPS),
        f"minigrid, SyncVectorEnv of {SYNC_COUNT}": (
            minigrid_sync(world_id),
            SYNC_STEPS * SYNC_COUNT,
        ),
    }
    for engine, make in JAX_ENGINES.items():
        work = make(world_id, COUNT, STEPS)
        if work is not None:
            peers[f"{engine}, {COUNT} worlds"] = (work, STEPS * COUNT)
    works = [native(world_id), *(work for work, _ in peers.values())]
    ours, *theirs = in_turns(works, runs)
    rate = STEPS * COUNT / ours
    for (peer, (_, steps)), seconds in zip(peers.items(), theirs, strict=True):
        peer_rate = steps / seconds
        title = f"{name}, {COUNT} worlds, one core"
        yield Row(title, rate, "steps/s", peer, peer_rate, rate / peer_rate, runs)


def native(world_id: str, threads: int = 1) -> Work:
    """`STEPS` steps of `COUNT` native worlds, observations in live buffers."""
    from s2lab.envs import make_vec

    env = make_vec(world_id, COUNT, copy=False, threads=threads, seed=0)
    env.reset()
    actions = np.random.default_rng(0).integers(0, 7, (STEPS, COUNT))

    def work() -> None:
        for chosen in actions:
            env.step(chosen)

    return work


def minigrid_single(world_id: str) -> Work:
    """`SINGLE_STEPS` steps of one of minigrid's own environments."""
    env = minigrid_world(world_id)
    env.reset(seed=0)
    actions = np.random.default_rng(0).integers(0, 7, SINGLE_STEPS).tolist()

    def work() -> None:
        for action in actions:
            _, _, terminated, truncated, _ = env.step(action)
            if terminated or truncated:
                env.reset()

    return work


def minigrid_sync(world_id: str) -> Work:
    """`SYNC_STEPS` steps of gymnasium's SyncVectorEnv over minigrid's environments."""
    from gymnasium.vector import AutoresetMode, SyncVectorEnv

    env = SyncVectorEnv(
        [lambda: minigrid_world(world_id)] * SYNC_COUNT, autoreset_mode=AutoresetMode.SAME_STEP
    )
    env.reset(seed=0)
    actions = np.random.default_rng(0).integers(0, 7, (SYNC_STEPS, SYNC_COUNT))

    def work() -> None:
        for chosen in actions:
            env.step(chosen)

    return work


def minigrid_world(world_id: str) -> Any:
    """minigrid's own environment without gymnasium's checking wrappers."""
    import gymnasium
    import minigrid  # noqa: F401  # registers its ids

    return gymnasium.make(world_id).unwrapped


def compare_threads(name: str, runs: int) -> Iterator[Row]:
    """Two threads against one by the clock on the wall, which another process disturbs."""
    works = [native(WORLDS[name], threads) for threads in (2, 1)]
    times: list[list[float]] = [[], []]
    for _ in range(2 * runs + 1):
        for work, column in zip(works, times, strict=True):
            start = time.perf_counter()
            for _ in range(5):
                work()
            column.append((time.perf_counter() - start) / 5)
    two, one = (STEPS * COUNT / median(column[1:]) for column in times)
    title = f"{name}, {COUNT} worlds, two threads, by the wall clock"
    yield Row(title, two, "steps/s", "one thread", one, two / one, 2 * runs)


def memory(name: str) -> Row:
    """Bytes that one world's state takes; the largest grid there is has 25 x 25 cells."""
    from s2lab.envs import make_vec

    worlds = make_vec(WORLDS[name], COUNT).batch.worlds
    size = sum(array.nbytes for array in worlds) / COUNT
    return Row(f"{name}, state of one world of 25 x 25 cells", size, "bytes")


FIRST_USE = """
import sys
from s2lab.envs import make_vec
for world_id in sys.argv[1:]:
    env = make_vec(world_id, 1, seed=0)
    env.reset()
    env.step([0])
"""


def first_uses(quick: bool) -> Iterator[Row]:
    """Processor seconds of a process that makes worlds: with an empty cache, then a full one."""
    from s2lab.envs.registration import WORLDS as ALL

    one_of_each = {family.name: world_id for world_id, (family, _) in ALL.items()}
    everything = list(one_of_each.values())
    measured = {"DoorKey-8x8": [WORLDS["DoorKey-8x8"]]}
    if not quick:
        measured[f"one world of each of {len(everything)} families"] = everything
    for title, world_ids in measured.items():
        with tempfile.TemporaryDirectory() as cache:
            first, again = (first_use(cache, world_ids) for _ in range(2))
        yield Row(f"{title}, first use on a machine, beyond imports", first, "s")
        yield Row(f"{title}, first use in a later process, beyond imports", again, "s")


def first_use(cache: str, world_ids: list[str]) -> float:
    """Processor seconds of a new process that steps one world of each id, less its imports."""
    return _child_seconds(cache, world_ids) - _child_seconds(cache, [])


def _child_seconds(cache: str, world_ids: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-c", FIRST_USE, *world_ids],
        env={**os.environ, "XDG_CACHE_HOME": cache},
        check=True,
        capture_output=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
