"""Random graphs of hundreds of variables: time, memory and mistakes of the default learner.

Protocol: Erdos-Renyi graphs of expected degree 2 and 8, random networks of three categories (the
recipe of ENCO's worlds), 100,000 observations and 4096 rows of a uniform do on every variable,
columns shuffled. Rows are bytes in a memory-mapped file, one column after the other; drawing them
is timed apart. Memory is the peak of this process, mapped pages included.
"""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2lab.causal.data import InterventionalData
from s2lab.causal.families import random_graph
from s2lab.causal.scm import StructuralCausalModel
from s2lab.reproduce.records import markdown, rows_so_far, write_record
from s2lab.reproduce.recovery import recover

SIZES, DEGREES, CATEGORIES = (200, 400, 1000), (2, 8), 3
OBSERVATIONS, PER_INTERVENTION = 100_000, 4096
FEW = (50, 2, 2_000_000, 400)
"""Variables, degree, observations and rows per do of a small graph with the large ones' search."""

BLOCK = 20_000
"""Observations that are drawn at a time."""

MISTAKES = 2
"""Mean SHD that a size may have."""


def reproduce(*, quick: bool, seeds: Sequence[int]) -> int:
    """Measure the table (quick: 50 variables, as many rows as make the same search); 0 if means
    are in bounds.

    Small graphs of all seeds come first; the record is written after every graph, and goes on
    from those it has.
    """
    used = list(seeds)[:1] if quick else list(seeds)
    sizes = FEW[:1] if quick else SIZES
    observations, each = FEW[2:] if quick else (OBSERVATIONS, PER_INTERVENTION)
    config = {"observations": observations, "per_intervention": each, "categories": CATEGORIES,
              "quick": quick}  # fmt: skip
    name = "large-graphs-quick" if quick else "large-graphs"
    rows = [] if quick else rows_so_far(name, config)
    done = {(r["variables"], r["degree"], r["seed"]) for r in rows}
    measure(FEW[0], FEW[1], 0, *FEW[2:])  # loads what is compiled
    for variables in sizes:
        for degree in DEGREES:
            for seed in used:
                if (variables, degree, seed) not in done:
                    rows.append(measure(variables, degree, seed, observations, each))
                    print(rows[-1], flush=True)
                    write_record(name, config, seeds_of(rows, used), rows)
    print(table({"rows": rows, "seeds": seeds_of(rows, used)}))
    kinds = {(r["variables"], r["degree"]) for r in rows}
    means = [np.mean([r["shd"] for r in rows if (r["variables"], r["degree"]) == k]) for k in kinds]
    return int(max(means) > MISTAKES)


def seeds_of(rows: Sequence[Mapping[str, Any]], used: Sequence[int]) -> list[int]:
    """The seeds asked for, and those that were measured before."""
    return sorted({*used, *(row["seed"] for row in rows)})


def measure(
    variables: int, degree: int, seed: int, observations: int, per_intervention: int
) -> dict[str, Any]:
    """Recover one graph."""
    rng = np.random.default_rng(seed)
    graph = random_graph(variables, rng, expected_degree=degree)
    scm = StructuralCausalModel.random_networks(graph, rng, CATEGORIES)
    with tempfile.TemporaryDirectory() as folder:
        started = time.process_time()
        data = mapped(scm, observations, per_intervention, rng, Path(folder) / "rows.int8")
        drawing = time.process_time() - started
        wall = time.perf_counter()
        result, _ = recover("ancestral", {}, data, graph)
        wall = time.perf_counter() - wall
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # KiB on Linux
    place = {"variables": variables, "degree": degree, "seed": seed, "edges": len(graph.edges)}
    times = {"drawing_cpu_s": round(drawing, 1), "wall_s": round(wall, 1)}
    return place | result | times | {"peak_gib": round(peak, 2)}


def mapped(
    scm: StructuralCausalModel,
    observations: int,
    per_intervention: int,
    rng: np.random.Generator,
    path: Path,
) -> InterventionalData:
    """Draw rows as `simulate` does, into a file of bytes with its columns in random order."""
    names = scm.variables
    rows = observations + per_intervention * len(names)
    columns: NDArray[np.int8] = np.memmap(path, np.int8, "w+", shape=(len(names), rows))  # [V, N]
    order = rng.permutation(len(names))
    for start in range(0, observations, BLOCK):
        stop = min(start + BLOCK, observations)
        columns[:, start:stop] = scm.sample(stop - start, rng)[:, order].T
    for at, name in enumerate(names):
        start = observations + at * per_intervention
        block = scm.sample(per_intervention, rng, do={name: None})
        columns[:, start : start + per_intervention] = block[:, order].T
    sizes = np.repeat([observations, per_intervention], [1, len(names)])
    return InterventionalData(
        tuple(names[i] for i in order),
        columns.T,
        tuple(scm.states[i] for i in order),
        ((), *((name,) for name in names)),
        np.repeat(np.arange(len(names) + 1), sizes),
    )


def table(record: Mapping[str, Any]) -> str:
    """The Markdown table of a record."""
    rows, seeds = record["rows"], len(record["seeds"])
    lines = []
    for variables, degree in dict.fromkeys((r["variables"], r["degree"]) for r in rows):
        mine = [r for r in rows if (r["variables"], r["degree"]) == (variables, degree)]
        lines.append(
            [
                variables,
                degree if len(mine) == seeds else f"{degree} ({len(mine)}/{seeds} seeds)",
                ", ".join(str(r["shd"]) for r in mine),
                f"{np.mean([r['shd'] for r in mine]):.2g}",
                f"{max(r['cpu_s'] for r in mine):.3g} s",
                f"{max(r['drawing_cpu_s'] for r in mine):.3g} s",
                f"{max(r['peak_gib'] for r in mine):.2g} GiB",
            ]
        )
    header = ["variables", "expected degree", "SHD of each seed", "mean", "slowest, processor time",
              "drawing the rows", "peak memory"]  # fmt: skip
    return markdown(header, lines)
