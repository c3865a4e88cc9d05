"""From a table of rows to a graph, its distance from the truth and its picture. Prints nothing.

Knows files and the learners' protocol; how a graph is found is `s2lab.causal`'s business.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2lab import durable
from s2lab.causal.csv_table import read_target_file
from s2lab.causal.data import (
    TARGETS_COLUMN,
    WORLDS_COLUMN,
    ContinuousData,
    InterventionalData,
)
from s2lab.causal.discovery import DISCOVERERS, fitted_graph, make_discoverer, takes_targets
from s2lab.causal.discovery.registry import option_names
from s2lab.causal.errors import InputError
from s2lab.causal.graph import CausalGraph
from s2lab.causal.metrics import (
    Edge,
    edge_differences,
    edge_rates,
    rank_edges,
    structural_intervention_distance,
)
from s2lab.causal.networks import NETWORKS, load_network
from s2lab.causal.table_files import read_frame
from s2lab.graph_export import check_ending, export_text
from s2lab.graph_picture import graph_svg

FORMAT = 1
MOST_FOR_SID = 64


@dataclass(frozen=True)
class Discovery:
    """What one run of a learner gave."""

    recovered: CausalGraph
    true: CausalGraph | None
    """None where no truth was named."""
    summary: dict[str, Any]
    """What is written as JSON; `CausalGraph.from_json` reads it back as a graph."""

    def to_pgmpy(self) -> Any:
        """Return the recovered graph as a `pgmpy.base.DAG`."""
        from s2lab.causal.pgmpy_bridge import to_pgmpy_dag

        return to_pgmpy_dag(self.recovered)


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
    exports: Sequence[str | Path] = (),
) -> Discovery:
    """Learn a graph from a CSV or Parquet file; write it, its figures and its picture where asked.

    `targets_csv` names what was intervened on, one line per row; without it the data's own column
    `intervention_targets` is read, if any. `truth` is a BIF or JSON file, or a shipped network's
    name. `seed` and `options` go to the learner, the seed only where it takes one. `out` and each
    of `exports` are written in the format of their ending: .json (all figures), .dot or .gv, .gml,
    .bif and .xmlbif (with tables that the rows teach the graph; pgmpy reads both).

    Raises `InputError` or `UserError` (one line: file, line or field, fix) before anything is
    written; a file that exists is replaced as a whole or not at all.
    """
    settings = dict(options or {})
    if "seed" in option_names(method):
        settings.setdefault("seed", seed)
    bar = {"show_progress": True} if sys.stderr.isatty() else {}
    learner = make_discoverer(
        method, settings | (bar if "show_progress" in option_names(method) else {})
    )
    true = None if truth is None else read_truth(truth)
    texts = [Path(path) for path in (out, *exports) if path is not None]
    outputs = [*texts, *([] if picture is None else [Path(picture)])]
    check_writable(outputs, [Path(path) for path in (data_csv, targets_csv, truth) if path])
    for path in texts:
        check_ending(path)
    data = read_rows(data_csv, targets_csv, true, method)
    started = time.perf_counter()
    passed = fit(learner, data, method)
    elapsed_s = time.perf_counter() - started
    recovered = fitted_graph(learner, data.variables)
    chances = edge_chances(learner, recovered)
    summary = summarise(recovered, true, chances) | {
        "method": method,
        "options": settings,
        "seed": seed,
        "rows": len(data.regime_of_row),
        "passed": passed,
        "score": getattr(learner, "score_", None),
        "elapsed_s": round(elapsed_s, 4),
    }
    guessed = getattr(learner, "intervention_targets_", None)
    if guessed:
        summary["intervention_targets"] = {label: list(names) for label, names in guessed.items()}
    per_edge = None if chances is None else edge_values(recovered, chances)
    ready = {
        path: json.dumps(summary, indent=2) + "\n"
        if path.suffix.lower() == ".json"
        else export_text(path, recovered, per_edge, data)
        for path in texts
    }
    for path, text in ready.items():
        write(path, text)
    if picture is not None:
        write(Path(picture), graph_svg(true, recovered, per_edge))
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
    data_csv: str | Path, targets_csv: str | Path | None, true: CausalGraph | None, method: str
) -> InterventionalData | ContinuousData:
    """Read the data and its targets; with a truth, the columns must be exactly its variables.

    Numbers stay numbers where the method takes only those, or takes both kinds and meets fractions.
    """
    frame = read_frame(data_csv, true.variables if true else None)
    names = [name for name in frame.columns if name not in (TARGETS_COLUMN, WORLDS_COLUMN)]
    for name in names if true else ():
        if true and name not in true.variables:
            raise InputError(f"{data_csv} line 1: column {name!r} is no variable of the truth")
    targets = None if targets_csv is None else read_target_file(targets_csv, names, len(frame))
    fractions = (frame[names].select_dtypes("float") % 1 != 0).to_numpy().any()
    real = DISCOVERERS[method].real or ("kind" in option_names(method) and fractions)
    try:
        return (ContinuousData if real else InterventionalData).from_frame(frame, targets)
    except InputError as error:
        raise InputError(f"{data_csv}: {error}") from None


def fit(learner: Any, data: InterventionalData | ContinuousData, method: str) -> str:
    """Fit and say in words what the learner was given.

    A learner that cannot be told the targets gets the observational rows only.
    """
    if takes_targets(learner):
        frame = data.to_frame()
        if data.world_of_row is not None:
            frame[WORLDS_COLUMN] = data.world_of_row
        learner.fit(frame, targets=data.targets)
        return f"{len(data.regime_of_row)} rows with targets in {len(data.regimes)} regimes"
    rows = data.observational
    if len(rows.regime_of_row) == 0:
        raise InputError(
            f"method {method!r} learns from observational rows and the data has none; "
            "use a method that takes targets  (s2lab list discoverers)"
        )
    learner.fit(rows.to_frame())
    used = len(rows.regime_of_row)
    left_out = len(data.regime_of_row) - used
    return f"{used} observational rows; {left_out} interventional ones left out"


def edge_chances(learner: Any, recovered: CausalGraph) -> NDArray[np.float64] | None:  # [V, V]
    """Return the learner's probabilities in the graph's order, None where it gives none."""
    chances = getattr(learner, "edge_probabilities_", None)
    if chances is None:
        return None
    order = [list(learner.feature_names_in_).index(name) for name in recovered.variables]
    return np.asarray(chances, np.float64)[np.ix_(order, order)]


def edge_values(graph: CausalGraph, matrix: NDArray[np.float64]) -> dict[Edge, float]:
    """Return the entries of a matrix [V, V] at the graph's edges."""
    return {(a, b): float(matrix[graph.index(a), graph.index(b)]) for a, b in graph.edges}


