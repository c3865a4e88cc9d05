"""The CUDA kernel without a GPU: compiled to PTX, and run by numba's simulator."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import cuda_simulation
import numpy as np
import pytest

from s2lab.envs.grid import kernels

HERE = Path(__file__).parent

# Steps that draw random numbers; a room grid, shuffles, and each mode of auto-reset.
COMPILED = ("MiniGrid-Dynamic-Obstacles-5x5-v0",)
SIMULATED = {
    "MiniGrid-DoorKey-5x5-v0": kernels.SAME_STEP,
    "MiniGrid-Dynamic-Obstacles-5x5-v0": kernels.SAME_STEP,
    "MiniGrid-KeyCorridorS3R1-v0": kernels.NEXT_STEP,
    "MiniGrid-SimpleCrossingS9N1-v0": kernels.DISABLED,
}


def run(script: str, *arguments: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, str(HERE / script), *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def has_libnvvm() -> bool:
    from numba.cuda.cudadrv.error import NvvmSupportError
    from numba.cuda.cudadrv.nvvm import NVVM

    try:
        NVVM()
    except NvvmSupportError:
        return False
    return True


@pytest.fixture(scope="module")
def ptx() -> dict[str, Any]:
    pytest.importorskip("numba.cuda", reason="numba has no CUDA target")
    if not has_libnvvm():
        pytest.skip("no libnvvm")
    facts: dict[str, Any] = json.loads(run("cuda_ptx.py", *COMPILED))
    return facts


@pytest.mark.slow
@pytest.mark.parametrize("world_id", COMPILED)
def test_the_fused_step_compiles_to_ptx(ptx: dict[str, Any], world_id: str) -> None:
    assert ptx[world_id]["entries"] == 1
    assert ptx[world_id]["lines"] > 1000
    assert ptx[world_id]["stores"] > 50


@pytest.mark.slow
def test_no_floating_point_multiply_add_is_fused(ptx: dict[str, Any]) -> None:
    assert ptx["control"]["fused"] > 0, "a formula that must be fused was not found to be"
    assert [ptx[world_id]["fused"] for world_id in COMPILED] == [0] * len(COMPILED)


@pytest.mark.slow
def test_the_simulator_leaves_the_state_that_the_cpu_leaves(tmp_path: Path) -> None:
    kept: dict[str, Any] = {}
    for world_id, mode in SIMULATED.items():
        batch = cuda_simulation.make_worlds(world_id, 5, mode)
        states: dict[str, list[Any]] = {}
        episodes = 0
        for actions in cuda_simulation.choose(world_id, 5, batch):
            batch.step(actions)
            episodes += int(batch.outputs.fresh.sum())
            for name, array in cuda_simulation.state(batch).items():
                states.setdefault(name, []).append(array)
        assert (episodes >= cuda_simulation.COUNT) == (mode != kernels.DISABLED)
        kept |= {f"{world_id}/{name}": np.array(arrays) for name, arrays in states.items()}
        kept |= {f"{world_id}/mode": np.array(mode), f"{world_id}/episodes": np.array(episodes)}
    np.savez(tmp_path / "cpu.npz", **kept)
    switches = {"NUMBA_ENABLE_CUDASIM": "1", "NUMBA_DISABLE_JIT": "1"}
    told = run("cuda_simulation.py", str(tmp_path / "cpu.npz"), **switches)
    assert told.count(": equal") == len(SIMULATED)
