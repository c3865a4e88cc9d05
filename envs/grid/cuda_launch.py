"""Launches of CUDA kernels whose arguments never change, so that a launch is one driver call.

Arrays are named by address, shape and type (`Placed`), whoever owns them. Without a GPU numba's
simulator takes the launches, and arrays are numpy's (NUMBA_ENABLE_CUDASIM=1). Knows no torch, no
worlds and no families.
"""

import ctypes
import hashlib
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module, metadata
from typing import Any

import numpy as np

from s2lab.envs.grid.compiled import cache_folder, say_compiling
from s2lab.envs.grid.cuda_code import PACKAGES, Capability, assemble, to_ptx
from s2lab.envs.grid.worlds import Array

numba: Any = import_module("numba")  # whose functions are untyped
SIMULATED = bool(numba.config.ENABLE_CUDASIM)

Launch = Callable[[int], None]  # given the address of a stream, 0 for the default one


@dataclass(frozen=True)
class Placed:
    """An array in memory that a GPU reaches."""

    address: int
    """Where it begins."""
    shape: tuple[int, ...]
    """As kernels index it."""
    dtype: np.dtype[Any]
    """Of its elements."""
    columns: bool = False
    """Whether the first axis lies innermost (Fortran's order) instead of the last (C's)."""

    @property
    def strides(self) -> tuple[int, ...]:
        """Bytes from one element to the next along each axis."""
        axes = range(len(self.shape))
        inner = [self.shape[:i] if self.columns else self.shape[i + 1 :] for i in axes]
        return tuple(math.prod(lengths) * self.dtype.itemsize for lengths in inner)

    def as_numpy(self) -> Array:
        """The same memory as a numpy array, where the host reaches it."""
        size = math.prod(self.shape) * self.dtype.itemsize
        buffer: Any = (ctypes.c_byte * size).from_address(self.address)
        flat: Array = np.frombuffer(buffer, self.dtype)
        return flat.reshape(self.shape, order="F" if self.columns else "C")


def type_of(argument: Any) -> Any:
    """numba's type of an argument: a `Placed`, a number, or a (named) tuple of these."""
    if isinstance(argument, Placed):
        layout = "F" if argument.columns and len(argument.shape) > 1 else "C"
        return numba.types.Array(numba.from_dtype(argument.dtype), len(argument.shape), layout)
    if isinstance(argument, tuple):
        parts = tuple(type_of(part) for part in argument)
        return numba.types.BaseTuple.from_types(parts, type(argument))
    return numba.typeof(argument)


def parameters(argument: Any) -> Iterator[Any]:
    """An argument as the kernel's parameters, in the order in which numba takes it apart.

    An array is two references that a GPU has no use for, its size, its elements' size, its address,
    its shape and its strides.
    """
    if isinstance(argument, Placed):
        yield from (ctypes.c_void_p(0), ctypes.c_void_p(0))
        yield ctypes.c_int64(math.prod(argument.shape))
        yield ctypes.c_int64(argument.dtype.itemsize)
        yield ctypes.c_void_p(argument.address)
        yield from map(ctypes.c_int64, (*argument.shape, *argument.strides))
    elif isinstance(argument, tuple):
        for part in argument:
            yield from parameters(part)
    else:
        kind = ctypes.c_int32 if isinstance(argument, np.int32) else ctypes.c_int64
        yield kind(int(argument))


def prepare(
    name: str,
    function: Callable[..., None],
    arguments: tuple[Any, ...],
    *,
    threads: int,
    block: int,
    capability: Capability,
) -> Launch:
    """A launch of a kernel with these arguments, compiled where it is not on disk yet.

    Args:
        name: names the machine code on disk; one name, one source
        function: the kernel
        arguments: what it is given at every launch; arrays must stay where they are
        threads: how many are needed
        block: threads that are scheduled together
        capability: the GPU's
    """
    blocks = -(-threads // block)
    if SIMULATED:
        return _simulated(function, arguments, blocks, block)
    cubin = machine_code(name, function, numba.types.void(*map(type_of, arguments)), capability)
    return _launch(_function(cubin, name), arguments, blocks, block)


def machine_code(
    name: str, function: Callable[..., None], signature: Any, capability: Capability
) -> bytes:
    """The cubin of a kernel whose entry is called `name`, from disk where it is there."""
    versions = [metadata.version(package) for package in PACKAGES]
    digest = hashlib.sha256(f"{signature} {versions}".encode()).hexdigest()[:16]
    architecture = f"sm{capability[0]}{capability[1]}"
    path = cache_folder() / f"{name}-{architecture}-{digest}.cubin"
    if path.exists():
        return path.read_bytes()
    say_compiling(f"{name} for {architecture}")
    cubin, _ = assemble(to_ptx(name, function, signature, capability), capability)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(f".{os.getpid()}")
    beside.write_bytes(cubin)
    beside.replace(path)
    return cubin


def _simulated(
    function: Callable[..., None], arguments: tuple[Any, ...], blocks: int, block: int
) -> Launch:
    def on_host(argument: Any) -> Any:
        if isinstance(argument, Placed):
            return argument.as_numpy()
        if isinstance(argument, tuple):
            parts = [on_host(part) for part in argument]
            return type(argument)(*parts)
        return argument

    kernel = import_module("numba.cuda").jit(function)
    shown = [on_host(argument) for argument in arguments]

    def launch(stream: int) -> None:
        kernel[blocks, block](*shown)

    return launch


def _launch(function: Any, arguments: tuple[Any, ...], blocks: int, block: int) -> Launch:
    from cuda.bindings import driver

    words = [word for argument in arguments for word in parameters(argument)]
    pointers = (ctypes.c_void_p * len(words))(*map(ctypes.addressof, words))
    at = ctypes.addressof(pointers)

    def launch(stream: int, held: Any = (words, pointers)) -> None:
        size = (blocks, 1, 1, block, 1, 1, 0)
        _succeed(driver.cuLaunchKernel(function, *size, driver.CUstream(stream), at, 0))

    return launch


@cache
def _loaded(cubin: bytes, context: int) -> Any:
    from cuda.bindings import driver

    image = np.frombuffer(cubin, np.uint8)
    return _succeed(driver.cuModuleLoadData(image.ctypes.data))


def _function(cubin: bytes, name: str) -> Any:
    """The kernel in the current context, which torch has made."""
    from cuda.bindings import driver

    context = int(_succeed(driver.cuCtxGetCurrent()))
    return _succeed(driver.cuModuleGetFunction(_loaded(cubin, context), name.encode()))


def _succeed(answer: tuple[Any, ...]) -> Any:
    """What a driver call answered.

    Raises:
        RuntimeError: it failed.
    """
    error, *values = answer
    if int(error) != 0:
        raise RuntimeError(f"the CUDA driver answers {error.name}")
    return values[0] if values else None
