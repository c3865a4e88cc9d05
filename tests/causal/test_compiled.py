"""Machine code on disk is not used after an edit of anything that it was made from."""

import shutil
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from numba.core.dispatcher import Dispatcher

from s2lab.causal.discovery.compiled import FOLDER, sources

MODULES = [entry.name for entry in iter_modules([str(FOLDER)])]


def test_an_edit_of_any_file_makes_it_stale(tmp_path: Path) -> None:
    copy = shutil.copytree(FOLDER, tmp_path / "discovery")
    before = sources(copy)
    assert before == sources()
    with (copy / "environments.py").open("a") as file:  # constants that kernels read
        file.write("\nANOTHER = 1\n")
    sources.cache_clear()
    assert sources(copy) != before


def test_every_kernel_is_kept_under_that_hash() -> None:
    modules = [import_module(f"s2lab.causal.discovery.{name}") for name in MODULES]
    found: list[Any] = [
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, Dispatcher)
    ]
    assert len(found) > 40
    assert {kernel._cache._cache_file._source_stamp for kernel in found} == {sources()}
