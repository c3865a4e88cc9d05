"""How fast the native BabyAI worlds step and begin, beside one of minigrid's own environments.

The native worlds are somewhere in their episodes when the clock starts, as many near the end as
near the beginning, so that no wave of time limits falls into or out of a measurement.
"""

import contextlib
import io
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from s2lab.bench.harness import Row, in_turns

WORLDS = ("GoToRedBall", "GoToLocal", "PutNextLocal", "PickupLoc", "GoTo", "Synth", "BossLevel")
COUNT = 1024  # worlds stepped together
STEPS = 50  # in one call of what is timed
SINGLE_STEPS, SINGLE_RESETS = 800, 50  # the same for minigrid
REPLAYED = ("GoToLocal", "PutNextLocal", "GoTo", "BossLevel")
DEMONSTRATIONS, REPLAYED_EPISODES = 64, 8192
PEER = "minigrid, one environment"
Work = Callable[[], object]


def bench(*, quick: bool = False) -> Iterator[Row]:
    """Steps and resets a second, medians of 5 runs; quick: of 3."""
    from s2lab.bench.envs import one_core

    runs = 3 if quick else 5
    with one_core():
        for name in WORLDS:
            yield from compare(name, f"BabyAI-{name}-v0", runs)
        for name in REPLAYED:
            yield replayed(name, f"BabyAI-{name}-v0", runs)


def compare(name: str, world_id: str, runs: int) -> Iterator[Row]:
    """One world id: steps, auto-reset included, then resets alone."""
    works = (native_steps(world_id), native_resets(world_id))
    peers = (single_steps(world_id), single_resets(world_id))
    amounts = ((STEPS * COUNT, SINGLE_STEPS), (COUNT, SINGLE_RESETS))
    seconds = in_turns([*works, *peers], runs)
    for k, unit in enumerate(("steps/s", "resets/s")):
        ours, theirs = amounts[k][0] / seconds[k], amounts[k][1] / seconds[2 + k]
        title = f"{name}, {COUNT} worlds, one core"
        yield Row(title, ours, unit, PEER, theirs, ours / theirs, runs)


def replayed(name: str, world_id: str, runs: int) -> Row:
    """Observations made again from demonstrations of minigrid's bot."""
    from s2lab.envs.bot import attempts
    from s2lab.envs.demonstrations import DemonstrationWriter, read_demonstrations
    from s2lab.envs.registration import find_world
    from s2lab.envs.replay import Replay

    length = find_world(world_id)[1].mission_length
    with tempfile.TemporaryDirectory() as folder:
        recorded = attempts(world_id, range(DEMONSTRATIONS), length, 20.0)
        DemonstrationWriter(Path(folder), world_id, length, 0).add(recorded)
        demos = read_demonstrations(Path(folder))
        replay = Replay(demos)
        episodes = np.arange(REPLAYED_EPISODES) % len(demos)
        (seconds,) = in_turns([lambda: replay.play(episodes)], runs)
    steps = int(demos.records["length"][episodes].sum())
    mean = steps / len(episodes)
    title = f"{name}, observations made again from demonstrations of {mean:.1f} steps"
    return Row(title, steps / seconds, "steps/s", runs=runs)


def native_steps(world_id: str) -> Work:
    """`STEPS` random steps of `COUNT` worlds, observations in live buffers."""
    from s2lab.envs import make_vec

    env = make_vec(world_id, COUNT, copy=False, seed=0)
    env.reset()
    rng = np.random.default_rng(0)
    worlds, tables = env.batch.worlds, env.batch.tables
    worlds.step_count[:] = rng.integers(0, tables.limits[worlds.budget])
    actions = rng.integers(0, 7, (STEPS, COUNT))

    def work() -> None:
        for chosen in actions:
            env.step(chosen)

    return work


def native_resets(world_id: str) -> Work:
    """`COUNT` new episodes with their first observations."""
    from s2lab.envs import make_vec

    env = make_vec(world_id, COUNT, copy=False, seed=0)

    def work() -> None:
        env.reset()

    return work


def single_steps(world_id: str) -> Work:
    """`SINGLE_STEPS` random steps of one of minigrid's own environments."""
    from s2lab.bench.envs import minigrid_world

    env = minigrid_world(world_id)
    env.reset(seed=0)
    actions = np.random.default_rng(0).integers(0, 7, SINGLE_STEPS).tolist()

    def work() -> None:
        with contextlib.redirect_stdout(io.StringIO()):  # it prints when it rejects a layout
            for action in actions:
                _, _, terminated, truncated, _ = env.step(action)
                if terminated or truncated:
                    env.reset()

    return work


def single_resets(world_id: str) -> Work:
    """`SINGLE_RESETS` new episodes of one of minigrid's own environments."""
    from s2lab.bench.envs import minigrid_world

    env = minigrid_world(world_id)
    env.reset(seed=0)

    def work() -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            for _ in range(SINGLE_RESETS):
                env.reset()

    return work
