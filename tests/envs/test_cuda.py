"""The CUDA kernels without a GPU: compiled to machine code, and run by numba's simulator."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import device_play
import numpy as np
import pytest

from s2lab.envs import make_vec
from s2lab.envs.device import missing
from s2lab.envs.grid.levels import FAMILIES
from s2lab.envs.registration import WORLDS as WORLD_IDS

HERE = Path(__file__).parent
RECORD = HERE.parents[1] / "runs" / "records" / "gpu-code.json"
WORLDS, STEPS = 3, 5


def run(*arguments: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
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
def compiled() -> dict[str, Any]:
    pytest.importorskip("numba.cuda", reason="numba has no CUDA target")
    if not has_libnvvm():
        pytest.skip("no libnvvm")
    facts: dict[str, Any] = json.loads(run(str(HERE / "cuda_ptx.py")))
    return facts


@pytest.mark.slow
def test_a_step_that_draws_random_numbers_compiles_to_one_kernel(compiled: dict[str, Any]) -> None:
    assert compiled["step"]["entries"] == 1
    assert compiled["step"]["stores"] > 50


@pytest.mark.slow
def test_no_floating_point_multiply_add_is_fused(compiled: dict[str, Any]) -> None:
    assert compiled["control"]["fused"] > 0, "a formula that must be fused was not found to be"
    assert compiled["step"]["fused"] == 0


@pytest.mark.slow
def test_a_launch_hands_over_the_parameters_that_the_kernel_declares(
    compiled: dict[str, Any],
) -> None:
    assert compiled["step"]["declared"] == compiled["step"]["handed"]


@pytest.mark.slow
def test_machine_code_is_made_without_a_gpu(compiled: dict[str, Any]) -> None:
    if importlib.util.find_spec("cuda") is None:
        pytest.skip("no numba-cuda")
    assert compiled["step"]["registers"] > 0
    assert compiled["step"]["named"], "the driver could not find the kernel by its name"


def test_kernels_on_record_fuse_nothing_and_fit_a_launch() -> None:
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    names = {row["name"] for row in record["kernels"]}
    wanted = {f"{kind}_{name}" for name in FAMILIES for kind in ("step", "renew")}
    assert names == wanted | {"listing_step"}
    for row in record["kernels"]:
        assert row["fused_multiply_adds"] == 0, row["name"]
        assert row["parameter_bytes"] <= 4096, row["name"]


@pytest.mark.slow
def test_simulated_worlds_of_every_family_are_those_of_the_cpu(tmp_path: Path) -> None:
    kept: dict[str, Any] = {}
    for i, world_id in enumerate(device_play.smallest_of_each_family()):
        mode, _ = device_play.variant(i)
        worlds = make_vec(world_id, WORLDS, autoreset=mode)
        played = device_play.play(worlds, STEPS, True)
        assert any("final" in name or "masked" in name for name in played) or mode == "next_step"
        kept |= {f"{world_id}/{name}": array for name, array in played.items()}
    np.savez(tmp_path / "cpu.npz", **kept)
    switches = {"NUMBA_ENABLE_CUDASIM": "1", "NUMBA_DISABLE_JIT": "1"}
    told = run(
        *("-m", "pytest", "-q", "-p", "no:cacheprovider", str(HERE / "simulated_device.py")),
        CPU_PLAYED=str(tmp_path / "cpu.npz"),
        **switches,
    )
    assert " passed" in told


def test_a_field_that_differs_at_one_step_changes_its_digest_alone() -> None:
    worlds = make_vec("MiniGrid-DoorKey-5x5-v0", WORLDS, autoreset="same_step")
    kept = device_play.play(worlds, STEPS, True)
    wanted = device_play.digests(kept)
    assert device_play.digests(dict(kept)) == wanted
    kept[f"{STEPS - 1} image"][0, 0, 0, 0] ^= 1
    changed = device_play.digests(kept)
    assert {name for name in wanted if changed[name] != wanted[name]} == {"image"}


def test_the_record_of_a_gpu_has_every_id_and_no_difference() -> None:
    record = json.loads(RECORD.with_name("gpu-check.json").read_text(encoding="utf-8"))
    assert {game["world"] for game in record["parity"]} == set(WORLD_IDS)
    assert {game["mode"] for game in record["parity"]} == set(device_play.NAMES)
    assert not any(game["differences"] for game in record["parity"])
    assert not record["graph_differences"]


def test_a_machine_without_a_gpu_says_what_is_missing() -> None:
    if missing() is None:
        pytest.skip("there is a GPU")
    with pytest.raises(ValueError, match=r"device is 'cuda', but .*pip install") as raised:
        make_vec("MiniGrid-Empty-5x5-v0", 2, device="cuda")
    assert "\n" not in str(raised.value)
    with pytest.raises(ValueError, match="give 'cpu', 'cuda'"):
        make_vec("MiniGrid-Empty-5x5-v0", 2, device="gpu")


def test_auto_takes_the_cpu_where_no_gpu_works_and_hands_out_torch_either_way() -> None:
    import torch

    worlds = make_vec("MiniGrid-Empty-5x5-v0", 2, device="auto")
    shown, _ = worlds.reset(seed=0)
    assert isinstance(shown["image"], torch.Tensor)
    assert (shown["image"].device.type == "cuda") == (missing() is None)
    numbers = make_vec("MiniGrid-Empty-5x5-v0", 2, device="auto", output="numpy")
    assert isinstance(numbers.reset(seed=0)[0]["image"], np.ndarray)
