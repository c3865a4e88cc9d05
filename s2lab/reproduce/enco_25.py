"""Mean SHD of Lippe et al. (2022, arXiv 2107.10483) on synthetic graphs of 25 variables.

Protocol: ENCO's data: random networks over 10 categories, 5000 observations and 200 rows of a
uniform do on every variable, columns shuffled; 8 and 13 variables beside the published 25. The
random graph draws every forward edge with probability 0.3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from s2lab.causal.families import make_family
from s2lab.causal.scm import StructuralCausalModel, simulate
from s2lab.reproduce.records import markdown, read_record, write_record
from s2lab.reproduce.recovery import recover, shuffled

# Lippe et al. (2022), synthetic graphs of 25 variables, mean SHD: as is, and made acyclic.
PUBLISHED = {
    "ENCO": {"bidiag": 2.2, "chain": 1.7, "collider": 1.6, "full": 9.2, "jungle": 1.7,
             "random": 4.6},
    "ENCO, acyclic": {"bidiag": 0.0, "chain": 0.0, "collider": 1.6, "full": 5.3, "jungle": 0.6,
                      "random": 0.2},
    "SDI": {"bidiag": 9.0, "chain": 3.9, "collider": 16.1, "full": 153.9, "jungle": 6.9,
            "random": 10.8},
    "DCDI": {"bidiag": 16.9, "chain": 10.1, "collider": 10.9, "full": 21.0, "jungle": 17.9,
             "random": 7.7},
}  # fmt: skip
FAMILIES = ("bidiag", "chain", "collider", "full", "jungle", "random")
OBSERVATIONS, PER_INTERVENTION, CATEGORIES = 5000, 200, 10


def reproduce(*, quick: bool, seeds: Sequence[int]) -> int:
    """Measure the table; 0 if the mean SHD is at most ENCO's acyclic one (quick: 0.2), else 1."""
    used = list(seeds)[:1] if quick else list(seeds)
    sizes = (8,) if quick else (8, 13, 25)
    rows = []
    for variables in sizes:
        for family in FAMILIES:
            for seed in used:
                rng = np.random.default_rng(seed)
                graph = make_family(family, variables, rng)
                scm = StructuralCausalModel.random_networks(graph, rng, CATEGORIES)
                data = shuffled(simulate(scm, OBSERVATIONS, PER_INTERVENTION, rng), rng)
                result, _ = recover("ancestral", {}, data, graph)
                rows.append({"graph": family, "variables": variables, "seed": seed} | result)
                print(f"{family} {variables} seed {seed}: {result}", flush=True)
    config = {
        "observations": OBSERVATIONS,
        "per_intervention": PER_INTERVENTION,
        "categories": CATEGORIES,
        "quick": quick,
    }
    path = write_record("enco-25-quick" if quick else "enco-25", config, used, rows)
    print(table(read_record(path)))
    limits = PUBLISHED["ENCO, acyclic"] if not quick else dict.fromkeys(FAMILIES, 0.2)
    means = {
        family: np.mean(
            [r["shd"] for r in rows if (r["graph"], r["variables"]) == (family, sizes[-1])]
        )
        for family in FAMILIES
    }
    return int(any(means[family] > limits[family] + 1e-9 for family in FAMILIES))


def table(record: Mapping[str, Any]) -> str:
    """The Markdown table of a record, published rows first."""
    rows = record["rows"]
    lines: list[list[object]] = [
        [f"{method}, 25", *(figures[family] for family in FAMILIES)]
        for method, figures in PUBLISHED.items()
    ]
    for variables in dict.fromkeys(row["variables"] for row in rows):
        cells: list[object] = [f"ancestral, {variables}"]
        seconds: list[object] = ["&nbsp;&nbsp;slowest, processor time"]
        for family in FAMILIES:
            mine = [r for r in rows if (r["graph"], r["variables"]) == (family, variables)]
            cells.append(f"{np.mean([r['shd'] for r in mine]):.2g}")
            seconds.append(f"{max(r['cpu_s'] for r in mine):.2g} s")
        lines += [cells, seconds]
    return markdown(["mean SHD", *FAMILIES], lines)
