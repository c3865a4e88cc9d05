"""Linear-Gaussian graphs: mistakes and processor time beside those of the gies package.

Protocol: Erdos-Renyi graphs of expected degree 4, 1000 observations and 100 rows of a do on every
variable, columns shuffled; gies is the package of that name (Hauser & Buehlmann 2012) with its
Gaussian BIC. The distance is between interventional classes, for that is what gies answers with:
directed against undirected counts 1, as a reversed edge does. Both run on one core; gies is stopped
after half an hour of processor time, and runs on the first graph alone where it takes so long.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2lab.causal.data import ContinuousData
from s2lab.causal.discovery import make_discoverer
from s2lab.causal.equivalence import interventional_cpdag
from s2lab.causal.families import random_graph
from s2lab.causal.metrics import pdag_distance
from s2lab.causal.real_scm import RealCausalModel, simulate_real
from s2lab.errors import UserError
from s2lab.reproduce.records import markdown, rows_so_far, write_record

SIZES, DEGREE = (20, 50, 100), 4
OBSERVATIONS, PER_INTERVENTION = 1000, 100
FASTER = 20.0
"""How many times faster than gies we must be."""

GIES_MAX_S = 1800.0
"""Processor seconds that gies has for one graph; it knows no limit of its own."""

GIES_SEEDS = {100: 1}
"""On how many graphs of a size gies is run, where not on all."""


def reproduce(*, quick: bool, seeds: Sequence[int]) -> int:
    """Measure the table; 0 if no mean is above gies's and we are fast enough at every size.

    Small graphs of all seeds come first, and of a size those without gies; the record is written
    after every graph, and goes on from those it has.
    """
    if importlib.util.find_spec("gies") is None:
        raise UserError("the peer of this table is not installed; pip install gies")
    used = list(seeds)[:1] if quick else list(seeds)
    sizes = (10,) if quick else SIZES
    config = {"observations": OBSERVATIONS, "per_intervention": PER_INTERVENTION, "degree": DEGREE,
              "gies_max_s": GIES_MAX_S, "quick": quick}  # fmt: skip
    name = "linear-gaussian-quick" if quick else "linear-gaussian"
    rows = [] if quick else rows_so_far(name, config)
    done = {(row["variables"], row["seed"]) for row in rows}
    measure(5, 0)  # loads what is compiled
    for variables in sizes:
        beside = used[: GIES_SEEDS.get(variables)]
        for seed in sorted(used, key=beside.__contains__):
            if (variables, seed) not in done:
                rows.append(measure(variables, seed, seed in beside))
                print(rows[-1], flush=True)
                rows.sort(key=lambda row: (row["variables"], row["seed"]))
                write_record(name, config, used, rows)
    print(table({"rows": rows, "seeds": used}))
    return int(any(missed([r for r in rows if r["variables"] == v]) for v in sizes))


def missed(rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether one size has more mistakes than gies or is not fast enough, on the mean.

    Mistakes are compared where gies came to an end.
    """
    ended = [r for r in rows if r["gies_shd"] is not None]
    ours, theirs = (sum(r[k] for r in ended) for k in ("shd", "gies_shd"))
    return bool(ours > theirs or speed(rows) < FASTER)


def speed(rows: Sequence[Mapping[str, Any]]) -> float:
    """How many times faster than gies we are at least, over the graphs it was run on."""
    beside = [r for r in rows if r["gies_cpu_s"] is not None]
    return min(float(r["gies_cpu_s"]) / float(r["cpu_s"]) for r in beside)


def measure(variables: int, seed: int, beside: bool = True) -> dict[str, Any]:
    """Recover one graph, and have gies do so where it runs beside us."""
    rng = np.random.default_rng([variables, seed])
    graph = random_graph(variables, rng, expected_degree=DEGREE)
    model = RealCausalModel.random(graph, rng)
    data = simulate_real(model, OBSERVATIONS, PER_INTERVENTION, rng)
    order = rng.permutation(variables)
    names = tuple(data.variables[i] for i in order)
    data = replace(data, variables=names, values=data.values[:, order])
    true = interventional_cpdag(graph.reordered(names), data.regimes)
    frame, targets = data.to_frame(), data.targets
    learner: Any = make_discoverer("ancestral", {"kind": "real"})
    started = time.process_time()
    learner.fit(frame, targets=targets)
    ours = time.process_time() - started
    found, theirs = gies_answer(data) if beside else (None, None)
    return {
        "variables": variables,
        "edges": len(graph.edges),
        "seed": seed,
        "shd": pdag_distance(true, learner.interventional_cpdag_),
        "cpu_s": round(ours, 4),
        "gies_shd": None if found is None else pdag_distance(true, found),
        "gies_cpu_s": None if theirs is None else round(theirs, 3),
    }


def gies_answer(data: ContinuousData) -> tuple[NDArray[np.bool_] | None, float]:
    """What the gies package finds [V, V], None where its time was up, and processor seconds."""
    import gies

    from s2lab.envs.bot import Late, deadline

    blocks = [data.values[data.regime_of_row == r] for r in range(len(data.regimes))]
    places = [[data.variables.index(v) for v in regime] for regime in data.regimes]
    started = time.process_time()
    try:
        with deadline(GIES_MAX_S):
            found, _ = gies.fit_bic(blocks, places)
    except Late:
        return None, time.process_time() - started
    return np.asarray(found) != 0, time.process_time() - started


def table(record: Mapping[str, Any]) -> str:
    """The Markdown table of a record."""
    lines = []
    for variables in dict.fromkeys(row["variables"] for row in record["rows"]):
        mine = [row for row in record["rows"] if row["variables"] == variables]
        part = "" if len(mine) == len(record["seeds"]) else f" ({len(mine)}/{len(record['seeds'])})"
        beside = [row for row in mine if row["gies_cpu_s"] is not None]
        ended = all(row["gies_shd"] is not None for row in beside)
        lines.append(
            [
                f"{variables}{part}",
                ", ".join(str(row["shd"]) for row in mine),
                ", ".join(words_of(row) for row in mine),
                f"{max(row['cpu_s'] for row in mine):.2g} s",
                f"{max(row['gies_cpu_s'] for row in beside):.4g} s" if beside else "",
                ("" if ended else "over ") + f"{speed(mine):.0f}" if beside else "",
            ]
        )
    header = ["variables", "ancestral: distance of each seed", "gies: distance of each seed",
              "ancestral, slowest", "gies, slowest", "times faster, least"]  # fmt: skip
    return markdown(header, lines)


def words_of(row: Mapping[str, Any]) -> str:
    """What gies came to in one graph."""
    if row["gies_cpu_s"] is None:
        return "not run"
    return "not ended" if row["gies_shd"] is None else str(row["gies_shd"])
