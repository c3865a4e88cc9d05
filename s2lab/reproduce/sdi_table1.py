"""SHD of Ke et al. (2020, arXiv 1910.01075), table 1: seven graphs, soft interventions.

Protocol: the synthetic graphs with SDI's random networks of two categories; 5000 observations and
512 rows for a redrawn mechanism of every variable, in each of 20 worlds that share the graph (SDI
redraws its worlds while it learns), and in one world for the row that says so; Asia and Sachs from
their published tables, one world. Columns shuffled. Worst of the seeds; a reversed edge counts 1,
and 2 in brackets. Times are those of a process that has fitted before.

Further learners have one world, as most of them take no more, and at most `OTHERS_MAX_S`; SDI has
the same worlds as ours and `SDI_ROUNDS` rounds, where its public code makes 2000 and draws a new
world in each.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from s2lab.causal.data import InterventionalData
from s2lab.causal.discovery import DISCOVERERS
from s2lab.causal.discovery.registry import option_names
from s2lab.causal.errors import InputError
from s2lab.causal.families import make_family
from s2lab.causal.mechanisms import sdi_recipe
from s2lab.causal.networks import load_network
from s2lab.causal.scm import StructuralCausalModel
from s2lab.errors import UserError
from s2lab.reproduce.records import FOLDER, markdown, read_record, write_record
from s2lab.reproduce.recovery import SoftWorlds, recover, shuffled, soft_worlds, target_accuracy

COLUMNS = (
    ("asia", 8), ("sachs", 11), ("collider", 8), ("chain", 13), ("jungle", 13), ("collider", 13),
    ("full", 13),
)  # fmt: skip

# Ke et al. (2020), table 1; worst of seeds 1 to 5, unknown targets.
PUBLISHED = {
    "NOTEARS (Zheng et al. 2018)": ("14", "22", "18", "39", "22", "24", "71"),
    "DAG-GNN (Yu et al. 2019)": ("10", "19", "7", "14", "16", "12", "77"),
    "nonlinear ICP (Heinze-Deml et al. 2018)": ("8", "17", "7", "12", "12", "7", "28"),
    "ICP (Peters et al. 2016)": ("5", "17", "2", "2", "8", "2", "16"),
    "Eaton & Murphy (2007)": ("0", "OOM", "7", "OOM", "OOM", "OOM", "OOM"),
    "SDI (Ke et al. 2020)": ("0", "6", "0", "0", "0", "0", "7"),
}
OTHERS = ("gies", "pc", "ges", "exact", "enco", "sdi")
"""Further learners, told the targets where they take them, if we have them."""

OBSERVATIONS, PER_INTERVENTION, WORLDS = 5000, 512, 20
OTHERS_MAX_S = 120.0
"""Seconds granted to each of the other learners that can be limited."""
SDI_ROUNDS = 60
"""Of 2000 fitting steps and 100 interventions, one world each."""

SOFT = {"interventions": "soft"}
"""What `ancestral` is told."""


def reproduce(*, quick: bool, seeds: Sequence[int], only: Sequence[str] = ()) -> int:
    """Measure the table; 0 if `ancestral` makes no mistake with known targets, else 1.

    Its row of one world per synthetic graph is shown and not judged. Other learners come after
    it, quick ones first, each through all columns before the next seed; the record is written after
    every fit, and goes on from those it has.
    `only` names the learners to measure now; the rows of the others stay as they are.

    Raises `UserError` on a name that is none of them.
    """
    for method in only:
        if method not in ("ancestral", *OTHERS):
            known = ", ".join(("ancestral", *OTHERS))
            raise UserError(f"--only {method}: no row of sdi-table1; there are {known}")
    used = list(seeds)[:1] if quick else list(seeds)
    worlds = 5 if quick else WORLDS
    config = {
        "observations": OBSERVATIONS,
        "per_intervention": PER_INTERVENTION,
        "worlds": worlds,
        "categories": 2,
        "others_max_s": OTHERS_MAX_S,
        "sdi_rounds": SDI_ROUNDS,
        "quick": quick,
    }
    name = "sdi-table1-quick" if quick else "sdi-table1"
    before = [] if quick else kept(name, config)
    others = [row for row in before if row["method"] in OTHERS]
    rows = [row for row in before if row["method"] not in OTHERS]
    if not only or "ancestral" in only or not rows:
        rows = ours(used, worlds)
    path = write_record(name, config, used, [*rows, *others])
    for method in () if quick else [m for m in OTHERS if not only or m in only]:
        for seed in used if method in DISCOVERERS else ():
            for graph, variables in COLUMNS:
                if not any(placed(row) == (graph, variables, seed, method) for row in others):
                    count = worlds if method == "sdi" else 1
                    others.append(measure_other(graph, variables, seed, method, count))
                    print(brief(others, graph, variables, seed), flush=True)
                    path = write_record(name, config, used, [*rows, *others])
    print(table(read_record(path)))
    judged = [
        row["shd"]
        for row in rows
        if not row["unknown"] and (row["worlds"] > 1 or row["graph"] in ("asia", "sachs"))
    ]
    return int(max(judged) > 0)


def ours(seeds: Sequence[int], worlds: int) -> list[dict[str, Any]]:
    """Fit our default learner on every column and seed."""
    measure("asia", 8, seeds[0], 1)  # loads what is compiled
    rows: list[dict[str, Any]] = []
    for graph, variables in COLUMNS:
        for seed in seeds:
            rows += measure(graph, variables, seed, worlds)
            print(brief(rows, graph, variables, seed), flush=True)
    return rows


def kept(name: str, config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of a record of the same protocol; none where there is none.

    Other learners' rows that were measured under another limit are left out.
    """
    path = FOLDER / f"{name}.json"
    if not path.exists():
        return []
    record = read_record(path)
    before = record["config"]
    limits = {name: config[name] for name in ("others_max_s", "sdi_rounds")}
    if {**before, **limits} != config:
        return []

    def valid(method: str) -> bool:
        limit = "sdi_rounds" if method == "sdi" else "others_max_s"
        return method not in OTHERS or before.get(limit) == config[limit]

    return [row for row in record["rows"] if valid(row["method"])]


