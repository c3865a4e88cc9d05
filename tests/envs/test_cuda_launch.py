"""What a launch asks of the CUDA driver, told by a driver in C that stands in for it."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from s2lab.envs.grid.cuda_launch import Placed

HERE = Path(__file__).parent

LAUNCHING = """
import gc
import numpy as np
from s2lab.envs.grid import cuda_launch as launching

arrays = (
    launching.Placed(4096, (5, 7), np.dtype("u2"), columns=True),
    launching.Placed(1 << 40, (3,), np.dtype("i8")),
)
function = launching._function(b"\\x7fELF machine code", "listing_step")
launch = launching._launch(function, (arrays, -2, np.int32(-3)), 3, 64)
gc.collect()
launch(0xABC)
"""


def test_a_launch_hands_the_driver_every_parameter_where_it_lies(tmp_path: Path) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("no C compiler")
    if importlib.util.find_spec("cuda") is None:
        pytest.skip("no numba-cuda")
    library = str(tmp_path / "libcuda.so.1")
    source = str(HERE / "fake_driver.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    done = subprocess.run(
        [sys.executable, "-c", LAUNCHING],
        env={**os.environ, "LD_LIBRARY_PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # References, size, element size, address, shape and strides of each array; then the numbers.
    first, second = "0 0 35 2 4096 5 7 2 10", f"0 0 3 8 {1 << 40} 3 8"
    assert done.stdout.splitlines() == [
        "load ELF",
        "function listing_step of 0x77",
        "launch 0x88 grid 3 1 1 block 64 1 1 shared 0 stream 0xabc "
        f"parameters {first} {second} -2 -3",
    ]


@pytest.mark.parametrize("columns", [False, True])
def test_an_array_is_found_where_numpy_would_find_it(columns: bool) -> None:
    array = np.arange(24, dtype=np.int16).reshape(2, 3, 4, order="F" if columns else "C")
    placed = Placed(array.ctypes.data, array.shape, array.dtype, columns)
    assert placed.strides == array.strides
    assert np.array_equal(placed.as_numpy(), array)
