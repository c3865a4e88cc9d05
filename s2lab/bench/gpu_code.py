"""What the CUDA kernels of every family take of a GPU, compiled without one.

python -m s2lab.bench.gpu_code runs/records/gpu-code.json [SECONDS]

Each kernel goes through numba, libnvvm and nvJitLink to machine code of one architecture; the
assembler says how many registers and how much local memory a thread takes. A record that was begun
for the same engine is gone on with; after SECONDS no other kernel is begun. Says nothing of speed.
"""

import json
import re
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any

from s2lab import durable
from s2lab.bench.harness import machine, versions
from s2lab.envs.grid.level import Family, Level

CAPABILITY = (9, 0)
FUSED_MULTIPLY_ADD = re.compile(r"\bfma\.\S*f(?:32|64)")
MOST_PARAMETER_BYTES = 4096  # that a launch takes on every GPU


def kernels() -> dict[str, Callable[[], tuple[Callable[..., None], tuple[Any, ...]]]]:
    """By name, how to make each kernel and arguments of its types: one world of each family."""
    from s2lab.envs.grid import cuda
    from s2lab.envs.registration import WORLDS

    first = {family.name: (family, level) for family, level in reversed(WORLDS.values())}
    family, level = first["doorkey"]
    found = {"listing_step": lambda: (cuda.listing_step(), arguments(level, "listing"))}
    for name, (family, level) in sorted(first.items()):
        found[f"step_{name}"] = _maker(cuda.fused_step, family, level, "fused")
        found[f"renew_{name}"] = _maker(cuda.renewal, family, level, "renewal")
    return dict(sorted(found.items(), key=lambda item: ("babyai" in item[0], item[0])))


def _maker(make: Callable[[Family], Any], family: Family, level: Level, kind: str) -> Any:
    return lambda: (make(family), arguments(level, kind))


def arguments(level: Level, kind: str) -> tuple[Any, ...]:
    """What a kernel is handed for a level, with the default plan's memory layout and no memory."""
    import numpy as np

    from s2lab.envs.device import LAYOUTS, Plan
    from s2lab.envs.grid.cuda_launch import Placed
    from s2lab.envs.grid.level import make_shared
    from s2lab.envs.grid.worlds import make_outputs, make_worlds

    def placed(group: Any, columns: bool) -> Any:
        return type(group)(*(Placed(0, a.shape, a.dtype, columns) for a in group))

    state, shown = LAYOUTS[Plan().layout]
    rules, tables = make_shared(level, view_size=7, full=False)
    words = level.mission_length
    worlds = make_worlds(2, rules, slots=level.slots, words=words, scratch=level.scratch)
    outputs = make_outputs(2, rules, words)
    common = (placed(worlds, state), rules, placed(tables, False), placed(outputs, shown))
    numbers = Placed(0, (2,), np.dtype(np.int64))  # actions, and complaints
    listed = Placed(0, (3,), np.dtype(np.int32))
    return {
        "fused": (*common, numbers, numbers, 0, 7),
        "listing": (*common, numbers, numbers, listed, 0, 7),
        "renewal": (*common, listed, 0),
    }[kind]


def measure(name: str, function: Callable[..., None], given: tuple[Any, ...]) -> dict[str, Any]:
    """Compile one kernel and read what it takes."""
    import ctypes

    from numba import types

    from s2lab.envs.grid.cuda_code import assemble, to_ptx
    from s2lab.envs.grid.cuda_launch import parameters, type_of

    start = time.process_time()
    ptx = to_ptx(name, function, types.void(*map(type_of, given)), CAPABILITY)
    cubin, use = assemble(ptx, CAPABILITY)
    sizes = [ctypes.sizeof(word) for argument in given for word in parameters(argument)]
    at = 0
    for size in sizes:  # each aligned to its own size
        at = -(-at // size) * size + size
    return {
        "name": name,
        "registers": use.registers,
        "local_bytes": use.local_bytes,
        "spilled_bytes": use.spilled_bytes,
        "parameter_bytes": at,
        "fused_multiply_adds": len(FUSED_MULTIPLY_ADD.findall(ptx)),
        "machine_code_bytes": len(cubin),
        "compile_cpu_s": round(time.process_time() - start, 1),
    }


def main(path: Path, most_s: float = float("inf")) -> None:
    """Measure what is not in the record yet, and begin nothing after `most_s` seconds."""
    from s2lab.envs.grid.compiled import fingerprint

    packages = ("numba-cuda", "nvidia-nvvm", "nvidia-nvjitlink")
    about: dict[str, Any] = {
        "command": f"python -m s2lab.bench.gpu_code {path}",
        "engine": fingerprint(),
        "architecture": f"sm_{CAPABILITY[0]}{CAPABILITY[1]}",
        "machine": machine(),
        "versions": versions() | {name: metadata.version(name) for name in packages},
    }
    rows: list[dict[str, Any]] = []
    if path.exists():
        before = json.loads(path.read_text(encoding="utf-8"))
        rows = before["kernels"] if before["engine"] == about["engine"] else []
    done = {row["name"] for row in rows}
    path.parent.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    for name, make in kernels().items():
        if name not in done and time.monotonic() - start < most_s:
            rows.append(measure(name, *make()))
            print(json.dumps(rows[-1]), flush=True)
            text = json.dumps({"kernels": rows, **about}, indent=2) + "\n"
            durable.replace(path, text.encode())
    print(table({"kernels": rows, **about}))


def table(record: dict[str, Any]) -> str:
    """Markdown: the step alone, and the least, median and most of the kernels of all families."""
    rows = record["kernels"]
    lines = ["| kernel | registers | local memory, bytes | spilled, bytes |", "|---|---|---|---|"]
    groups = {
        "step, finished worlds listed (every family)": ("listing_step",),
        "second pass over the list": ("renew_",),
        "step with reset in place": ("step_",),
    }
    for title, (start,) in groups.items():
        chosen = [row for row in rows if row["name"].startswith(start)]
        if not chosen:
            continue
        count = f", {len(chosen)} families" if len(chosen) > 1 else ""
        columns = (_span([row[key] for row in chosen]) for key in _COLUMNS)
        lines.append(f"| {title}{count} | {' | '.join(columns)} |")
    fused = sum(row["fused_multiply_adds"] for row in rows)
    most = max(row["parameter_bytes"] for row in rows)
    lines += [
        "",
        f"Least / median / most, compiled for {record['architecture']} with numba-cuda "
        f"{record['versions']['numba-cuda']}. Fused floating-point multiply-adds: {fused}. "
        f"Arguments: at most {most:,} of {MOST_PARAMETER_BYTES:,} bytes.",
    ]
    return "\n".join(lines)


_COLUMNS = ("registers", "local_bytes", "spilled_bytes")


def _span(values: list[int]) -> str:
    if len(values) == 1:
        return f"{values[0]:,}"
    return f"{min(values):,} / {round(median(values)):,} / {max(values):,}"


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(float, sys.argv[2:3]))
