"""Every seed of every run, in one place. Knows no environment and keeps no state.

    training world i of run s     s * 2**20 + i     below 2**40
    evaluation episode j          2**40 + j         below 2**41
    published table's layout j    2**41 + j         below 2**42

The three ranges never meet, so an evaluated layout is never a training seed. All are Python ints,
which is all that `gymnasium.Env.reset(seed=...)` accepts. They need more than 32 bits, so numpy's
legacy `np.random.seed` and SB3's `set_random_seed` take `torch_seed` instead, and everything else
gets a generator of its own by purpose.
"""

import hashlib
from collections.abc import Iterable
from operator import index
from typing import TYPE_CHECKING

from s2lab.errors import UserError

if TYPE_CHECKING:
    import numpy as np

WORLDS_PER_RUN = 2**20
EVALUATION_START = 2**40
TABLE_START = 2**41
TABLE_END = 2**42
RUNS = EVALUATION_START // WORLDS_PER_RUN
PURPOSES = ("init", "policy", "minibatch", "environment", "evaluation", "data")


def world_seed(run_seed: int, world: int) -> int:
    """The seed of training world `world` of run `run_seed`; UserError outside the ranges."""
    _check("run seed", run_seed, RUNS)
    _check("world", world, WORLDS_PER_RUN)
    return index(run_seed) * WORLDS_PER_RUN + index(world)


def eval_seed(episode: int) -> int:
    """The seed of evaluation episode `episode`, the same for every agent."""
    _check("evaluation episode", episode, TABLE_START - EVALUATION_START)
    return EVALUATION_START + index(episode)


def table_seed(layout: int) -> int:
    """The seed of layout `layout` of a published table."""
    _check("table layout", layout, TABLE_END - TABLE_START)
    return TABLE_START + index(layout)


def world_seeds(run_seed: int, worlds: int, first: int = 0) -> list[int]:
    """Seeds of worlds first .. first + worlds - 1 of one run."""
    return [world_seed(run_seed, world) for world in _span("worlds", worlds, first)]


def eval_seeds(episodes: int, first: int = 0) -> list[int]:
    """Seeds of evaluation episodes first .. first + episodes - 1."""
    return [eval_seed(episode) for episode in _span("evaluation episodes", episodes, first)]


def table_seeds(layouts: int, first: int = 0) -> list[int]:
    """Seeds of table layouts first .. first + layouts - 1."""
    return [table_seed(layout) for layout in _span("table layouts", layouts, first)]


def generator(run_seed: int, purpose: str) -> "np.random.Generator":
    """numpy's PCG64 for one purpose of one run; purposes never share a stream.

    `init` draws weights, `policy` actions, `minibatch` the order of updates, `environment` what a
    foreign environment asks for, `evaluation` a sampled policy's actions when it is evaluated,
    `data` demonstrations and causal samples.
    """
    import numpy as np

    return np.random.default_rng(_sequence(run_seed, purpose))


def torch_seed(run_seed: int, purpose: str = "init") -> int:
    """A 32-bit seed for torch, SB3 and np.random.seed, hashed from run seed and purpose."""
    return int(_sequence(run_seed, purpose).generate_state(1)[0])


def _sequence(run_seed: int, purpose: str) -> "np.random.SeedSequence":
    import numpy as np

    _check("run seed", run_seed, RUNS)
    if purpose not in PURPOSES:
        raise UserError(f"unknown purpose {purpose!r} of randomness; known: {', '.join(PURPOSES)}")
    # A key from the name, not its place in the tuple: a new purpose never shifts an old stream.
    key = int.from_bytes(hashlib.sha256(purpose.encode()).digest()[:4], "little")
    return np.random.SeedSequence(index(run_seed), spawn_key=(key,))


def _span(what: str, count: int, first: int) -> Iterable[int]:
    if count < 0:
        raise UserError(f"{what} must not be negative, got {count}")
    return range(first, first + count)


def _check(what: str, value: int, end: int) -> None:
    if not 0 <= index(value) < end:
        raise UserError(f"{what} must be between 0 and {end - 1}, got {value}")
