"""CUDA kernels as machine code for one kind of GPU, compiled with or without that GPU at hand.

    Python -> PTX (numba-cuda, libnvvm) -> cubin (nvJitLink), kept beside the CPU's machine code

Knows no worlds and launches nothing: `cuda_launch.py` does.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

Capability = tuple[int, int]
PACKAGES = ("numba-cuda", "nvidia-nvvm", "nvidia-nvjitlink")  # what the code depends on


@dataclass(frozen=True)
class Use:
    """What a thread of a kernel takes, as the assembler reports it."""

    registers: int
    """Registers of 32 bits."""
    local_bytes: int
    """Local memory: frames of functions that were not copied into their callers, and spills."""
    spilled_bytes: int
    """What of it is there because registers ran out."""


@contextmanager
def _compiling_for(capability: Capability) -> Iterator[None]:
    """Let numba compile what kernels call without looking for a GPU."""
    dispatcher: Any = import_module("numba.cuda.dispatcher")

    class Device:
        compute_capability = capability

    before = dispatcher.get_current_device
    dispatcher.get_current_device = Device
    try:
        yield
    finally:
        dispatcher.get_current_device = before


def to_ptx(name: str, function: Callable[..., None], signature: Any, capability: Capability) -> str:
    """A kernel as PTX, whose entry is called `name`."""
    compile_ptx = import_module("numba.cuda").compile_ptx
    with _compiling_for(capability):
        ptx, _ = compile_ptx(function, signature, cc=capability)
    entry = re.search(r"\.entry\s+(\S+?)\(", ptx)
    if entry is None:
        raise RuntimeError(f"numba left no entry in the code of {name}")
    return str(ptx).replace(entry[1], name)


def assemble(ptx: str, capability: Capability) -> tuple[bytes, Use]:
    """PTX as a cubin, and what its kernel takes.

    Raises:
        RuntimeError: the assembler refuses it.
    """
    from cuda.bindings import nvjitlink

    options = [f"-arch=sm_{capability[0]}{capability[1]}", "-verbose", "-fma=0"]
    handle = nvjitlink.create(len(options), options)
    try:
        data = ptx.encode()
        nvjitlink.add_data(handle, nvjitlink.InputType.PTX, data, len(data), "kernel")
        nvjitlink.complete(handle)
        cubin = bytearray(nvjitlink.get_linked_cubin_size(handle))
        nvjitlink.get_linked_cubin(handle, cubin)
        log = bytearray(nvjitlink.get_info_log_size(handle))
        nvjitlink.get_info_log(handle, log)
    except nvjitlink.nvJitLinkError as error:
        log = bytearray(nvjitlink.get_error_log_size(handle))
        nvjitlink.get_error_log(handle, log)
        raise RuntimeError(f"{error}: {log.decode(errors='replace')}") from None
    finally:
        nvjitlink.destroy(handle)
    return bytes(cubin), read_log(log.decode(errors="replace"))


def read_log(log: str) -> Use:
    """What the assembler says of a cubin with one kernel.

    Raises:
        RuntimeError: it says nothing of the kind.
    """
    found = re.search(r"used (\d+) registers.*? (\d+) stack.*? (\d+) bytes lmem", log)
    if found is None:
        raise RuntimeError(f"the assembler does not say what the kernel takes: {log[:500]}")
    spilled = sum(map(int, re.findall(r"(\d+) bytes spill stores", log)))
    return Use(int(found[1]), max(int(found[2]), int(found[3])), spilled)