def placed(row: Mapping[str, Any]) -> tuple[str, int, int, str]:
    """Which fit a row of another learner is of."""
    return row["graph"], row["variables"], row["seed"], row["method"]


def drawn(
    name: str, variables: int, seed: int, worlds: int
) -> tuple[InterventionalData, SoftWorlds]:
    """Rows of one column and seed with shuffled columns, and the truth about them.

    The first world's rows do not depend on how many worlds there are.
    """
    rng = np.random.default_rng(seed)
    if name in ("asia", "sachs"):
        scm, worlds = StructuralCausalModel.from_network(load_network(name)), 1
    else:
        graph = make_family(name, variables, rng)
        recipe = sdi_recipe(variables, 2)
        scm = StructuralCausalModel.random_networks(graph, rng, 2, recipe)
    many = soft_worlds(scm, worlds, OBSERVATIONS, PER_INTERVENTION, rng)
    return shuffled(many.data, np.random.default_rng([seed, 1])), many


def measure(name: str, variables: int, seed: int, worlds: int) -> list[dict[str, Any]]:
    """Fit our default learner on the data of one column and seed, told the targets and not."""
    told, many = drawn(name, variables, seed, worlds)
    worlds = int(told.worlds.max()) + 1
    place = {"graph": name, "variables": variables, "seed": seed, "method": "ancestral"}
    known = recover("ancestral", SOFT, told, many.graph)[0]
    hidden = told.hide_targets()
    result, learner = recover("ancestral", SOFT, hidden, many.graph)
    accuracy = target_accuracy(learner.intervention_targets_, hidden, told, many.change)
    rows = [
        place | {"worlds": worlds, "unknown": False} | known,
        place | {"worlds": worlds, "unknown": True} | result | accuracy,
    ]
    if worlds > 1:
        single = told.take(told.worlds == 0)
        alone = recover("ancestral", SOFT, single, many.graph)[0]
        rows.append(place | {"worlds": 1, "unknown": False} | alone)
    return rows


