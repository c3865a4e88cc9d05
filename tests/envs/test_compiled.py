"""The engine's own cache of machine code."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from s2lab.envs.grid import compiled

PROGRAM = """
from s2lab.envs import make_vec
env = make_vec("MiniGrid-Empty-5x5-v0", 1)
env.reset(seed=0)
env.step([0])
"""


# One more kernel in a copy of the engine; what it calls stands in another file, `cells.py`.
PROBE = """
from s2lab.envs.grid.cells import type_of
from s2lab.envs.grid.compiled import kernel

@kernel("probe")
def probe(cell):
    return type_of(cell)
"""
ASK = """
from s2lab.envs.grid import cells, compiled
from s2lab.envs.grid.probe import probe
print(probe(cells.GOAL), sum(probe.stats.cache_hits.values()), compiled.cache_folder())
"""


def ask(room: Path, **environment: str) -> tuple[str, ...]:
    """What the probe's kernel says, whether it was found on disk, and where it is kept."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", ASK],
        env={
            **os.environ,
            "PYTHONPATH": str(room),
            "XDG_CACHE_HOME": str(room),
            "PYTHONWARNINGS": "error",
            **environment,
        },
        capture_output=True,
        text=True,
        check=True,
    )
    return tuple(done.stdout.split())


# Kernels made by one function, in which a closure is called, as the layouts of families are.
CLOSURES = """
import sys
from ctypes import CFUNCTYPE, c_int64
from numba import types
from s2lab.envs.grid.compiled import kernel, load, named_after, pure

def making(number):
    def inner():
        pass
    inner.__qualname__ = f"inner_{number}"

    @pure
    @named_after(inner)
    def constant(word):
        return word + number

    @kernel(f"constant_{number}")
    def outer(word):
        return constant(word)

    return outer

made = {}
for word in sys.argv[1:]:
    made.setdefault(word, making(int(word)))
    address = load(made[word], f"constant_{word}", types.int64(types.int64))
    print(CFUNCTYPE(c_int64, c_int64)(address)(0))
"""


@pytest.fixture
def room(tmp_path: Path) -> Path:
    """A folder with a copy of the engine in its place, to be edited."""
    envs = tmp_path / "s2lab" / "envs"
    shutil.copytree(compiled.ENGINE, envs / "grid")
    shutil.copy(compiled.ENGINE.parent / "vocabulary.txt", envs)
    (envs / "grid" / "probe.py").write_text(PROBE)
    for package in (envs.parent, envs):
        (package / "__init__.py").touch()
    return tmp_path


def test_a_kernel_in_the_cache_is_made_anew_when_a_function_it_calls_is_edited(room: Path) -> None:
    goal, hits, folder = ask(room)
    assert (goal, hits) == ("8", "0")
    assert ask(room) == ("8", "1", folder)
    callee = room / "s2lab" / "envs" / "grid" / "cells.py"
    before = callee.read_text()
    callee.write_text(before.replace("return cell & 15", "return (cell & 15) + 100"))
    assert callee.read_text() != before
    goal, hits, other = ask(room)
    assert (goal, hits) == ("108", "0")
    assert other != folder
    callee.write_text(before)
    assert ask(room) == ("8", "1", folder)


def test_closures_from_two_processes_are_not_taken_for_each_other(tmp_path: Path) -> None:
    def run(*words: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-c", CLOSURES, *words],
            env={**os.environ, "XDG_CACHE_HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.split()

    assert run("100") == ["100"]
    assert run("200") == ["200"]
    assert run("100", "200", "100", "200") == ["100", "200", "100", "200"]


def test_code_that_numba_cannot_keep_still_runs(room: Path) -> None:
    probe = room / "s2lab" / "envs" / "grid" / "probe.py"
    pointer = "import ctypes\nlabs = ctypes.CDLL(None).labs\n"
    pointer += "labs.argtypes, labs.restype = [ctypes.c_long], ctypes.c_long\n"
    probe.write_text(pointer + probe.read_text().replace("type_of(cell)", "labs(-type_of(cell))"))
    assert ask(room, PYTHONWARNINGS="default")[:2] == ("8", "0")


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
