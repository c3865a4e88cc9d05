"""The engine's own cache of machine code."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from s2lab.envs.grid import compiled

PROGRAM = """
from s2lab.envs import make_vec
env = make_vec("MiniGrid-Empty-5x5-v0", 1)
env.reset(seed=0)
env.step([0])
"""


def test_editing_a_function_that_a_kernel_calls_is_noticed(tmp_path: Path) -> None:
    room = tmp_path / "envs"
    shutil.copytree(compiled.ENGINE, room / "grid")
    shutil.copy(compiled.ENGINE.parent / "vocabulary.txt", room)
    assert compiled.fingerprint(room / "grid") == compiled.fingerprint()
    callee = room / "grid" / "physics.py"
    callee.write_text(callee.read_text().replace("+ 3) & 3", "+ 1) & 3"))
    assert compiled.fingerprint(room / "grid") != compiled.fingerprint()


def test_a_second_process_finds_the_kernels_of_the_first(tmp_path: Path) -> None:
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    outputs = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            check=True,
        ).stderr.decode()
        for _ in range(2)
    ]
    assert outputs[0].count("compiling") == 3
    assert outputs[1] == ""
