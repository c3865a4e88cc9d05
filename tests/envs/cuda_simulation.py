"""Runs the fused step in numba's CUDA simulator against what the CPU's kernels left in a file.

NUMBA_ENABLE_CUDASIM=1 NUMBA_DISABLE_JIT=1 python cuda_simulation.py FILE.npz
"""

import sys
import warnings
from pathlib import Path

import numpy as np
from numba import cuda

from s2lab.envs.grid.cpu import GridBatch
from s2lab.envs.grid.cuda import fused_step
from s2lab.envs.registration import find_world

COUNT, STEPS, LEFT = 3, 12, 5  # worlds, steps, steps left of the first episode


def make_worlds(world_id: str, seed: int, mode: int) -> GridBatch:
    """Worlds whose first episode is about to be cut off, so that layouts are made as well."""
    family, level = find_world(world_id)
    batch = GridBatch(family, level, COUNT, mode=mode)
    batch.seed(range(seed, seed + COUNT))
    batch.reset()
    batch.worlds.step_count[:] = batch.tables.limits[batch.worlds.budget] - LEFT
    return batch


def choose(world_id: str, seed: int, batch: GridBatch) -> "np.typing.NDArray[np.int64]":
    """The actions of all steps, int64 [STEPS, COUNT]."""
    return np.random.default_rng(seed).integers(0, batch.level.actions, (STEPS, COUNT))


def state(batch: GridBatch) -> dict[str, "np.typing.NDArray[np.generic]"]:
    """Every array of the worlds and of what they hand out, as it is now."""
    arrays = {**batch.worlds._asdict(), **batch.outputs._asdict()}
    return {name: array.copy() for name, array in arrays.items()}


def main(path: Path) -> None:
    """Step both and compare every array after every step."""
    warnings.simplefilter("ignore")  # numpy's scalars warn where generators overflow on purpose
    with np.load(path) as file:
        kept = dict(file)
    for world_id in sorted({name.split("/")[0] for name in kept}):
        mode = int(kept[f"{world_id}/mode"])
        batch = make_worlds(world_id, 5, mode)
        kernel = cuda.jit(fused_step(find_world(world_id)[0]))
        state_of = (batch.worlds, batch.rules, batch.tables, batch.outputs)
        for step, actions in enumerate(choose(world_id, 5, batch)):
            kernel[1, COUNT + 3](*state_of, actions, mode)
            for name, array in state(batch).items():
                wanted = kept[f"{world_id}/{name}"][step]
                assert np.array_equal(array, wanted), f"{world_id}: {name} after step {step}"
        print(f"{world_id}: equal, {int(kept[f'{world_id}/episodes'])} episodes begun anew")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
