"""How the engine's functions are compiled, and where their machine code is kept between processes.

`pure` marks a function of one world: int32 and int64 arithmetic, no allocation, no exceptions, so
that a CUDA kernel can call the same source. `kernel` marks a loop over worlds: it drops the GIL
and its machine code is kept under `<user cache>/s2lab/<fingerprint>`, where the fingerprint covers
every file of the engine. (numba's own cache looks at the outermost function's file only, and goes
stale when a function that it calls is edited.) Knows nothing about worlds.
"""

import hashlib
import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba import njit
from numba.core.caching import CompileResultCacheImpl, FunctionCache, _CacheLocator

F = TypeVar("F", bound=Callable[..., Any])
_CONFIG: Any = numba.config
INTERPRETED = bool(_CONFIG.DISABLE_JIT)  # kernels are Python functions: for debugging, and CUDA's
ENGINE = Path(__file__).parent

# Whether a function is inlined is always said: unsaid, numba takes it from whichever caller happens
# to be compiled first. No exceptions, and no reference counts: a function that allocates does not
# compile at all, and one that is handed a dozen arrays does not touch their counters on every call.
_FLAGS: dict[str, Any] = {"error_model": "numpy", "_nrt": False}
INLINED: Any = {"forceinline": True, **_FLAGS}  # for `overload`, as `inlined`


def pure(function: F) -> F:
    """Compile a function of one world, to be called from kernels."""
    return cast(F, njit(forceinline=False, **_FLAGS)(function))


def inlined(function: F) -> F:
    """As `pure`, for a function on the path of every step: copied into its caller."""
    return cast(F, njit(**INLINED)(function))


def named_after(other: Any) -> Callable[[F], F]:
    """Give a closure a name of its own, after the function that it was made for.

    numba calls machine code by a function's name and by a number that every process counts from 0.
    Closures of one name, compiled in different processes and loaded into a third, would be taken
    for each other.
    """
    made_for = getattr(other, "py_func", other)

    def rename(function: F) -> F:
        function.__qualname__ += f"_{made_for.__module__}.{made_for.__qualname__}"
        return function

    return rename


def kernel(name: str) -> Callable[[F], F]:
    """Compile a loop over worlds without the GIL, kept on disk under `name`, which is unique."""

    def compile_kernel(function: F) -> F:
        function.__qualname__ = name  # see `named_after`
        dispatcher = njit(nogil=True, forceinline=False, **_FLAGS)(function)
        if not INTERPRETED:
            function.__kernel_name__ = name  # type: ignore[attr-defined]  # read by the locator
            dispatcher._cache = _EngineCache(function)  # type: ignore[no-untyped-call]
        return cast(F, dispatcher)

    return compile_kernel


def load(dispatcher: Any, name: str, signature: Any) -> int:
    """Make a kernel ready for a signature; its address, to be called with C's convention.

    Says so on stderr when that takes a compilation.
    """
    if signature.args not in dispatcher.overloads:
        folder = cache_folder()
        if not any(folder.glob(f"{name}-*.nbi")):
            say_compiling(name.replace("_", " "))
        dispatcher.compile(signature)
    code = dispatcher.overloads[signature.args]
    return int(code.library.get_pointer_to_function(code.fndesc.llvm_cfunc_wrapper_name))


def say_compiling(what: str) -> None:
    """Tell whoever waits."""
    print(
        f"s2lab: compiling {what} for this machine, once "
        f"(up to a minute; kept in {cache_folder()})",
        file=sys.stderr,
        flush=True,
    )


def user_cache_folder() -> Path:
    """The user's cache folder: $XDG_CACHE_HOME, or the platform's usual place."""
    chosen = os.environ.get("XDG_CACHE_HOME")
    if chosen:
        return Path(chosen)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    return Path.home() / ".cache"


def fingerprint(engine: Path = ENGINE) -> str:
    """A hash of every source file of the engine, of the words, numba and the processor."""
    from llvmlite import binding

    digest = hashlib.sha256()
    for path in [*sorted(engine.rglob("*.py")), engine.parent / "vocabulary.txt"]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    processor = f"{binding.get_host_cpu_name()} {binding.get_host_cpu_features().flatten()}"
    digest.update(f"{numba.__version__} {sys.version_info[:2]} {processor}".encode())
    return digest.hexdigest()[:16]


@cache
def cache_folder() -> Path:
    """Where this engine's machine code is kept."""
    return user_cache_folder() / "s2lab" / fingerprint()


class _EngineLocator(_CacheLocator):
    """Tells numba's cache to use the engine's folder; the folder's name vouches for freshness."""

    def __init__(self, name: str, py_file: str) -> None:
        self._name = name
        self._py_file = py_file  # numba names it where it warns that code cannot be kept

    def get_cache_path(self) -> str:
        return str(cache_folder())

    def get_source_stamp(self) -> str:
        return cache_folder().name

    def get_disambiguator(self) -> str:
        return ""

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> "_EngineLocator | None":
        locator = cls(py_func.__kernel_name__, py_file)
        try:
            locator.ensure_cache_path()  # type: ignore[no-untyped-call]  # numba's own
        except OSError:
            return None
        return locator


class _EngineCacheImpl(CompileResultCacheImpl):
    _locator_classes: list[Any] = [_EngineLocator]  # noqa: RUF012  # numba's own convention

    def get_filename_base(self, fullname: str, abiflags: str) -> str:
        return f"{self._locator._name}-py{sys.version_info[0]}{sys.version_info[1]}{abiflags}"


class _EngineCache(FunctionCache):
    """numba's cache, keyed by signature and machine alone: closures are named by their kernel."""

    _impl_class = _EngineCacheImpl

    def _index_key(self, sig: Any, codegen: Any) -> Any:
        return (sig, codegen.magic_tuple())
