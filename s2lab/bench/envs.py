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
    yield from memory()
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
    sync_steps = SYNC_STEPS * SYNC_COUNT
    peers = [
        ("minigrid, one environment", minigrid_single(world_id), SINGLE_STEPS, "partial"),
        (
            f"minigrid, SyncVectorEnv of {SYNC_COUNT}",
            minigrid_sync(world_id),
            sync_steps,
            "partial",
        ),
    ]
    for engine, (make, observation) in JAX_ENGINES.items():
        work = make(world_id, COUNT, STEPS)
        if work is not None:
            peers.append((f"{engine}, {COUNT} worlds", work, STEPS * COUNT, observation))
    shown = sorted({peer[-1] for peer in peers}, reverse=True)  # partial, full
    ours = [native(world_id, COUNT, observation=observation) for observation in shown]
    seconds = in_turns([*ours, *(peer[1] for peer in peers)], runs)
    for (peer, _, steps, observation), peer_s in zip(peers, seconds[len(shown) :], strict=True):
        rate, peer_rate = STEPS * COUNT / seconds[shown.index(observation)], steps / peer_s
        view = "" if observation == "partial" else ", the whole grid in view"
        title = f"{name}{view}, {COUNT} worlds, one core"
        yield Row(title, rate, "steps/s", peer, peer_rate, rate / peer_rate, runs)


def native(world_id: str, count: int, **options: Any) -> Work:
    """`STEPS` steps of `count` native worlds, observations in live buffers."""
    from s2lab.envs import make_vec

    env = make_vec(world_id, count, copy=False, seed=0, **options)
    env.reset()
    actions = np.random.default_rng(0).integers(0, 7, (STEPS, count))

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
    """Two threads against one by the clock on the wall: the cores idle, then every core taken.

    Other work on this machine disturbs these rows. Runs come in pairs, and the ratio is the median
    of the pairs' ratios, so that what disturbs long enough disturbs both alike.
    """
    for count in (COUNT // 4, COUNT, 4 * COUNT, 16 * COUNT):
        yield threads_row(f"{name}, {count} worlds, two threads", name, count, runs)
    with busy_cores():
        title = f"{name}, {COUNT} worlds, two threads, a busy process for every core beside them"
        yield threads_row(title, name, COUNT, runs)


def threads_row(title: str, name: str, count: int, runs: int) -> Row:
    """Two threads against one: the steps a second of the median pair."""
    works = [native(WORLDS[name], count, threads=threads) for threads in (2, 1)]
    for work in works:
        wall_seconds(work)
    pairs = [[wall_seconds(work) for work in works] for _ in range(4 * runs)]
    pairs.sort(key=lambda pair: pair[1] / pair[0])
    two, one = (STEPS * count / seconds for seconds in pairs[len(pairs) // 2])
    return Row(
        f"{title}, by the wall clock", two, "steps/s", "one thread", one, two / one, 4 * runs
    )


def wall_seconds(work: Work, at_least_s: float = 0.3) -> float:
    """Seconds on the wall of one call, averaged over as many as take `at_least_s`."""
    calls, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < at_least_s:
        work()
        calls += 1
    return elapsed / calls


@contextmanager
def busy_cores() -> Iterator[None]:
    """Processes that keep every core busy meanwhile."""
    command = [sys.executable, "-c", "while True: pass"]
    busy = [subprocess.Popen(command) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def memory() -> Iterator[Row]:
    """Bytes that a world takes: of all ids, the largest; none has more than 25 x 25 cells."""
    from s2lab.envs.grid.worlds import make_outputs, make_rules, make_worlds
    from s2lab.envs.registration import WORLDS as ALL

    for view_size in (7, 15):
        state, everything = 0, 0
        for _, level in ALL.values():
            rules = make_rules(
                level.width,
                level.height,
                view_size=view_size,
                see_through_walls=level.see_through_walls,
                full=False,
                ending=level.ending,
            )
            words = level.mission_length
            worlds = make_worlds(1, rules, slots=level.slots, words=words, scratch=level.scratch)
            own = sum(array.nbytes for array in worlds)
            state = max(state, own)
            outputs = make_outputs(1, rules, words)
            everything = max(everything, own + sum(array.nbytes for array in outputs))
        title = f"the largest of {len(ALL)} worlds, view {view_size}"
        yield Row(f"{title}, state", state, "bytes")
        yield Row(f"{title}, state, observation and last observation", everything, "bytes")


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