def summarise(
    recovered: CausalGraph, true: CausalGraph | None, chances: NDArray[np.float64] | None
) -> dict[str, Any]:
    """Return the graph and, where the truth is known, the mistakes; a reversal counts 1."""
    summary: dict[str, Any] = {
        "format": FORMAT,
        "variables": list(recovered.variables),
        "edges": [list(edge) for edge in recovered.edges],
        "shd": None,
    }
    if chances is not None:
        values = edge_values(recovered, chances)
        summary["edge_probabilities"] = [round(values[edge], 6) for edge in recovered.edges]
    if true is not None:
        mistakes = edge_differences(true, recovered)
        summary |= {
            "shd": mistakes.distance(),
            "shd_reversal_2": mistakes.distance(reversal_cost=2),
            "missing": [list(edge) for edge in mistakes.missing],
            "extra": [list(edge) for edge in mistakes.extra],
            "reversed": [list(edge) for edge in mistakes.reversed],
        } | quality(recovered, true, chances)
    return summary


def quality(
    recovered: CausalGraph, true: CausalGraph, chances: NDArray[np.float64] | None
) -> dict[str, float | None]:
    """Return rates, SID (to 64 variables, for its time) and, given probabilities, their ranking."""
    rates = edge_rates(true, recovered)
    some = 0 < true.parent_to_child.sum() < len(true.variables) * (len(true.variables) - 1)
    ranking = None
    if some and chances is not None:
        ranking = rank_edges(true.reordered(recovered.variables), chances)
    small = len(true.variables) <= MOST_FOR_SID
    return {
        "precision": rates.precision,
        "recall": rates.recall,
        "f1": rates.f1,
        "sid": structural_intervention_distance(true, recovered) if small else None,
        "auroc": None if ranking is None else ranking.auroc,
        "auprc": None if ranking is None else ranking.auprc,
    }


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
        twice = next(path for at, path in enumerate(outputs) if path in outputs[:at])
        raise InputError(f"{twice} is named for the graph and for the picture; name two files")


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
