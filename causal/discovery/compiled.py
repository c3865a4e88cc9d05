"""How the kernels of discovery are compiled, and when their machine code on disk is stale.

numba's own cache looks at the outermost function's file only: after an edit of a function or a
constant of another file it would go on with what was compiled before. Here it is fresh as long as
no file of this folder has changed. Knows no data and no graphs.
"""

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

from numba import njit
from numba.core.caching import FunctionCache

Function = TypeVar("Function", bound=Callable[..., Any])
FOLDER = Path(__file__).parent


def kernel(function: Function) -> Function:
    """Compile a function over arrays and numbers; exceptions and order of sums are Python's."""
    return _kept(function, fastmath=False)


def quick_kernel(function: Function) -> Function:
    """As `kernel`, where sums may be reordered and neither NaN nor infinity comes in."""
    return _kept(function, fastmath=True)


def _kept(function: Function, *, fastmath: bool) -> Function:
    compiled: Any = njit(fastmath=fastmath)(function)
    if hasattr(compiled, "_cache"):  # not where numba is told to interpret
        compiled._cache = _Kept(function)
    return cast(Function, compiled)


class _Kept(FunctionCache):
    """numba's cache with another idea of what makes it stale."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)  # type: ignore[no-untyped-call]  # numba's own
        self._cache_file._source_stamp = sources()


@cache
def sources(folder: Path = FOLDER) -> str:
    """A hash of every file that may hold a kernel, or a constant that one reads."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
