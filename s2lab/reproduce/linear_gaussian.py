"""Linear-Gaussian graphs: mistakes and processor time beside those of the gies package.

Protocol: Erdos-Renyi graphs of expected degree 4, 1000 observations and 100 rows of a do on every
variable, columns shuffled; gies is the package of that name (Hauser & Buehlmann 2012) with its
Gaussian BIC. The distance is between interventional classes, for that is what gies answers with:
directed against undirected counts 1, as a reversed edge does. Both run on one core; gies is stopped
after ten minutes of processor time, and runs on the first graph alone where it takes so long.
"""

from __future__ import annotations

import contextlib
import importlib.util
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import FrameType
from typing import Any

import numpy as np

from s2lab.causal.data import ContinuousData
from s2lab.causal.discovery import make_discoverer
from s2lab.causal.equivalence import interventional_cpdag
from s2lab.causal.families import random_graph
from s2lab.causal.graph import CausalGraph
from s2lab.causal.metrics import pdag_distance
from s2lab.causal.real_scm import RealCausalModel, simulate_real
from s2lab.errors import UserError
from s2lab.reproduce.records import markdown, rows_so_far, write_record

SIZES, DEGREE = (20, 50, 100), 4
OBSERVATIONS, PER_INTERVENTION = 1000, 100
FASTER = 20.0
"""How many times faster than gies we must be."""

FITS = 5
"""How often we fit; our time is the median, for a tenth of a second is easily disturbed."""

GIES_MAX_S = 600.0
"""Processor seconds that gies has for one graph; it knows no limit of its own."""

GIES_SEEDS = {100: 1}
"""On how many graphs of a size gies is run, where not on all."""


def reproduce(*, quick: bool, seeds: Sequence[int]) -> int:
    """Measure the table; 0 if no mean is above gies's and we are fast enough at every size.

    Our learner is measured anew; gies, which does not change, where the record has no answer of
    its own for a graph. The record is written after every graph.
    """
    if importlib.util.find_spec("gies") is None:
        raise UserError("the peer of this table is not installed; pip install gies")
    used = list(seeds)[:1] if quick else list(seeds)
    sizes = (10,) if quick else SIZES
    config = {"observations": OBSERVATIONS, "per_intervention": PER_INTERVENTION,
              "degree": DEGREE, "quick": quick}  # fmt: skip
    name = "linear-gaussian-quick" if quick else "linear-gaussian"
    before = [] if quick else rows_so_far(name, config)
    known = {(r["variables"], r["seed"]): r for r in before if r["gies_cpu_s"] is not None}
    places = [(variables, seed) for variables in sizes for seed in used]
    measure(5, 0)  # loads what is compiled
    rows = [measure(*place) | gies_figures(known.get(place, {})) for place in places]
    for at, (variables, seed) in enumerate(places):
        beside = seed in used[: GIES_SEEDS.get(variables)]
        if beside and (variables, seed) not in known:
            rows[at] |= measure_gies(variables, seed)
        print(rows[at], flush=True)
        write_record(name, config, used, rows)
    print(table({"rows": rows, "seeds": used}))
    return int(any(missed([r for r in rows if r["variables"] == v]) for v in sizes))


def gies_figures(row: Mapping[str, Any]) -> dict[str, Any]:
    """What a row says of gies, nothing where it says nothing."""
    return {key: row.get(key) for key in ("gies_shd", "gies_cpu_s")}


def missed(rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether one size has more mistakes than gies or is not fast enough, on the mean.

    Mistakes are compared where gies came to an end.
    """
    ended = [r for r in rows if r["gies_shd"] is not None]
    ours, theirs = (sum(r[k] for r in ended) for k in ("shd", "gies_shd"))
    return bool(ours > theirs or speed(rows) < FASTER)


def speed(rows: Sequence[Mapping[str, Any]]) -> float:
    """How many times faster than gies we are at least, over the graphs it was run on."""
    return gies_cpu_per_ours(slowest(rows))


def slowest(rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Of the graphs that gies was run on, the one where we gain least."""
    return min((r for r in rows if r["gies_cpu_s"] is not None), key=gies_cpu_per_ours)


def gies_cpu_per_ours(row: Mapping[str, Any]) -> float:
    """gies's processor time over ours."""
    return float(row["gies_cpu_s"]) / float(row["cpu_s"])


def drawn(variables: int, seed: int) -> tuple[ContinuousData, CausalGraph]:
    """Rows of one graph with shuffled columns, and the graph."""
    rng = np.random.default_rng([variables, seed])
    graph = random_graph(variables, rng, expected_degree=DEGREE)
    model = RealCausalModel.random(graph, rng)
    data = simulate_real(model, OBSERVATIONS, PER_INTERVENTION, rng)
    order = rng.permutation(variables)
    names = tuple(data.variables[i] for i in order)
    return replace(data, variables=names, values=data.values[:, order]), graph.reordered(names)


def measure(variables: int, seed: int) -> dict[str, Any]:
    """Recover one graph."""
    data, graph = drawn(variables, seed)
    frame, targets = data.to_frame(), data.targets
    learner: Any = make_discoverer("ancestral", {"kind": "real"})
    spent = []
    for _ in range(FITS):
        started = time.process_time()
        learner.fit(frame, targets=targets)
        spent.append(time.process_time() - started)
    true = interventional_cpdag(graph, data.regimes)
    return {
        "variables": variables,
        "edges": len(graph.edges),
        "seed": seed,
        "shd": pdag_distance(true, learner.interventional_cpdag_),
        "cpu_s": round(float(np.median(spent)), 4),
    }


def measure_gies(variables: int, seed: int) -> dict[str, Any]:
    """Have gies recover one graph; it has no distance where its time was up."""
    import gies

    data, graph = drawn(variables, seed)
    blocks = [data.values[data.regime_of_row == r] for r in range(len(data.regimes))]
    places = [[data.variables.index(v) for v in regime] for regime in data.regimes]
    distance = None
    started = time.process_time()
    try:
        with deadline(GIES_MAX_S):
            found, _ = gies.fit_bic(blocks, places)
    except Late:
        spent = time.process_time() - started
    else:
        spent = time.process_time() - started
        true = interventional_cpdag(graph, data.regimes)
        distance = pdag_distance(true, np.asarray(found) != 0)
    return {"gies_shd": distance, "gies_cpu_s": round(spent, 3)}


class Late(BaseException):
    """Time is up; nothing that runs inside catches this."""


@contextlib.contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Raise `Late` after so many seconds of this process's own processor time.

    And again a second later: what is raised while a destructor runs is lost.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        raise Late

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def table(record: Mapping[str, Any]) -> str:
    """The Markdown table of a record."""
    lines = []
    for variables in dict.fromkeys(row["variables"] for row in record["rows"]):
        mine = [row for row in record["rows"] if row["variables"] == variables]
        part = "" if len(mine) == len(record["seeds"]) else f" ({len(mine)}/{len(record['seeds'])})"
        beside = [row for row in mine if row["gies_cpu_s"] is not None]
        at_least = "over " if beside and slowest(beside)["gies_shd"] is None else ""
        lines.append(
            [
                f"{variables}{part}",
                ", ".join(str(row["shd"]) for row in mine),
                ", ".join(words_of(row) for row in mine),
                f"{max(row['cpu_s'] for row in mine):.2g} s",
                f"{max(row['gies_cpu_s'] for row in beside):.4g} s" if beside else "",
                f"{at_least}{speed(mine):.0f}" if beside else "",
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
