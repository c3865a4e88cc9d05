"""What kernels need and numba does not offer: counters that threads share, addresses, sleep.

These exist on the CPU only, and only compiled. Knows no worlds.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

_WORD = ir.IntType(64)
_primitive: Callable[[Callable[..., Any]], Any] = intrinsic


def _place(builder: Any, address: Any, kind: Any) -> Any:
    return builder.inttoptr(address, kind.as_pointer())


@_primitive
def fetch_add(context: Any, address: Any, amount: Any) -> Any:
    """Add to the word at an address, in one piece; the word before."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return builder.atomic_rmw("add", _place(builder, given[0], _WORD), given[1], "seq_cst")

    return types.int64(types.int64, types.int64), generate


@_primitive
def read(context: Any, address: Any) -> Any:
    """The word at an address, which other threads write."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return builder.load_atomic(_place(builder, given[0], _WORD), "seq_cst", 8)

    return types.int64(types.int64), generate


@_primitive
def write(context: Any, address: Any, word: Any) -> Any:
    """Set the word at an address, which other threads read; all that was written before is seen."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        builder.store_atomic(given[1], _place(builder, given[0], _WORD), "seq_cst", 8)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


@_primitive
def call(context: Any, address: Any, state: Any, mode: Any, start: Any, stop: Any) -> Any:
    """Call a kernel of four words by its address."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        kernel = _place(builder, given[0], ir.FunctionType(_WORD, [_WORD] * 4))
        return builder.call(kernel, given[1:])

    return types.int64(*[types.int64] * 5), generate


def _imported(name: str, count: int) -> Any:
    return types.ExternalFunction(name, types.int32(*[types.int64] * count))


# POSIX threads: what sleeps, and what wakes it. Linux and macOS have them in every process.
mutex_init, condition_init = _imported("pthread_mutex_init", 2), _imported("pthread_cond_init", 2)
lock, unlock = _imported("pthread_mutex_lock", 1), _imported("pthread_mutex_unlock", 1)
wait, wake_all = _imported("pthread_cond_wait", 2), _imported("pthread_cond_broadcast", 1)
offer_core = _imported("sched_yield", 0)
