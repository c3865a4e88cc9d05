"""Linear-Gaussian graphs: mistakes and processor time beside those of the gies package.

Protocol: Erdos-Renyi graphs of expected degree 4, 1000 observations and 100 rows of a do on every
variable, columns shuffled; gies is the package of that name (Hauser & Buehlmann 2012) with its
Gaussian BIC. The distance is between interventional classes, for that is what gies answers with:
directed against undirected counts 1, as a reversed edge does. Both run on one core.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

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


def reproduce(*, quick: bool, seeds: Sequence[int]) -> int:
    """Measure the table; 0 if no mean is above gies's and we are fast enough at every size.

    Small graphs of all seeds come first; the record is written after every graph, and goes on
    from those it has.
    """
    if importlib.util.find_spec("gies") is None:
        raise UserError("the peer of this table is not installed; pip install gies")
    used = list(seeds)[:1] if quick else list(seeds)
    sizes = (10,) if quick else SIZES
    config = {"observations": OBSERVATIONS, "per_intervention": PER_INTERVENTION,
              "degree": DEGREE, "quick": quick}  # fmt: skip
    name = "linear-gaussian-quick" if quick else "linear-gaussian"
    rows = [] if quick else rows_so_far(name, config)
    done = {(row["variables"], row["seed"]) for row in rows}
    measure(5, 0)  # loads what is compiled
    for variables in sizes:
        for seed in used:
            if (variables, seed) not in done:
                rows.append(measure(variables, seed))
                print(rows[-1], flush=True)
                write_record(name, config, used, rows)
    print(table({"rows": rows, "seeds": used}))
    return int(any(missed([r for r in rows if r["variables"] == v]) for v in sizes))


def missed(rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether one size has more mistakes than gies or is not fast enough, on the mean."""
    ours, theirs = (np.mean([r[k] for r in rows]) for k in ("shd", "gies_shd"))
    return bool(ours > theirs or speed(rows) < FASTER)


def speed(rows: Sequence[Mapping[str, Any]]) -> float:
    """How many times faster than gies we are, least over seeds."""
    return min(float(r["gies_cpu_s"]) / float(r["cpu_s"]) for r in rows)


def measure(variables: int, seed: int) -> dict[str, Any]:
    """Recover one graph with either."""
    import gies

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
    blocks = [data.values[data.regime_of_row == r] for r in range(len(data.regimes))]
    places = [[names.index(v) for v in regime] for regime in data.regimes]
    started = time.process_time()
    found, _ = gies.fit_bic(blocks, places)
    theirs = time.process_time() - started
    return {
        "variables": variables,
        "edges": len(graph.edges),
        "seed": seed,
        "shd": pdag_distance(true, learner.interventional_cpdag_),
        "cpu_s": round(ours, 4),
        "gies_shd": pdag_distance(true, np.asarray(found) != 0),
        "gies_cpu_s": round(theirs, 3),
    }


def table(record: Mapping[str, Any]) -> str:
    """The Markdown table of a record."""
    lines = []
    for variables in dict.fromkeys(row["variables"] for row in record["rows"]):
        mine = [row for row in record["rows"] if row["variables"] == variables]
        part = "" if len(mine) == len(record["seeds"]) else f" ({len(mine)}/{len(record['seeds'])})"
        lines.append(
            [
                f"{variables}{part}",
                ", ".join(str(row["shd"]) for row in mine),
                ", ".join(str(row["gies_shd"]) for row in mine),
                f"{max(row['cpu_s'] for row in mine):.2g} s",
                f"{max(row['gies_cpu_s'] for row in mine):.3g} s",
                f"{speed(mine):.0f}",
            ]
        )
    header = ["variables", "ancestral: distance of each seed", "gies: distance of each seed",
              "ancestral, slowest", "gies, slowest", "times faster, least"]  # fmt: skip
    return markdown(header, lines)
