"""Causal discovery against its peers on the same data, and its growth.

Peers: our `enco` on ten categories, pgmpy's PC and GES on the observations, the gies package on
linear-Gaussian data. Growth: with variables, rows and categories. Knows no command line.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from s2lab.bench.harness import Row
from s2lab.causal.data import InterventionalData
from s2lab.causal.discovery import DISCOVERERS, make_discoverer, takes_targets
from s2lab.causal.families import make_family, random_graph
from s2lab.causal.networks import load_network
from s2lab.causal.real_scm import RealCausalModel, simulate_real
from s2lab.causal.scm import StructuralCausalModel, simulate


def bench(*, quick: bool = False) -> Sequence[Row]:
    """Measure everything; `quick` leaves out what takes minutes."""
    ancestral = make_discoverer("ancestral")
    warm_up(ancestral)
    found = [*against_pgmpy(), *against_gies(quick), *growth(quick)]
    if "enco" in DISCOVERERS and not quick:
        found.append(against_enco())
    return found


def warm_up(learner: Any) -> None:
    """Compile what is compiled on first use."""
    rng = np.random.default_rng(0)
    for family in ("chain", "collider"):
        scm = StructuralCausalModel.random_networks(make_family(family, 4), rng, 3)
        learner.fit_data(simulate(scm, 200, 50, rng))


def once(work: Callable[[], object]) -> float:
    """Processor seconds of one call: learners take too long to be repeated."""
    started = time.process_time()
    work()
    return time.process_time() - started


def compared(name: str, ours: Callable[[], object], peer: str, theirs: Callable[[], object]) -> Row:
    """One call of each, ours first."""
    mine, other = once(ours), once(theirs)
    return Row(name, mine, "s", peer, other, other / max(mine, 1e-9), 1)


def fitted(learner: Any, data: InterventionalData) -> Callable[[], object]:
    """A call that fits a learner on what it can use."""
    if takes_targets(learner):
        frame, targets = data.to_frame(), data.targets
        return lambda: learner.fit(frame, targets=targets)
    frame = data.observational.to_frame()
    return lambda: learner.fit(frame)


def against_pgmpy() -> list[Row]:
    """Sachs: ours on all rows, pgmpy's on the observations."""
    scm = StructuralCausalModel.from_network(load_network("sachs"))
    data = simulate(scm, 5000, 512, np.random.default_rng(0))
    ours = fitted(make_discoverer("ancestral"), data)
    return [
        compared("sachs, 11 variables", ours, f"pgmpy {name}", fitted(make_discoverer(name), data))
        for name in ("pc", "ges", "hill_climb")
    ]


def against_gies(quick: bool) -> list[Row]:
    """Linear-Gaussian data: ours and the gies package."""
    import gies

    found = []
    for variables in (10, 20) if quick else (10, 20, 50):
        rng = np.random.default_rng(variables)
        graph = random_graph(variables, rng, expected_degree=4)
        data = simulate_real(RealCausalModel.random(graph, rng), 1000, 100, rng)
        blocks = [data.values[data.regime_of_row == r] for r in range(len(data.regimes))]
        targets = [[data.variables.index(v) for v in regime] for regime in data.regimes]
        learner: Any = make_discoverer("ancestral")
        ours = partial(learner.fit, data.to_frame(), targets=data.targets)
        theirs = partial(gies.fit_bic, blocks, targets)
        name = f"linear-Gaussian, {variables} variables"
        found.append(compared(name, ours, "gies", theirs))
    return found


def against_enco() -> Row:
    """ENCO's regime on eight variables: ours and our ENCO."""
    rng = np.random.default_rng(0)
    scm = StructuralCausalModel.random_networks(make_family("jungle", 8), rng)
    data = simulate(scm, 5000, 200, rng)
    learner = make_discoverer("enco")
    return compared(
        "jungle, 8 variables of 10 categories",
        fitted(make_discoverer("ancestral"), data),
        "our enco",
        fitted(learner, data),
    )


def growth(quick: bool) -> list[Row]:
    """Seconds as one size grows and the others stay: 25 variables, 5000 rows, 3 categories."""
    sizes = (25, 50, 100) if quick else (25, 50, 100, 200, 400)
    return [
        *(grown(f"{v} variables", v, 5000, 3) for v in sizes),
        *(grown(f"{n} observations", 25, n, 3) for n in (5_000, 20_000, 80_000)),
        *(grown(f"{k} categories", 25, 5000, k) for k in (2, 4, 8)),
    ]


def grown(name: str, variables: int, observations: int, categories: int) -> Row:
    """One random graph of expected degree 3 with conditional tables, 256 rows per do."""
    rng = np.random.default_rng(0)
    graph = random_graph(variables, rng, expected_degree=3)
    scm = StructuralCausalModel.random_tables(graph, rng, categories)
    data = simulate(scm, observations, 256, rng)
    learner: Any = make_discoverer("ancestral")
    return Row(f"growth: {name}", once(lambda: learner.fit_data(data)), "s")