def measure_other(
    name: str, variables: int, seed: int, method: str, worlds: int = 1
) -> dict[str, Any]:
    """Fit another learner on the first worlds of one column and seed, told the targets.

    pgmpy's PC orients some conflicting colliders into a cycle; such an answer has no distance.
    """
    data, many = drawn(name, variables, seed, worlds)
    wanted: dict[str, Any] = {"max_seconds": OTHERS_MAX_S, "seed": seed, **SOFT}
    if method == "sdi":
        wanted = {"rounds": SDI_ROUNDS, "seed": seed}
    options = {k: v for k, v in wanted.items() if k in option_names(method)}
    place = {"graph": name, "variables": variables, "seed": seed, "method": method}
    place |= {"worlds": int(data.worlds.max()) + 1, "unknown": False}
    started = time.process_time()
    try:
        result = recover(method, options, data, many.graph)[0]
    except InputError as error:
        if "cycle" not in str(error):
            raise
        spent = round(time.process_time() - started, 3)
        none = {"shd": None, "shd_reversal_2": None}
        result = none | {"mistakes": str(error), "cpu_s": spent}
    return place | result


def brief(rows: Sequence[dict[str, Any]], name: str, variables: int, seed: int) -> str:
    """One line of what a column and seed gave so far."""
    mine = [r for r in rows if (r["graph"], r["variables"], r["seed"]) == (name, variables, seed)]
    return f"{name} {variables} seed {seed}: " + ", ".join(
        f"{r['method']}{' unknown' if r['unknown'] else ''} x{r['worlds']} {r['shd']} "
        f"({r['cpu_s']:.1f} s)"
        for r in mine
    )


def table(record: Mapping[str, Any]) -> str:
    """The Markdown table of a record, published rows first."""
    rows, count = record["rows"], len(record["seeds"])
    header = ["method", *(f"{name} {variables}" for name, variables in COLUMNS)]
    lines: list[list[str]] = [[method, *cells] for method, cells in PUBLISHED.items()]
    kinds = dict.fromkeys(
        (row["method"], row["unknown"], row["worlds"] > 1)
        for row in rows
        if row["graph"] not in ("asia", "sachs")
    )
    for method, unknown, many in kinds:
        words = f"{method}, {'unknown' if unknown else 'known'} targets"
        cells, seconds = [], []
        for name, variables in COLUMNS:
            real = name in ("asia", "sachs")
            mine = [
                row
                for row in rows
                if (row["graph"], row["variables"]) == (name, variables)
                and (row["method"], row["unknown"]) == (method, unknown)
                and (real or (row["worlds"] > 1) == many)
            ]
            if not mine:
                cells.append("")
                seconds.append("")
                continue
            cells.append(worst_of(mine, count))
            slowest = max(r["cpu_s"] for r in mine)
            seconds.append(f"{slowest:.0f} s" if slowest >= 100 else f"{slowest:.2g} s")
        where = f", {record['config']['worlds']} worlds" if many else ", 1 world"
        lines += [[words + where, *cells], ["&nbsp;&nbsp;processor time", *seconds]]
    limits = f"Other learners had at most {record['config']['others_max_s']:g} s"
    if any(row["method"] == "sdi" for row in rows):
        limits += (
            f", sdi {record['config']['sdi_rounds']} rounds (its public code makes 2000, each in a "
            "new world)"
        )
    return "\n\n".join([markdown(header, lines), f"{limits}.", accuracy_line(rows)])


def worst_of(rows: Sequence[dict[str, Any]], count: int) -> str:
    """The largest distance, a reversal as 2 in brackets where that differs, and what is lacking."""
    graphs = [row for row in rows if row["shd"] is not None]
    part = "" if len(rows) == count else f" ({len(rows)}/{count})"
    if len(graphs) < len(rows):
        part += f", {len(rows) - len(graphs)} cyclic"
    if not graphs:
        return part.removeprefix(", ")
    worst, twice = (max(row[key] for row in graphs) for key in ("shd", "shd_reversal_2"))
    return (str(worst) if worst == twice else f"{worst} [{twice}]") + part


def accuracy_line(rows: Sequence[dict[str, Any]]) -> str:
    """How often unknown targets were found, over all environments of all seeds."""
    unknown = [row for row in rows if row["unknown"]]
    total = sum(row["environments"] for row in unknown)
    changed = sum(row["environments_changed"] for row in unknown)
    every = sum(row["targets_right"] * row["environments"] for row in unknown) / total
    real = sum(r["targets_right_changed"] * r["environments_changed"] for r in unknown) / changed
    return (
        f"Unknown targets: the target set is exactly right in {real:.1%} of {changed} environments "
        f"whose mechanism changed by .05 nats or more, in {every:.1%} of all {total}."
    )
