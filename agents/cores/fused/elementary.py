"""exp, sigmoid and tanh that LLVM can vectorise, and how kernels are compiled and kept.

Single precision: Cephes' expf (range reduction to |r| <= ln 2 / 2, polynomial of degree 7), within
1e-7 relative, branch-free. Double precision: the C library's exp. No numpy arrays here, no torch.
"""

import hashlib
import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit, types
from numba.core.caching import FunctionCache
from numba.extending import overload

Function = TypeVar("Function", bound=Callable[..., Any])


FLAGS: dict[str, Any] = {
    "error_model": "numpy",
    "fastmath": {"reassoc", "contract", "arcp", "nsz"},
}


def kernel(function: Function) -> Function:
    """Compile a loop over arrays.

    NaN and infinity keep their meaning; sums may be reordered. Without numpy's error model every
    division would be guarded by a branch, which stops vectorisation.
    """
    return _compiled(function, FLAGS)


def borrowing(function: Function) -> Function:
    """`kernel` for an inner loop that makes no array and assigns none to another.

    numba counts the references to every array it meets, with an atomic operation each time: a
    twentieth of a small RIMs step. Here it does not; the caller holds the arrays.
    """
    return _compiled(function, FLAGS | {"_nrt": False})


def _compiled(function: Function, flags: dict[str, Any]) -> Function:
    compiled = njit(nogil=True, **flags)(function)
    if hasattr(compiled, "_cache"):  # not where numba is told to interpret
        compiled._cache = Kept(function)
    return cast(Function, compiled)


class Kept(FunctionCache):
    """numba's cache, fresh as long as no kernel changed: its own looks at the outermost file only,
    and keeps what calls an edited function of another file."""

    def __init__(self, function: Callable[..., None]) -> None:
        super().__init__(function)  # type: ignore[no-untyped-call]  # numba's own
        self._cache_file._source_stamp = sources(function.__code__.co_filename)


@cache
def sources(file: str) -> str:
    """A hash of `file` and of this folder's files that may hold kernels."""
    digest = hashlib.sha256(Path(file).read_bytes())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if path.stem not in ("plans", "sequence"):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def inlined(function: Function) -> Function:
    """Compile a piece of a kernel into its callers."""
    return cast(Function, njit(inline="always")(function))


def exponential(x: Any) -> Any:
    """e to the x, in the precision of x."""
    raise NotImplementedError("only inside kernels")


def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x)), in the precision of x."""
    raise NotImplementedError("only inside kernels")


def tangent(x: Any) -> Any:
    """tanh(x), in the precision of x."""
    raise NotImplementedError("only inside kernels")


def one_minus(x: Any) -> Any:
    """1 - x, in the precision of x."""
    raise NotImplementedError("only inside kernels")


@overload(exponential, inline="always", strict=False)
def _exponential(x: Any) -> Any:
    if x != types.float32:
        return lambda x: math.exp(x)

    def single(x: Any) -> Any:
        x = min(max(x, np.float32(-87.0)), np.float32(88.0))
        whole = np.floor(x * np.float32(1.4426950408889634) + np.float32(0.5))
        r = x - whole * np.float32(0.693359375) + whole * np.float32(2.12194440e-4)
        p = np.float32(1.9875691500e-4)
        p = p * r + np.float32(1.3981999507e-3)
        p = p * r + np.float32(8.3334519073e-3)
        p = p * r + np.float32(4.1665795894e-2)
        p = p * r + np.float32(1.6666665459e-1)
        p = p * r + np.float32(5.0000001201e-1)
        p = p * r * r + r + np.float32(1.0)
        power = np.int32((np.int32(whole) + np.int32(127)) << np.int32(23))
        return p * power.view(np.float32)

    return single


@overload(sigmoid, inline="always", strict=False)
def _sigmoid(x: Any) -> Any:
    if x == types.float32:
        return lambda x: np.float32(1.0) / (np.float32(1.0) + exponential(-x))
    return lambda x: 1.0 / (1.0 + exponential(-x))


@overload(tangent, inline="always", strict=False)
def _tangent(x: Any) -> Any:
    if x == types.float32:
        return lambda x: np.float32(1.0) - np.float32(2.0) / (np.float32(1.0) + exponential(x + x))
    return lambda x: math.tanh(x)


@overload(one_minus, inline="always", strict=False)
def _one_minus(x: Any) -> Any:
    if x == types.float32:
        return lambda x: np.float32(1.0) - x
    return lambda x: 1.0 - x
