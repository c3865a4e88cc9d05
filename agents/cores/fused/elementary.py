"""exp, sigmoid and tanh that LLVM can vectorise, in single and double precision.

Single precision: Cephes' expf (range reduction to |r| <= ln 2 / 2, polynomial of degree 7), within
1e-7 relative, branch-free. Double precision: the C library's exp. No numpy arrays here, no torch.
"""

import math
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit, types
from numba.extending import overload

Function = TypeVar("Function", bound=Callable[..., None])


def kernel(function: Function) -> Function:
    """Compile a loop over arrays.

    NaN and infinity keep their meaning; sums may be reordered. Without numpy's error model every
    division would be guarded by a branch, which stops vectorisation.
    """
    flags = {"reassoc", "contract", "arcp", "nsz"}
    compiled = njit(cache=True, nogil=True, error_model="numpy", fastmath=flags)(function)
    return cast(Function, compiled)


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
