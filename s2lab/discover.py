"""From a table of rows to a graph, its distance from the truth and its picture. Prints nothing.

Knows files and the learners' protocol; how a graph is found is `s2lab.causal`'s business.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s2lab import durable
from s2lab.causal.csv_table import read_data, read_target_file
from s2lab.causal.data import TARGETS_COLUMN, InterventionalData
from s2lab.causal.discovery import fitted_graph, make_discoverer, takes_targets
from s2lab.causal.discovery.registry import option_names
from s2lab.causal.errors import InputError
from s2lab.causal.graph import CausalGraph
from s2lab.causal.metrics import edge_differences
from s2lab.causal.networks import NETWORKS, load_network
from s2lab.graph_picture import graph_svg

FORMAT = 1


@dataclass(frozen=True)
class Discovery:
    """What one run of a learner gave."""

    recovered: CausalGraph
    true: CausalGraph | None
    """None where no truth was named."""
    summary: dict[str, Any]
    """What is written as JSON; `CausalGraph.from_json` reads it back as a graph."""


def discover(
    data_csv: str | Path,
    targets_csv: str | Path | None = None,
    method: str = "ancestral",
    *,
    truth: str | Path | None = None,
    out: str | Path | None = None,
    picture: str | Path | None = None,
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
) -> Discovery:
    """Learn a graph from a CSV file and write it, its figures and its picture where asked.

    `targets_csv` names what was intervened on, one line per row; without it the data's own column
    `intervention_targets` is read, if any. `truth` is a BIF or JSON file, or a shipped network's
    name. `seed` and `options` go to the learner, the seed only where it takes one.

    Raises `InputError` or `UserError` (one line: file, line or field, fix) before anything is
    written; a file that exists is replaced as a whole or not at all.
    """
    settings = dict(options or {})
    if "seed" in option_names(method):
        settings.setdefault("seed", seed)
    learner = make_discoverer(method, settings)
    true = None if truth is None else read_truth(truth)
    outputs = [Path(path) for path in (out, picture) if path is not None]
    check_writable(outputs, [Path(path) for path in (data_csv, targets_csv, truth) if path])
    data = read_rows(data_csv, targets_csv, true)
    started = time.perf_counter()
    passed = fit(learner, data, method)
    elapsed_s = time.perf_counter() - started
    recovered = fitted_graph(learner, data.variables)
    summary = summarise(recovered, true) | {
        "method": method,
        "options": settings,
        "seed": seed,
        "rows": len(data.codes),
        "passed": passed,
        "score": getattr(learner, "score_", None),
        "elapsed_s": round(elapsed_s, 4),
    }
    if out is not None:
        write(Path(out), json.dumps(summary, indent=2) + "\n")
    if picture is not None:
        write(Path(picture), graph_svg(true, recovered))
    return Discovery(recovered, true, summary)


def read_truth(truth: str | Path) -> CausalGraph:
    """Read a BIF file, a graph's JSON file, or a shipped network by its name."""
    path = Path(truth)
    if str(truth) in NETWORKS and not path.exists():
        return load_network(str(truth)).graph
    if path.suffix == ".json":
        try:
            return CausalGraph.from_json(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: cannot be read as text: {error}") from None
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
    if path.suffix == ".bif":
        from s2lab.causal.bif import read_bif

        return read_bif(path).graph
    shipped = ", ".join(NETWORKS)
    raise InputError(f"truth {str(truth)!r}: expected a .bif or .json file or one of {shipped}")


def read_rows(
    data_csv: str | Path, targets_csv: str | Path | None, true: CausalGraph | None
) -> InterventionalData:
    """Read the data and its targets; with a truth, the columns must be exactly its variables."""
    frame = read_data(data_csv, true.variables if true else None)
    names = [name for name in frame.columns if name != TARGETS_COLUMN]
    for name in names if true else ():
        if true and name not in true.variables:
            raise InputError(f"{data_csv} line 1: column {name!r} is no variable of the truth")
    targets = None if targets_csv is None else read_target_file(targets_csv, names, len(frame))
    try:
        return InterventionalData.from_frame(frame, targets)
    except InputError as error:
        raise InputError(f"{data_csv}: {error}") from None


def fit(learner: Any, data: InterventionalData, method: str) -> str:
    """Fit and say in words what the learner was given.

    A learner that cannot be told the targets gets the observational rows only.
    """
    if takes_targets(learner):
        learner.fit(data.to_frame(), targets=data.targets)
        return f"{len(data.codes)} rows with targets in {len(data.regimes)} regimes"
    rows = data.observational
    if len(rows.codes) == 0:
        raise InputError(
            f"method {method!r} learns from observational rows and the data has none; "
            "use a method that takes targets  (s2lab list discoverers)"
        )
    learner.fit(rows.to_frame())
    left_out = len(data.codes) - len(rows.codes)
    return f"{len(rows.codes)} observational rows; {left_out} interventional ones left out"


def summarise(recovered: CausalGraph, true: CausalGraph | None) -> dict[str, Any]:
    """Return the graph and, where the truth is known, the mistakes; a reversal counts 1."""
    summary: dict[str, Any] = {
        "format": FORMAT,
        "variables": list(recovered.variables),
        "edges": [list(edge) for edge in recovered.edges],
        "shd": None,
    }
    if true is not None:
        mistakes = edge_differences(true, recovered)
        summary |= {
            "shd": mistakes.distance(),
            "shd_reversal_2": mistakes.distance(reversal_cost=2),
            "missing": [list(edge) for edge in mistakes.missing],
            "extra": [list(edge) for edge in mistakes.extra],
            "reversed": [list(edge) for edge in mistakes.reversed],
        }
    return summary


def check_writable(outputs: list[Path], inputs: list[Path]) -> None:
    """Refuse, before any work, an output that cannot be written or that would replace an input."""
    for path in outputs:
        if path.is_dir():
            raise InputError(f"{path} is a folder; name a file in it")
        if any(path.absolute() == other.absolute() for other in inputs):
            raise InputError(f"{path} is an input; name another file for the output")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise durable.cannot_write(path, error, "name another folder") from None
        if not os.access(path.parent, os.W_OK):
            raise InputError(f"cannot write {path}: no permission in its folder; name another one")
    if len({path.absolute() for path in outputs}) != len(outputs):
        raise InputError(f"{outputs[0]} is named for the graph and for the picture; name two files")


def write(path: Path, text: str) -> None:
    """Write beside and rename; a failure is one line."""
    try:
        durable.replace(path, text.encode())
    except OSError as error:
        raise durable.cannot_write(path, error, "name another folder") from None


def simulate_csv(
    network: str, data_csv: str | Path, observations: int, per_intervention: int, seed: int
) -> int:
    """Write rows of a shipped network, a uniform do on every variable, and return their number.

    Targets go into the file's `intervention_targets` column.
    """
    import numpy as np

    from s2lab.causal.scm import StructuralCausalModel, simulate

    scm = StructuralCausalModel.from_network(load_network(network))
    data = simulate(scm, observations, per_intervention, np.random.default_rng(seed))
    check_writable([Path(data_csv)], [])
    write(Path(data_csv), data.to_frame(targets=True).to_csv(index=False))
    return len(data.codes)
