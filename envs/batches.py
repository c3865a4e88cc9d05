"""The engine behind the vector environments, with what a caller says checked. Knows no torch."""

from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode

from s2lab.envs.grid import kernels
from s2lab.envs.grid.cpu import GridBatch
from s2lab.envs.grid.level import Family, Level
from s2lab.envs.registration import find_world

MODES = {
    AutoresetMode.SAME_STEP: kernels.SAME_STEP,
    AutoresetMode.NEXT_STEP: kernels.NEXT_STEP,
    AutoresetMode.DISABLED: kernels.DISABLED,
}
_MODE_NAMES = {"same_step", "next_step", "disabled"}


def make_batch(world_id: str, num_envs: int, *, threads: int, **options: Any) -> GridBatch:
    """Worlds on the CPU; `options` are those of `checked`.

    Raises:
        ValueError: an argument is not one of those allowed.
    """
    if not isinstance(threads, int | np.integer) or threads < 1:
        raise ValueError(f"threads is {threads!r}; give a whole number from 1, or None")
    family, level, rest = checked(world_id, num_envs, **options)
    return GridBatch(family, level, int(num_envs), threads=int(threads), **rest)


def checked(
    world_id: str, num_envs: int, *, mode: int, observation: str, view_size: int, **variant: Any
) -> tuple[Family, Level, dict[str, Any]]:
    """The worlds of an id, and what an engine is told of them; `variant` goes to `find_world`.

    Raises:
        ValueError: an argument is not one of those allowed.
    """
    if not isinstance(num_envs, int | np.integer) or num_envs < 1:
        raise ValueError(f"num_envs is {num_envs!r}; give a whole number from 1")
    if view_size not in range(3, 16, 2):
        raise ValueError(f"view_size is {view_size!r}; give an odd number from 3 to 15")
    _check("observation", observation, ("partial", "full"))
    family, level = find_world(world_id, **variant)
    return family, level, {"mode": mode, "view_size": int(view_size), "full": observation == "full"}


def choose_device(device: str, output: str | None) -> str:
    """ "cpu", or the name of a GPU that works here.

    Raises:
        ValueError: there is no such device here, which says what is missing, or no such output.
    """
    if output is not None:
        _check("output", output, ("numpy", "torch"))
    if device == "cpu" or (device == "auto" and output == "numpy"):
        return "cpu"
    kind, _, number = device.partition(":")
    if device != "auto" and (kind != "cuda" or (number and not number.isdecimal())):
        raise ValueError(f"device is {device!r}; give 'cpu', 'cuda', 'cuda:1' ... or 'auto'")
    if output == "numpy":
        raise ValueError("on a GPU observations are torch's; give output='torch' or leave it out")
    from s2lab.envs.device import found_here, missing

    if device == "auto":
        return "cuda" if found_here() else "cpu"
    lacking = missing(int(number or 0))
    if lacking is not None:
        raise ValueError(f"device is {device!r}, but {lacking}")
    return device


def _check(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"{name} is {value!r}; give one of {', '.join(map(repr, allowed))}")


def autoreset_mode(given: str | AutoresetMode) -> AutoresetMode:
    """gymnasium's auto-reset mode from its name.

    Raises:
        ValueError: there is no such mode.
    """
    if isinstance(given, AutoresetMode):
        return given
    _check("autoreset", given, tuple(sorted(_MODE_NAMES)))
    return AutoresetMode[given.upper()]
