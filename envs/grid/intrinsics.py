"""What kernels need and numba does not offer: counters that threads share, addresses, sleep.

These exist on the CPU only, and only compiled. Knows no worlds.
"""

from collections.abc import Callable
from platform import machine
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.cgutils import get_or_insert_function
from numba.extending import intrinsic

_WORD = ir.IntType(64)
_ISB = ("llvm.aarch64.isb", ir.Constant(ir.IntType(32), 15))  # takes as long as x86's pause
PAUSES: dict[str, tuple[Any, ...]] = {
    "x86_64": ("llvm.x86.sse2.pause",),
    "aarch64": _ISB,
    "arm64": _ISB,
}
_function: Any = get_or_insert_function
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
    """Set the word at an address: who reads it there sees all that was written before, too."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        builder.store_atomic(given[1], _place(builder, given[0], _WORD), "release", 8)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


@_primitive
def call(context: Any, address: Any, state: Any, mode: Any, start: Any, stop: Any) -> Any:
    """Call a kernel of four words by its address."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        kernel = _place(builder, given[0], ir.FunctionType(_WORD, [_WORD] * 4))
        return builder.call(kernel, given[1:])

    return types.int64(*[types.int64] * 5), generate


@_primitive
def pause(context: Any) -> Any:
    """Tell the core that a thread waits for another: it saves power, and its twin goes faster."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        for name, *words in [PAUSES[machine()]] if machine() in PAUSES else []:
            kind = ir.FunctionType(ir.VoidType(), [word.type for word in words])
            builder.call(_function(builder.module, kind, name), words)
        return context.get_dummy_value()

    return types.void(), generate


def _imported(name: str, count: int) -> Any:
    return types.ExternalFunction(name, types.int32(*[types.int64] * count))


# POSIX threads: what sleeps, and what wakes it. Linux and macOS have them in every process.
mutex_init, condition_init = _imported("pthread_mutex_init", 2), _imported("pthread_cond_init", 2)
lock, unlock = _imported("pthread_mutex_lock", 1), _imported("pthread_mutex_unlock", 1)
wait, wake_all = _imported("pthread_cond_wait", 2), _imported("pthread_cond_broadcast", 1)
