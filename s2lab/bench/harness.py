"""How a bench measures, reports and records. Knows nothing of what is measured.

Peers are timed in turns (ours, theirs, ours, theirs, ...) by the processor time of this process, so
that a busy machine slows both alike; a row keeps the median. A bench returns rows; `report` prints
the table and writes

    {"rows": [{"name", "value", "unit", "peer", "peer_value", "ratio", "runs"}],
     "machine": {...}, "versions": {...}}
"""

import json
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any

PACKAGES = (
    *("s2lab", "numpy", "numba", "torch", "gymnasium", "minigrid", "stable-baselines3"),
    *("jax", "navix", "xminigrid"),
)


@dataclass(frozen=True)
class Row:
    """One line of a bench: a figure, and the same figure of a peer where there is one."""

    name: str
    """What was measured, with its sizes."""
    value: float
    """Median over `runs`."""
    unit: str
    """Unit of `value` and `peer_value`."""
    peer: str | None = None
    """What it is compared with."""
    peer_value: float | None = None
    """The peer's median, timed in turns with ours."""
    ratio: float | None = None
    """How much better ours is: above 1 is ours ahead, whatever the unit."""
    runs: int = 1
    """Repetitions behind each median."""


def cpu_seconds(work: Callable[[], object], repeats: int = 1) -> float:
    """Processor seconds of one call of `work`, averaged over `repeats` calls."""
    start = time.process_time()
    for _ in range(repeats):
        work()
    return (time.process_time() - start) / repeats


def repeats_for(work: Callable[[], object], at_least_s: float) -> int:
    """How many calls make a measurement of `at_least_s` seconds; also warms `work` up."""
    work()
    return max(1, round(at_least_s / max(cpu_seconds(work), 1e-9)))


def in_turns(
    works: Sequence[Callable[[], object]], runs: int = 5, at_least_s: float = 0.2
) -> list[float]:
    """Median processor seconds of each of `works`, timed in turns `runs` times."""
    repeats = [repeats_for(work, at_least_s) for work in works]
    times: list[list[float]] = [[] for _ in works]
    for _ in range(runs):
        for k, work in enumerate(works):
            times[k].append(cpu_seconds(work, repeats[k]))
    return [median(column) for column in times]


def duel(
    name: str,
    ours: Callable[[], object],
    peer_name: str,
    peer: Callable[[], object],
    runs: int = 5,
    at_least_s: float = 0.2,
) -> Row:
    """Our processor time against a peer's, in milliseconds a call; the ratio is peer / ours."""
    mine, theirs = in_turns([ours, peer], runs, at_least_s)
    return Row(name, mine * 1e3, "ms", peer_name, theirs * 1e3, theirs / mine, runs)


def device_seconds(work: Callable[[], object], runs: int) -> float:
    """Median seconds between two events on a GPU's stream around `work`."""
    import torch

    event: Any = torch.cuda.Event
    times = list[float]()
    for _ in range(runs):
        start, end = event(enable_timing=True), event(enable_timing=True)
        start.record()
        work()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end) / 1e3)
    return median(times)


def machine() -> dict[str, Any]:
    """The machine under the figures: processor, cores, memory, system."""
    model = platform.processor()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        model = names[0].split(":", 1)[1].strip() if names else model
    memory = (
        os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 0
    )
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "memory_gib": round(memory / 2**30, 1),
        "system": platform.platform(),
        "threads": os.environ.get("OMP_NUM_THREADS", "default"),
    }


def versions() -> dict[str, str]:
    """Python and the packages that matter, where installed."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def record(rows: Sequence[Row]) -> dict[str, Any]:
    """Rows with the machine and versions they were measured on, ready for JSON."""
    return {
        "rows": [asdict(row) for row in rows],
        "machine": machine(),
        "versions": versions(),
    }


def write_json(rows: Sequence[Row], path: Path) -> None:
    """Write `record(rows)` beside `path`, then rename over it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".part")
    beside.write_text(json.dumps(record(rows), indent=2) + "\n")
    beside.replace(path)


def table(rows: Sequence[Row]) -> str:
    """Rows as aligned plain text: name, value with unit, peer, its value, ratio."""
    lines = [("what", "value", "peer", "its value", "ratio")]
    for row in rows:
        theirs = "" if row.peer_value is None else f"{row.peer_value:.4g} {row.unit}"
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        lines.append((row.name, f"{row.value:.4g} {row.unit}", row.peer or "", theirs, ratio))
    widths = [max(len(line[column]) for line in lines) for column in range(5)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def report(rows: Sequence[Row], as_json: bool = False, out: Path | None = None) -> None:
    """Print the table, or the record as JSON, and write it to `out` where given."""
    print(json.dumps(record(rows), indent=2) if as_json else table(rows))
    if out is not None:
        write_json(rows, out)
